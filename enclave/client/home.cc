// The part of the client's state that opens channels: to which member of the fleet, what both ends
// prove there, and when the whole process moves.
#include "enclave/base/hash.h"
#include "enclave/client/state.h"

namespace keyclave::client {
namespace {

constexpr std::chrono::hours kAppraisalLifetime(1);
constexpr std::chrono::milliseconds kLeastShare(500);  // enough for a handshake with slow evidence
constexpr std::chrono::seconds kScoutTime(1);          // for a handshake that nobody waits for
// Of a member that is drained, or has all the callers that it may have.
constexpr Code kTakesNoMore = Code::kTooManyConnections;
constexpr size_t kToldFailures = 4;  // more than that nobody reads

Deadline Now() { return std::chrono::steady_clock::now(); }

// So that one member that does not answer leaves time for those that are still to be tried.
Deadline ShareOf(Deadline deadline, size_t to_try) {
  const Deadline now = Now();
  if (to_try <= 1 || now >= deadline) return deadline;
  const auto share = (deadline - now) / static_cast<int64_t>(to_try);
  return std::min(deadline, now + std::max<Deadline::duration>(share, kLeastShare));
}

// What no other member could mend.
bool IsOurOwn(Code code) {
  return code == Code::kOutOfMemory || code == Code::kEvidenceUnavailable;
}

// Why no member could be had: the code of the first that was there and refused, if one was.
class Failures {
 public:
  void Add(const Endpoint& endpoint, const Error& error) {
    if (!code_.has_value() || *code_ == Code::kUnreachable) code_ = error.code();
    if (++count_ > kToldFailures) return;
    const std::string where = endpoint.Text();
    const std::string why = error.Text();
    text_.append(text_.empty() ? "" : "; ");
    text_.append(why.find(where) == std::string::npos ? where + ": " + why : why);
  }
  Error Sum() const {
    const std::string more =
        count_ > kToldFailures ? "; and " + std::to_string(count_ - kToldFailures) + " more" : "";
    return Fail(code_.value_or(Code::kDeadline), text_ + more);
  }

