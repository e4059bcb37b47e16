// Requests that owners signed: who signed what is found out here, and nowhere else.

#include "enclave/authz/owner_key.h"
#include "enclave/ops/dispatch.h"
#include "enclave/ops/handlers.h"

namespace keyclave::ops {
namespace {

constexpr int64_t kMaxLifetime = int64_t{90} * 24 * 3600;  // seconds

// Operations that mean nothing, or something else, under a signature.
bool IsSignable(const Row& row) {
  if (row.op == Op::kOwnerLogin || row.op == Op::kApprove) return true;
  return row.audit == AuditClass::kChange && row.op != Op::kLogin && row.op != Op::kSetPin &&
         row.op != Op::kInitPin;
}

Status CheckStatement(const Call& call, const wire::Statement& statement) {
  if (statement.label != wire::kStatementLabel)
    return Fail(Code::kStatementInvalid, "it is no statement");
  if (statement.enclave_id != call.service.store.enclave_id())
    return Fail(Code::kStatementInvalid, "it is for enclave " + statement.enclave_id);
  if (call.now >= statement.expires)
    return Fail(Code::kStatementExpired, FormatTime(statement.expires));
  if (statement.expires - call.now > kMaxLifetime)
    return Fail(Code::kStatementInvalid, "it is for more than 90 days");
  return Done{};
}

struct Signers {
  std::set<std::string, std::less<>> owners;
  std::optional<wire::Owner> first;
};

// Every signature must be good, and of a name of its own: what is not understood is not passed
// over.
Result<Signers> VerifySignatures(const keys::Token& token, const wire::AdministerRequest& request) {
  if (request.signatures.empty() || request.signatures.size() > authz::kMaxOwners)
    return Fail(Code::kStatementInvalid, "wanted 1 to 64 signatures");
  Signers signers;
  std::set<std::string, std::less<>> names;
  for (const wire::OwnerSignature& signature : request.signatures) {
    const wire::Owner* owner = token.FindOwner(signature.owner);
    if (owner == nullptr) return Fail(Code::kOwnerUnknown, signature.owner);
    if (!names.insert(signature.owner).second)
      return Fail(Code::kStatementInvalid, signature.owner + " signed twice");
    KC_CHECK_OK(authz::VerifyOwnerSignature(owner->spki, request.statement, signature.signature));
    if (owner->role == wire::OwnerRole::kOwner) signers.owners.insert(signature.owner);
    if (!signers.first) signers.first = *owner;
  }
  return signers;
}

// A login names its session and nothing else could replay it; everything else uses up a number.
Status UseSequence(const Call& call, const wire::Statement& statement) {
  if (static_cast<Op>(statement.op) != Op::kOwnerLogin)
    return call.service.store.AdvanceSequence(statement.token, statement.sequence);
  if (statement.sequence == 0) return Done{};
  return Fail(Code::kStatementInvalid, "a login has no sequence number");
}

Result<Bytes> CarryOut(Call& call, const wire::AdministerRequest& request) {
  KC_ASSIGN(const auto statement, wire::Decode<wire::Statement>(request.statement));
  KC_CHECK_OK(CheckStatement(call, statement));
  const auto token = call.service.store.FindToken(statement.token);
  if (!token.ok()) return Fail(Code::kStatementInvalid, "it is for a token that is not here");
  KC_ASSIGN(const Signers signers, VerifySignatures(*token, request));
  const Row* row = wire::IsKnownOp(statement.op) ? FindRow(static_cast<Op>(statement.op)) : nullptr;
  if (row == nullptr || !IsSignable(*row))
    return Fail(Code::kStatementInvalid, "its operation is none that owners sign");
  call.op = row->op;
  call.authority = Authority{statement.token, signers.owners, request};
  call.signer = signers.first;
  KC_CHECK_OK(UseSequence(call, statement));
  return RunRow(call, *row, statement.request);
}

// What owners signed and was refused is worth knowing, too.
Error Refused(Call& call, const wire::AdministerRequest& request, Error error) {
  std::string names;
  for (const wire::OwnerSignature& signature : request.signatures)
    names.append(names.empty() ? "" : ", ").append(signature.owner.substr(0, 64));
  const Status written = call.service.audit.Write(
      "statement-refused", {{"operation", std::string(wire::OpName(call.op))},
                            {"signed_by", names},
                            {"code", std::string(CodeName(error.code()))},
                            {"caller", CallerName(call)}});
  if (!written.ok()) return written.error();
  return error;
}

}  // namespace

ReplyOf<Op::kAdminister> Administer(Call& call, const wire::AdministerRequest& request,
                                    const Anyone::Proof& /*proof*/) {
  if (call.authority) return Fail(Code::kStatementInvalid, "a statement within a statement");
  auto reply = CarryOut(call, request);
  if (!reply.ok() && call.authority) return Refused(call, request, std::move(reply).error());
  if (!reply.ok()) return std::move(reply).error();
  return wire::AdministerReply{*std::move(reply)};
}

ReplyOf<Op::kOwnerLogin> OwnerLogin(Call& call, const wire::OwnerLoginRequest& request,
                                    const SignedBySomebody::Proof& proof) {
  const bool ours = request.token == call.authority->token &&
                    request.tls_key == call.connection.peer.tls_key &&
                    request.session == call.session.id();
  if (!ours) return Fail(Code::kStatementInvalid, "the login is another session's");
  if (call.authority->signed_request.signatures.size() != 1)
    return Fail(Code::kStatementInvalid, "one logs in alone");
  call.session.SetRole(request.token, proof.signer().name, proof.signer().role);
  call.audit_fields = {{"token", ToHex(request.token)}, {"owner", proof.signer().name}};
  return wire::Empty{};
}

}  // namespace keyclave::ops
