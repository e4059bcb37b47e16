#include "enclave/client/client.h"

#include "enclave/client/state.h"
#include "enclave/wire/pace.h"

namespace keyclave::client {
namespace {

// Whether executing a request twice does no more than executing it once. No default: a new
// operation must be thought about.
bool IsRepeatable(wire::Op op) {
  using wire::Op;
  switch (op) {
    case Op::kHello:
    case Op::kStatus:
    case Op::kDrain:
    case Op::kListTokens:
    case Op::kFindObjects:
    case Op::kGetObject:
    case Op::kCertify:
    case Op::kAttestKey:
    case Op::kSign:
    case Op::kVerify:
    case Op::kEncrypt:
    case Op::kDecrypt:
    case Op::kWrapKey:
    case Op::kSignRecover:
    case Op::kVerifyRecover:
    case Op::kDigest:
    case Op::kRandom:
    case Op::kListMechanisms:
    case Op::kListPolicies:
    case Op::kShowPolicy:
    case Op::kExplain:
    case Op::kListOwners:
    case Op::kListSets:
    case Op::kShowSet:
    case Op::kReadHistory:
    case Op::kListApprovals:
    case Op::kListRevocations:
    case Op::kReadAudit:
    case Op::kCheckStore:
    case Op::kAuditHead:
    case Op::kRestoreStatus:
    case Op::kGiveRecoveryShare:
    case Op::kKeepMark:
    case Op::kCompareMarks:
    case Op::kListMembers: return true;
    case Op::kAttest:
    case Op::kCreateToken:
    case Op::kInitToken:
    case Op::kInitPin:
    case Op::kSetPin:
    case Op::kLogin:
    case Op::kLogout:
    case Op::kReauthenticate:
    case Op::kDeleteToken:
    case Op::kCreateObject:
    case Op::kCopyObject:
    case Op::kKeepObjects:
    case Op::kDestroyObject:
    case Op::kSetAttributes:
    case Op::kGenerateKey:
    case Op::kGenerateKeyPair:
    case Op::kImportKey:
    case Op::kRelease:
    case Op::kIssueCertificate:
    case Op::kUnwrapKey:
    case Op::kDeriveKey:
    case Op::kEncapsulateKey:
    case Op::kDecapsulateKey:
    case Op::kApplyPolicy:
    case Op::kAdminister:
    case Op::kOwnerLogin:
    case Op::kSetOwner:
    case Op::kRemoveOwner:
    case Op::kApplySet:
    case Op::kApprove:
    case Op::kRevoke:
    case Op::kLiftRevocation:
    case Op::kCompactStore:
    case Op::kBeginBackup:
    case Op::kReadBackup:
    case Op::kCheckBackup:
    case Op::kRequireVersion:
    case Op::kFoundFleet:
    case Op::kJoinFleet:
    case Op::kRemoveMember: return false;
  }
  return false;
}

bool WantsEvidence(uint64_t code) {
  return code == static_cast<uint64_t>(Code::kEvidenceExpired) ||
         code == static_cast<uint64_t>(Code::kUnknownSession) ||
         code == static_cast<uint64_t>(Code::kNotAttested);
}

// The claims that the enclave at the other end of a channel proved, against a pinned measurement.
Status CheckMeasurement(const std::shared_ptr<const attest::ClaimSet>& claims,
                        const std::string& wanted) {
  const attest::Claim* claim = claims == nullptr ? nullptr : claims->Find("measurement");
  const std::string got = claim == nullptr ? "none" : attest::ToText(claim->value);
  if (got == wanted) return Done{};
  return FailWanted(Code::kEnclaveRefused, "the pinned measurement of the enclave", wanted, got);
}

}  // namespace

// One call of CallRaw: what was tried already. Each remedy is tried once.
struct Client::Attempt {
  wire::Op op{};
  const Bytes& fields;
  Deadline deadline;
  const std::string& measurement;
  bool makes = false;       // objects, perhaps of the session
  uint64_t newer_than = 0;  // the connections that were there when one broke
  bool renewed = false;
  bool restored = false;
};

Client::Making::Making(const Client& client)
    : state_(client.config_.IsFleet() ? &client.Current() : nullptr) {
  if (state_ != nullptr) state_->BeginMaking();
}

Client::Making::~Making() {
  if (state_ != nullptr) state_->EndMaking();
}

Client::Client(ClientConfig config) : config_(std::move(config)) {}

Client::~Client() {
  State* state = state_.load();
  if (state == nullptr) return;
  if (state->IsOfThisProcess()) {
    delete state;
  } else {
    // A fork that never called: the parent's threads may have been anywhere in this state.
    state->CloseInherited();
  }
}

Client::State& Client::Current() const {
  State* state = state_.load();
  if (state != nullptr && state->IsOfThisProcess()) return *state;
  auto fresh = std::make_unique<State>(config_, state);
  if (!state_.compare_exchange_strong(state, fresh.get())) return *state;  // another thread did
  if (state != nullptr) state->CloseInherited();
  return *fresh.release();
}

// nullopt: a remedy was applied, try again.
Result<std::optional<Bytes>> Client::Try(State& state, Attempt& attempt) {
  const ChannelPool::Wish wish{.alone = wire::TakesLong(attempt.op),
                               .once = !IsRepeatable(attempt.op),
                               .newer_than = attempt.newer_than};
  KC_ASSIGN(State::Lease lease, state.Take(wish, attempt.deadline, attempt.makes));
  // A connection that turns out dead: a newer one, once, if the request cannot have done anything
  // or may do it again.
  const auto lost = [&](const Error& error, bool may_have_run) -> Result<std::optional<Bytes>> {
    const bool hope = state.GiveUp(lease, error, attempt.deadline);
    const bool harmless = !may_have_run || IsRepeatable(attempt.op);
    if (!hope || !harmless || attempt.newer_than != 0) return error;
    attempt.newer_than = state.newest();
    return std::optional<Bytes>();
  };
  const Deadline patience =
      attempt.newer_than == 0 ? state.Patience(attempt.deadline) : attempt.deadline;
  const Status fresh = state.RenewIfDue(lease, patience);
  if (!fresh.ok()) return lost(fresh.error(), false);
  if (!attempt.measurement.empty())
    KC_CHECK_OK(CheckMeasurement(state.ClaimsOf(lease.channel()), attempt.measurement));
  const Deadline until = wish.once || wish.alone ? attempt.deadline : patience;
  bool may_have_run = false;
  auto reply = state.Exchange(lease, attempt.op, attempt.fields, until, may_have_run);
  if (!reply.ok()) return lost(reply.error(), may_have_run);
  state.Saw(lease, *reply);
  if (reply->code == 0) return std::optional<Bytes>(std::move(reply->fields));
  // A member that is cut off from the others, or was removed, does nothing: they may.
  const bool is_out = reply->code == static_cast<uint64_t>(Code::kFleetStale) ||
                      reply->code == static_cast<uint64_t>(Code::kFleetRemoved) ||
                      reply->code == static_cast<uint64_t>(Code::kStoreForked);
  if (is_out && config_.IsFleet()) return lost(ReplyError(*reply), /*may_have_run=*/false);

  if (WantsEvidence(reply->code) && !attempt.renewed && !config_.evidence_type.empty()) {
    attempt.renewed = true;
    const Status renewed = state.Renew(lease, attempt.deadline);
    if (!renewed.ok()) return lost(renewed.error(), false);
    return std::optional<Bytes>();
  }
  if (reply->code == static_cast<uint64_t>(Code::kNotLoggedIn) && !attempt.restored) {
    attempt.restored = true;
    const auto restored = state.RestoreLogins(lease.channel(), attempt.deadline);
    if (!restored.ok()) return lost(restored.error(), false);
    if (*restored) return std::optional<Bytes>();
  }
  return ReplyError(*reply);
}

Result<Bytes> Client::CallRaw(wire::Op op, Bytes fields, const std::string& measurement,
                              bool makes) {
  State& state = Current();
  Attempt attempt{
      .op = op,
      .fields = fields,
      .deadline = std::chrono::steady_clock::now() + config_.deadline * wire::OpDeadlineFactor(op),
      .measurement = measurement,
      .makes = makes};
  for (;;) {
    KC_ASSIGN(std::optional<Bytes> reply, Try(state, attempt));
    if (reply.has_value()) return *std::move(reply);
  }
}

void Client::NoteObject(const wire::ObjectInfo& object) {
  if (config_.IsFleet()) Current().NoteObject(object);
}

void Client::ForgetObject(const wire::ObjectRef& object) {
  if (config_.IsFleet()) Current().ForgetObject(object);
}

uint64_t Client::epoch() const { return Current().epoch(); }
uint64_t Client::generation() const { return Current().generation(); }
ClientStats Client::stats() const { return Current().stats(); }

Status Client::Login(const wire::TokenId& token, wire::LoginState user, SecretBytes pin) {
  wire::LoginRequest request;
  request.token = token;
  request.user = user;
  request.pin = std::move(pin);
  KC_ASSIGN(wire::LoginReply reply, Call<wire::Op::kLogin>(request));
  Current().KeepLogin(token, {.user = user, .ticket = std::move(reply.ticket)});
  return Done{};
}

// Forgotten first: a connection that is opened meanwhile must not log in again. If it leads to
// another session, there is nothing to end any more.
Status Client::Logout(const wire::TokenId& token) {
  const bool was_in = Current().ForgetLogin(token);
  const auto done = Call<wire::Op::kLogout>(wire::LogoutRequest{token});
  if (done.ok() || (was_in && done.code() == Code::kNotLoggedIn)) return Done{};
  return done.error();
}

Result<SessionId> Client::Session() {
  const Deadline deadline = std::chrono::steady_clock::now() + config_.deadline;
  State& state = Current();
  KC_ASSIGN(State::Lease lease, state.Take({}, deadline));
  return state.SessionOf(lease.channel());
}

Result<attest::ClaimSet> Client::EnclaveClaims() {
  const Deadline deadline = std::chrono::steady_clock::now() + config_.deadline;
  State& state = Current();
  KC_ASSIGN(State::Lease lease, state.Take({}, deadline));
  const auto claims = state.ClaimsOf(lease.channel());
  if (claims == nullptr) return Fail(Code::kInternal, "a channel without the enclave's claims");
  return *claims;
}

}  // namespace keyclave::client