 private:
  std::optional<Code> code_;
  std::string text_;
  size_t count_ = 0;
};

}  // namespace

// Members that take no more callers are tried once more when nobody else is there: until it ends, a
// drained one does all that is asked of it.
Result<std::shared_ptr<Channel>> Client::State::OpenProven(Deadline deadline) {
  if (identity_ == nullptr) {
    KC_ASSIGN(identity_, wire::TlsIdentity::Create());
  }
  const bool stay = HoldsSessionObjects();
  std::vector<size_t> to_try = fleet_.Order(Now(), stay);
  const size_t members = to_try.size();
  Failures failures;
  for (size_t i = 0; i < to_try.size() && (i == 0 || Now() < deadline); ++i) {
    const size_t member = to_try[i];
    const bool accept = i >= members || (stay && i == 0);
    auto channel = OpenAt(member, accept ? Drained::kAccept : Drained::kRefuse,
                          ShareOf(deadline, to_try.size() - i));
    if (channel.ok()) {
      MoveTo(**channel);
      return channel;
    }
    if (!fleet_.has_choice() || IsOurOwn(channel.code())) return channel;
    if (channel.code() == kTakesNoMore && !accept) {
      fleet_.Drains(member, Now());
      to_try.push_back(member);
      continue;
    }
    fleet_.Failed(member, Now());
    // While there are other connections to it, it lives, and has what is this session's.
    if (stay && i == 0 && channel.code() != Code::kDeadline && !pool_.empty()) return channel;
    failures.Add(config_.endpoints[member], channel.error());
  }
  return failures.Sum();
}

Result<std::shared_ptr<Channel>> Client::State::OpenAt(size_t member, Drained drained,
                                                       Deadline deadline) {
  KC_ASSIGN(std::shared_ptr<Channel> channel,
            Channel::Open(config_, member, identity_, fds_, deadline));
  connections_.fetch_add(1, std::memory_order_relaxed);
  KC_CHECK_OK(ProveBoth(*channel, Prove::kIfNeeded, drained, deadline));
  return channel;
}

Status Client::State::CheckMember(const wire::HelloReply& hello, Drained drained) const {
  if (drained == Drained::kRefuse && hello.draining.value_or(false))
    return Fail(kTakesNoMore, "it is being drained");
  // Keys, logins and session objects would not be the same there.
  if (fleet_.has_choice() && !fleet_id_.empty() && hello.enclave_id != fleet_id_)
    return FailWanted(Code::kEnclaveRefused, "enclave", fleet_id_, hello.enclave_id);
  return Done{};
}

Status Client::State::ProveBoth(Channel& channel, Prove prove, Drained drained, Deadline deadline) {
  Enclave enclave = KnownOf(channel);
  const bool appraise = prove == Prove::kAnew || Now() >= enclave.appraised_until;
  wire::HelloRequest request{.nonce = RandomArray<32>(), .want_evidence = appraise};
  if (fleet_.has_choice()) request.can_move = true;
  KC_ASSIGN(const wire::HelloReply hello, SayHello(channel, request, deadline));
  KC_CHECK_OK(CheckMember(hello, drained));
  const UnixTime now = SystemClock().Now();
  if (appraise) {
    KC_ASSIGN(const attest::Appraised appraised,
              AppraiseEnclave(config_, channel, request.nonce, hello, now));
    enclave.claims = std::make_shared<const attest::ClaimSet>(appraised.claims());
    enclave.appraised_until = Now() + kAppraisalLifetime;
  }
  uint64_t seconds = hello.session_seconds;
  if (!config_.evidence_type.empty() && (prove == Prove::kAnew || seconds == 0)) {
    attestations_.fetch_add(1, std::memory_order_relaxed);
    KC_ASSIGN(const wire::AttestReply reply, ProveSelf(config_, channel, hello, now, deadline));
    seconds = reply.session_seconds;
    ++enclave.evidence;
  }
  const std::chrono::seconds life(std::min<uint64_t>(seconds, INT32_MAX));
  enclave.id = hello.enclave_id;
  enclave.session = hello.session;
  enclave.session_until = Now() + life;
  enclave.renew_at = enclave.session_until - std::min(config_.renew_before, life / 2);
  enclave.draining = hello.draining.value_or(false);
  const bool is_new = Learn(channel, std::move(enclave));
  const bool comes_back = !is_new && prove == Prove::kIfNeeded && !IsAtHome(channel);
  if (comes_back) KC_CHECK_OK(EndLogins(channel, deadline));
  if (is_new || comes_back) KC_CHECK_OK(RestoreLogins(channel, deadline));
  return Done{};
}

// The channel is the next one to be used: where it leads is home.
void Client::State::MoveTo(const Channel& channel) {
  Settle(channel);
  const Enclave enclave = KnownOf(channel);
  if (fleet_id_.empty()) fleet_id_ = enclave.id;
  if (fleet_.Settle(channel.member())) {
    moves_.fetch_add(1, std::memory_order_relaxed);
    pool_.Retire();
  }
  if (enclave.draining) fleet_.Drains(channel.member(), Now());
}

// Towards a better home, a step with each request, while the present one serves: who asks for
// something does not wait for a member that may not answer. When the other end has finished its TLS
// handshake it is alive, and the rest is done at once.
void Client::State::Roam(bool makes, Deadline deadline) {
  const bool others_make = makers_.load() > (makes ? 1U : 0U);
  if (others_make || HoldsSessionObjects() || !pool_.TryTurn()) return;
  const Turn turn(pool_);
  const Deadline now = Now();
  if (scout_ == nullptr) {
    const std::optional<size_t> goal = fleet_.Goal(now);
    if (!goal.has_value() || identity_ == nullptr) return;
    auto begun = Channel::Begin(config_, *goal, identity_, fds_);
    if (!begun.ok()) return fleet_.Failed(*goal, now);
    scout_ = std::move(begun).value();
    scout_until_ = now + kScoutTime;
  }
  const auto open = scout_->Advance();
  if (open.ok() && !*open && now < scout_until_) return;
  const std::shared_ptr<Channel> channel = std::move(scout_);
  const Status proven = ProveGoal(*channel, open, deadline);
  if (proven.ok()) {
    connections_.fetch_add(1, std::memory_order_relaxed);
    MoveTo(*channel);
    pool_.Put(channel);
  } else if (proven.code() == kTakesNoMore) {
    fleet_.Drains(channel->member(), now);
  } else {
    fleet_.Failed(channel->member(), now);
  }
}

Status Client::State::ProveGoal(Channel& channel, const Result<bool>& open, Deadline deadline) {
  if (!open.ok()) return open.error();
  if (!*open) return Fail(Code::kDeadline);
  const Deadline until = std::min(Now() + kScoutTime, Patience(deadline));
  return ProveBoth(channel, Prove::kIfNeeded, Drained::kRefuse, until);
}

}  // namespace keyclave::client
