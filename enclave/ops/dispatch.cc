#include "enclave/ops/dispatch.h"

#include "enclave/base/log.h"
#include "enclave/ops/audit_fields.h"
#include "enclave/ops/handlers.h"
#include "enclave/ops/reply_batch.h"
#include "enclave/wire/pace.h"

namespace keyclave::ops {
namespace {

constexpr int kMaxTries = 8;  // each but the first follows somebody else's change

template <wire::Op op, class Permission, auto handler>
Result<Bytes> EnforceAndHandle(Call& call, ByteSpan fields) {
  KC_ASSIGN(const auto request, wire::OpCodec<op>::DecodeRequest(fields));
  for (int tries = 1;; ++tries) {
    KC_ASSIGN(const typename Permission::Proof proof, Permission::Enforce(call, request));
    const auto reply = handler(call, request, proof);
    if (reply.ok()) return wire::OpCodec<op>::EncodeReply(*reply);
    // What it was permitted for is another by now: from the beginning.
    if (reply.code() != Code::kObjectChanged || tries == kMaxTries) return reply.error();
  }
}

template <wire::Op op, class Permission, auto handler>
constexpr Row MakeRow(AuditClass audit, SessionNeed need = SessionNeed::kHello) {
  // Members that have parted still tell each other so; marks of others are no part of the store.
  constexpr bool kTouchesObjects =
      !std::is_same_v<Permission, Anyone> && !std::is_same_v<Permission, OperatorOnly> &&
      !std::is_same_v<Permission, AttestedCaller> && !std::is_same_v<Permission, MarkKeeper>;
  return {op,
          need,
          audit,
          kTouchesObjects,
          /*for_relayed=*/false,
          &EnforceAndHandle<op, Permission, handler>};
}

// Every other row refuses a caller that relays another's evidence.
constexpr Row ForRelayedToo(Row row) {
  row.for_relayed = true;
  return row;
}

constexpr auto kNone = AuditClass::kNone;
constexpr auto kChange = AuditClass::kChange;
constexpr auto kRelease = AuditClass::kRelease;
using authz::Operation;

constexpr Row kTable[] = {
    ForRelayedToo(MakeRow<Op::kHello, Anyone, Hello>(kNone, SessionNeed::kNothing)),
    ForRelayedToo(MakeRow<Op::kAttest, Anyone, Attest>(kNone)),
    MakeRow<Op::kStatus, Anyone, ReportStatus>(kNone),
    MakeRow<Op::kDrain, OperatorOnly, SetDrain>(kChange),

    MakeRow<Op::kListTokens, Anyone, ListTokens>(kNone),
    MakeRow<Op::kCreateToken, OperatorOnly, CreateToken>(kChange),
    MakeRow<Op::kInitToken, InitialiseToken, InitToken>(kChange),
    MakeRow<Op::kInitPin, SecurityOfficer, InitPin>(kChange),
    MakeRow<Op::kSetPin, SeeToken, SetPin>(kChange),
    MakeRow<Op::kLogin, SeeToken, Login>(kChange),
    MakeRow<Op::kLogout, SeeToken, Logout>(kNone),
    MakeRow<Op::kReauthenticate, SeeObject, Reauthenticate>(kNone),
    MakeRow<Op::kDeleteToken, OwnersOf, DeleteToken>(kChange),

    MakeRow<Op::kFindObjects, SeeToken, FindObjects>(kNone),
    MakeRow<Op::kCreateObject, CreateIn, CreateObject>(kChange),
    MakeRow<Op::kCopyObject, ChangeObject, CopyObject>(kChange),
    MakeRow<Op::kKeepObjects, CreateIn, KeepObjects>(kChange),
    MakeRow<Op::kDestroyObject, ChangeObject, DestroyObject>(kChange),
    MakeRow<Op::kSetAttributes, ChangeObject, SetAttributes>(kChange),
    MakeRow<Op::kGetObject, SeeObject, GetObject>(kNone),
    MakeRow<Op::kGenerateKey, CreateIn, GenerateKey>(kChange),
    MakeRow<Op::kGenerateKeyPair, CreateIn, GenerateKeyPair>(kChange),
    MakeRow<Op::kImportKey, CreateIn, ImportKey>(kChange),
    MakeRow<Op::kCertify, ChangeObject, Certify>(kChange),
    MakeRow<Op::kAttestKey, SeeObject, AttestKey>(kNone),

    MakeRow<Op::kSign, Use<Operation::kSign>, Sign>(kNone),
    MakeRow<Op::kVerify, Use<Operation::kVerify>, Verify>(kNone),
    MakeRow<Op::kEncrypt, Use<Operation::kEncrypt>, Encrypt>(kNone),
    MakeRow<Op::kDecrypt, Use<Operation::kDecrypt>, Decrypt>(kNone),
    MakeRow<Op::kWrapKey, Use<Operation::kWrap>, WrapKey>(kRelease),
    ForRelayedToo(MakeRow<Op::kRelease, ReleaseTo, Release>(kNone)),
    MakeRow<Op::kIssueCertificate, IssueUnder, IssueCertificate>(kNone),
    MakeRow<Op::kUnwrapKey, Use<Operation::kUnwrap>, UnwrapKey>(kChange),
    MakeRow<Op::kDeriveKey, Use<Operation::kDerive>, DeriveKey>(kChange),
    MakeRow<Op::kEncapsulateKey, Use<Operation::kEncapsulate>, EncapsulateKey>(kChange),
    MakeRow<Op::kDecapsulateKey, Use<Operation::kDecapsulate>, DecapsulateKey>(kChange),
    MakeRow<Op::kSignRecover, Use<Operation::kSign>, SignRecover>(kNone),
    MakeRow<Op::kVerifyRecover, Use<Operation::kVerify>, VerifyRecover>(kNone),
    MakeRow<Op::kDigest, Anyone, Digest>(kNone),
    MakeRow<Op::kRandom, Anyone, Random>(kNone),
    MakeRow<Op::kListMechanisms, Anyone, ListMechanisms>(kNone),

    MakeRow<Op::kApplyPolicy, ManageToken, ApplyPolicy>(kChange),
    MakeRow<Op::kListPolicies, InspectToken, ListPolicies>(kNone),
    MakeRow<Op::kShowPolicy, InspectToken, ShowPolicy>(kNone),
    MakeRow<Op::kExplain, ExplainObject, ExplainDenial>(kNone),
    MakeRow<Op::kReadAudit, AuditReader, ReadAudit>(kNone),
    MakeRow<Op::kAuditHead, AuditReader, AuditHead>(kNone),

    MakeRow<Op::kAdminister, Anyone, Administer>(kNone),
    MakeRow<Op::kOwnerLogin, SignedBySomebody, OwnerLogin>(kChange),
    MakeRow<Op::kListOwners, SeeToken, ListOwners>(kNone),
    MakeRow<Op::kSetOwner, OwnersOf, SetOwner>(kChange),
    MakeRow<Op::kRemoveOwner, OwnersOf, RemoveOwner>(kChange),

    MakeRow<Op::kApplySet, OwnersOf, ApplySet>(kChange),
    MakeRow<Op::kListSets, InspectToken, ListSets>(kNone),
    MakeRow<Op::kShowSet, InspectToken, ShowSet>(kNone),
    MakeRow<Op::kReadHistory, InspectToken, ReadHistory>(kNone),
    MakeRow<Op::kApprove, OwnersOf, Approve>(kChange),
    MakeRow<Op::kListApprovals, InspectToken, ListApprovals>(kNone),
    MakeRow<Op::kRevoke, OwnersOf, Revoke>(kChange),
    MakeRow<Op::kListRevocations, InspectToken, ListRevocations>(kNone),
    MakeRow<Op::kLiftRevocation, OwnersOf, LiftRevocation>(kChange),

    MakeRow<Op::kCheckStore, OperatorOnly, CheckStore>(kNone),
    MakeRow<Op::kCompactStore, OperatorOnly, CompactStore>(kChange),
    MakeRow<Op::kBeginBackup, OperatorOnly, BeginBackup>(kChange),
    MakeRow<Op::kReadBackup, OperatorOnly, ReadBackup>(kNone),
    MakeRow<Op::kCheckBackup, OperatorOnly, CheckBackup>(kNone),
    MakeRow<Op::kRestoreStatus, Anyone, RestoreStatus>(kNone),
    MakeRow<Op::kGiveRecoveryShare, Anyone, GiveRecoveryShare>(kNone),
    MakeRow<Op::kKeepMark, MarkKeeper, KeepMark>(kNone),
    MakeRow<Op::kCompareMarks, AttestedCaller, CompareMarks>(kNone),
    MakeRow<Op::kFoundFleet, OperatorOnly, FoundFleet>(kChange),
    MakeRow<Op::kJoinFleet, JoinTheFleet, JoinFleet>(kRelease),
    MakeRow<Op::kListMembers, AuditReader, ListMembers>(kNone),
    MakeRow<Op::kRequireVersion, OwnersOf, RequireVersion>(kChange),
    MakeRow<Op::kRemoveMember, OwnersOf, RemoveMember>(kChange),
};

bool IsOperator(const config::DaemonConfig& config, const session::Peer& peer) {
  return peer.is_unix && std::find(config.operators.begin(), config.operators.end(), peer.uid) !=
                             config.operators.end();
}

Call CallOf(Service& service, session::Connection& connection) {
  const UnixTime now = service.clock.Now();
  connection.session->ExpireEvidence(now);  // a request that waited may have outlived it
  return {service, connection, *connection.session, {}, now};
}

std::string Signers(const Call& call) {
  std::string names;
  for (const wire::OwnerSignature& signature : call.authority->signed_request.signatures)
    names.append(names.empty() ? "" : ", ").append(signature.owner);
  return names;
}

Status AuditSuccess(Call& call, AuditClass audit) {
  std::vector<audit::Field> fields = {{"operation", std::string(wire::OpName(call.op))}};
  fields.insert(fields.end(), call.audit_fields.begin(), call.audit_fields.end());
  if (call.authority) fields.push_back({"signed_by", Signers(call)});
  AddCaller(call, fields);
  return call.service.audit.Write(audit == AuditClass::kRelease ? "release" : "change", fields);
}

}  // namespace

const Row* FindRow(wire::Op op) {
  static_assert(std::size(kTable) < 128);
  const auto* found = std::find_if(std::begin(kTable), std::end(kTable),
                                   [&](const Row& row) { return row.op == op; });
  return found == std::end(kTable) ? nullptr : found;
}

Result<Bytes> Dispatcher::Run(Call& call, const wire::RequestBody& body) {
  const Row* row = FindRow(body.op);
  if (row == nullptr) return Fail(Code::kUnknownOperation);
  if (row->need == SessionNeed::kHello && !call.connection.hello_done)
    return Fail(Code::kWrongState, "Hello comes first");
  const uint64_t limit = service_.config.limits.requests_per_session;
  if (limit != 0 && call.session.requests.fetch_add(1, std::memory_order_relaxed) >= limit) {
    return Fail(Code::kSessionLimit);
  }
  service_.counts.by_op[static_cast<size_t>(body.op)].fetch_add(1, std::memory_order_relaxed);
  return RunRow(call, *row, body.fields);
}

Result<Bytes> RunRow(Call& call, const Row& row, ByteSpan fields) {
  if (call.identity->is_relayed && !row.for_relayed)
    return Fail(Code::kDenied, "not for whoever relays evidence");
  // Whoever was cut off for long may have missed a revocation; who was removed gets none any more.
  if (row.touches_objects && call.service.fleet != nullptr)
    KC_CHECK_OK(call.service.fleet->MayServe());
  // What cannot be recorded is not done.
  if (row.audit != AuditClass::kNone) KC_CHECK_OK(call.service.audit.EnsureRoom());
  auto reply = row.run(call, fields);
  if (reply.ok() && row.audit != AuditClass::kNone) KC_CHECK_OK(AuditSuccess(call, row.audit));
  return reply;
}

Bytes Dispatcher::Handle(session::Connection& connection, const wire::Frame& request) {
  Call call = CallOf(service_, connection);
  return Answer(call, request);
}

std::optional<Bytes> Dispatcher::HandleOrJoin(session::Connection& connection,
                                              const wire::Frame& request, server::Batch& batch,
                                              uint64_t number) {
  auto& replies = static_cast<ReplyBatch&>(batch);  // NewBatch's
  Call call = CallOf(service_, connection);
  call.batch = &replies.signatures();
  Bytes reply = Answer(call, request);
  if (!call.joined) return reply;
  replies.Expect({*call.joined, number, request.id, call.is_operator});
  return std::nullopt;
}

std::unique_ptr<server::Batch> Dispatcher::NewBatch() {
  return std::make_unique<ReplyBatch>(service_);
}

Bytes Dispatcher::Answer(Call& call, const wire::Frame& request) {
  const session::Connection& connection = call.connection;
  call.is_operator = IsOperator(service_.config, connection.peer);
  const auto body = wire::ParseRequest(request.body);
  if (!body.ok())
    return wire::BuildErrorReply(request.id, service_.store.epoch(), body.code(),
                                 body.error().detail());
  call.op = body->op;
  auto reply = Run(call, *body);
  const uint64_t epoch = service_.store.epoch();
  if (reply.ok()) return wire::BuildReply(request.id, epoch, *reply);
  const Error& error = reply.error();
  if (LogEnabled(LogLevel::kDebug)) {
    Log(LogLevel::kDebug, std::string(wire::OpName(call.op)) + " for " + CallerName(call) + ": " +
                              error.Text() + " (" + error.file() + ":" +
                              std::to_string(error.line()) + ")");
  }
  return wire::BuildErrorReply(request.id, epoch, error.code(),
                               call.is_operator ? error.detail() : "");
}

bool Dispatcher::IsSlow(const wire::Frame& request) const {
  const auto body = wire::ParseRequest(request.body);
  if (!body.ok()) return false;
  if (wire::TakesLong(body->op)) return true;
  // What a fleet's members share is written over the network.
  const Row* row = service_.fleet == nullptr ? nullptr : FindRow(body->op);
  return row != nullptr && row->audit == AuditClass::kChange;
}

}  // namespace keyclave::ops
