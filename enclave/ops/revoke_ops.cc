// What owners say about single callers and objects: approvals, and revocations.

#include "enclave/ops/approvals.h"
#include "enclave/ops/handlers.h"

namespace keyclave::ops {
namespace {

constexpr int64_t kMaxLifetime = int64_t{90} * 24 * 3600;  // seconds
constexpr size_t kMaxText = 4096;                          // bytes of an expression or a reason
constexpr size_t kMaxRecords = 1024;                       // of each kind in a token

Status CheckReason(const std::string& reason) {
  if (reason.empty() || reason.size() > kMaxText)
    return Fail(Code::kInvalidArgument, "say why, in at most 4096 bytes");
  return Done{};
}

Status CheckObject(const Call& call, const wire::TokenId& token, const wire::ObjectId& id) {
  KC_ASSIGN(const keys::ObjectPtr object, call.service.store.Get(id));
  if (object->token != token || object->session != 0)
    return Fail(Code::kObjectNotFound, "of this token");
  return Done{};
}

Status CheckApproval(const Call& call, const wire::ApproveRequest& approval) {
  if (!authz::ParseOperation(approval.operation))
    return Fail(Code::kInvalidArgument, "no such operation: " + approval.operation);
  if (approval.tee.empty() || approval.measurement.empty())
    return Fail(Code::kInvalidArgument, "an approval names the caller's tee and measurement");
  if (approval.expires <= call.now || approval.expires - call.now > kMaxLifetime)
    return Fail(Code::kInvalidArgument, "an approval ends within 90 days from now");
  KC_CHECK_OK(CheckReason(approval.reason));
  return CheckObject(call, approval.token, approval.object);
}

std::vector<keys::TokenRecord> Expired(const Call& call, const wire::TokenId& token) {
  auto records = call.service.store.TokenRecords(token, keys::RecordType::kApproval);
  std::erase_if(records, [&](const keys::TokenRecord& record) {
    const auto stored = wire::Decode<StoredApproval>(record.body);
    return stored.ok() && call.now < stored->approval.expires;
  });
  return records;
}

Status CheckRevocation(const Call& call, const wire::RevokeRequest& request) {
  KC_CHECK_OK(CheckReason(request.reason));
  if (request.whom.has_value() == request.object.has_value())
    return Fail(Code::kInvalidArgument, "either callers are revoked or an object");
  if (request.object) return CheckObject(call, request.token, *request.object);
  if (request.whom->size() > kMaxText) return Fail(Code::kTooLarge, "an expression of 4 KiB");
  KC_ASSIGN(const YamlValue yaml, ParseYaml(*request.whom, "revocation"));
  KC_ASSIGN(const attest::Expression whom, attest::Expression::Parse(yaml));
  return Done{};
}

}  // namespace

ReplyOf<Op::kApprove> Approve(Call& call, const wire::ApproveRequest& request,
                              const AuthorizedToken& proof) {
  if (!call.authority) return Fail(Code::kOwnersOnly, "an approval is what an owner signed");
  KC_CHECK_OK(CheckApproval(call, request));
  const keys::Token& token = proof.token();
  const auto expired = Expired(call, token.id);
  if (call.service.store.TokenRecords(token.id, keys::RecordType::kApproval).size() >=
      kMaxRecords + expired.size())
    return Fail(Code::kTooLarge, "a token has at most 1024 approvals in force");
  const StoredApproval stored{request, call.now, call.authority->signed_request};
  KC_CHECK_OK(call.service.store.ChangeTokenRecords(
      token.id, {{keys::RecordType::kApproval, RandomArray<16>(), wire::Encode(stored)}}, expired));
  call.audit_fields = {{"token", token.Serial()},
                       {"object", ToHex(request.object)},
                       {"approved", request.operation},
                       {"for", request.tee + " " + request.measurement},
                       {"until", FormatTime(request.expires)},
                       {"reason", request.reason}};
  return wire::Empty{};
}

ReplyOf<Op::kListApprovals> ListApprovals(Call& call, const wire::ListApprovalsRequest& request,
                                          const InspectedToken& /*proof*/) {
  wire::ListApprovalsReply reply;
  for (const auto& record :
       call.service.store.TokenRecords(request.token, keys::RecordType::kApproval)) {
    KC_ASSIGN(const auto stored, wire::Decode<StoredApproval>(record.body));
    if (call.now >= stored.approval.expires) continue;
    reply.approvals.push_back({stored.approval, SignersOf(stored.authority), stored.at});
  }
  return reply;
}

ReplyOf<Op::kRevoke> Revoke(Call& call, const wire::RevokeRequest& request,
                            const AuthorizedToken& proof) {
  KC_CHECK_OK(CheckRevocation(call, request));
  const keys::Token& token = proof.token();
  if (call.service.store.TokenRecords(token.id, keys::RecordType::kRevocation).size() >=
      kMaxRecords)
    return Fail(Code::kTooLarge, "a token has at most 1024 revocations: lift some");
  StoredRevocation stored{request, call.now, std::nullopt};
  if (call.authority) stored.authority = call.authority->signed_request;
  const auto id = RandomArray<16>();
  KC_CHECK_OK(call.service.store.ChangeTokenRecords(
      token.id, {{keys::RecordType::kRevocation, id, wire::Encode(stored)}}));
  call.audit_fields = {{"token", token.Serial()},
                       {"revocation", ToHex(id)},
                       {"revoked", request.object ? ToHex(*request.object) : *request.whom},
                       {"reason", request.reason}};
  return wire::RevokeReply{id};
}

ReplyOf<Op::kListRevocations> ListRevocations(Call& call,
                                              const wire::ListRevocationsRequest& request,
                                              const InspectedToken& /*proof*/) {
  wire::ListRevocationsReply reply;
  for (const auto& record :
       call.service.store.TokenRecords(request.token, keys::RecordType::kRevocation)) {
    KC_ASSIGN(const auto stored, wire::Decode<StoredRevocation>(record.body));
    wire::RevocationInfo info{record.id, stored.revocation, {}, stored.at};
    if (stored.authority) info.by = SignersOf(*stored.authority);
    reply.revocations.push_back(std::move(info));
  }
  return reply;
}

// What widens needs as many owners as whatever else could widen as much.
ReplyOf<Op::kLiftRevocation> LiftRevocation(Call& call, const wire::LiftRevocationRequest& request,
                                            const AuthorizedToken& proof) {
  const keys::Token& token = proof.token();
  KC_CHECK_OK(RequireHighestQuorum(call, token));
  const auto records = call.service.store.TokenRecords(token.id, keys::RecordType::kRevocation);
  const auto found =
      std::find_if(records.begin(), records.end(),
                   [&](const keys::TokenRecord& record) { return record.id == request.id; });
  if (found == records.end()) return Fail(Code::kNotFound, "no such revocation");
  KC_CHECK_OK(call.service.store.ChangeTokenRecords(token.id, {}, {*found}));
  call.audit_fields = {{"token", token.Serial()}, {"lifted", ToHex(request.id)}};
  return wire::Empty{};
}

}  // namespace keyclave::ops
