#include "enclave/client/state.h"

#include <unistd.h>

#include <thread>

#include "enclave/base/hash.h"
#include "enclave/base/log.h"

namespace keyclave::client {
namespace {

constexpr std::chrono::hours kAppraisalLifetime(1);
constexpr std::chrono::seconds kRenewalPause(5);  // after a renewal that failed
constexpr size_t kMaxEnclaves = 16;               // runs of daemons that are remembered

Deadline Now() { return std::chrono::steady_clock::now(); }

}  // namespace

Client::State::State(const ClientConfig& config, State* parent)
    : config_(config),
      pid_(::getpid()),
      parent_(parent),
      fds_(2 * config.max_connections),
      epoch_(parent == nullptr ? 0 : parent->epoch_.load()),
      generation_(parent == nullptr ? 1 : parent->generation_.load() + 1),
      spin_(config.spin),
      pool_(config.max_connections, config.pausing, std::thread::hardware_concurrency()) {}

bool Client::State::IsOfThisProcess() const { return pid_ == ::getpid(); }

Result<Client::State::Lease> Client::State::Take(const ChannelPool::Wish& wish, Deadline deadline) {
  KC_ASSIGN(std::optional<ChannelPool::Lease> place, pool_.Take(wish, deadline));
  if (!place.has_value()) {
    const Turn turn(pool_);
    KC_ASSIGN(std::shared_ptr<Channel> channel, OpenProven(deadline));
    place.emplace(pool_.Add(std::move(channel), wish));
  }
  const uint64_t evidence = KnownOf(place->channel()).evidence;
  return Lease{.place = *std::move(place), .evidence = evidence};
}

// Who is not alone has others to leave the processor to.
Result<Channel::Reply> Client::State::Exchange(Lease& lease, wire::Op op, ByteSpan fields,
                                               Deadline deadline, bool& may_have_run) {
  requests_.fetch_add(1, std::memory_order_relaxed);
  const bool alone = in_flight_.fetch_add(1, std::memory_order_relaxed) == 0;
  const Pipeline::Waiting waiting{
      .deadline = deadline, .pausing = config_.pausing, .spin = alone ? &spin_ : nullptr};
  auto reply = lease.channel().Exchange(op, fields, waiting, may_have_run);
  in_flight_.fetch_sub(1, std::memory_order_relaxed);
  return reply;
}

Result<std::shared_ptr<Channel>> Client::State::OpenProven(Deadline deadline) {
  if (identity_ == nullptr) {
    KC_ASSIGN(identity_, wire::TlsIdentity::Create());
  }
  KC_ASSIGN(std::shared_ptr<Channel> channel, Channel::Open(config_, identity_, fds_, deadline));
  connections_.fetch_add(1, std::memory_order_relaxed);
  KC_CHECK_OK(ProveBoth(*channel, Prove::kIfNeeded, deadline));
  return channel;
}

Client::State::Enclave Client::State::KnownOf(const Channel& channel) const {
  const MutexLock lock(mutex_);
  const auto found = enclaves_.find(channel.server_spki());
  return found == enclaves_.end() ? Enclave() : found->second;
}

// Whether the session is another one than before: what the enclave kept for this process is gone.
bool Client::State::Record(const Channel& channel, const Enclave& enclave) {
  const MutexLock lock(mutex_);
  const bool first = enclaves_.empty();
  if (enclaves_.size() >= kMaxEnclaves && !enclaves_.contains(channel.server_spki())) {
    enclaves_.clear();
  }
  Enclave& known = enclaves_[channel.server_spki()];
  const bool moved = known.session != enclave.session;
  known = enclave;
  if (!moved) return false;
  if (!first) {
    generation_.fetch_add(1);
    epoch_.store(0);
  }
  return !logins_.empty();
}

Status Client::State::ProveBoth(Channel& channel, Prove prove, Deadline deadline) {
  Enclave enclave = KnownOf(channel);
  const auto nonce = RandomArray<32>();
  const bool appraise = prove == Prove::kAnew || Now() >= enclave.appraised_until;
  KC_ASSIGN(const wire::HelloReply hello, SayHello(channel, nonce, appraise, deadline));
  const UnixTime now = SystemClock().Now();
  if (appraise) {
    KC_ASSIGN(const attest::Appraised appraised,
              AppraiseEnclave(config_, channel, nonce, hello, now));
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
  if (!Record(channel, enclave)) return Done{};
  KC_CHECK_OK(RestoreLogins(channel, deadline));
  return Done{};
}

Status Client::State::RenewIfDue(Lease& lease, Deadline deadline) {
  const Enclave enclave = KnownOf(lease.channel());
  const Deadline now = Now();
  const bool proves = !config_.evidence_type.empty();
  const bool due = now >= enclave.appraised_until || (proves && now >= enclave.renew_at);
  if (!due) return Done{};
  const bool good = now < enclave.appraised_until && (!proves || now < enclave.session_until);
  if (good && pool_.turn_taken()) return Done{};  // another thread is at it
  const Status renewed = Renew(lease, deadline);
  // The enclave did not take new evidence, or there was none to be had; what it has is still good.
  const bool channel_stands = !renewed.ok() && (renewed.code() == Code::kEvidenceRefused ||
                                                renewed.code() == Code::kEvidenceUnavailable);
  if (!good || !channel_stands) return renewed;
  Log(LogLevel::kWarning, "renewal of evidence: " + renewed.error().Text());
  PutOffRenewal(lease.channel());
  return Done{};
}

Status Client::State::Renew(Lease& lease, Deadline deadline) {
  KC_CHECK_OK(pool_.BeginTurn(deadline));
  const Turn turn(pool_);
  if (KnownOf(lease.channel()).evidence != lease.evidence) return Done{};
  return ProveBoth(lease.channel(), Prove::kAnew, deadline);
}

void Client::State::PutOffRenewal(const Channel& channel) {
  const MutexLock lock(mutex_);
  const auto found = enclaves_.find(channel.server_spki());
  if (found != enclaves_.end()) found->second.renew_at = Now() + kRenewalPause;
}

void Client::State::Saw(const Channel::Reply& reply) {
  if (reply.epoch == 0) return;  // the enclave did not tell
  uint64_t seen = epoch_.load();
  while (seen < reply.epoch && !epoch_.compare_exchange_weak(seen, reply.epoch)) {
  }
}

std::shared_ptr<const attest::ClaimSet> Client::State::ClaimsOf(const Channel& channel) const {
  return KnownOf(channel).claims;
}

SessionId Client::State::SessionOf(const Channel& channel) const {
  const Enclave enclave = KnownOf(channel);
  return {.enclave_id = enclave.id, .tls_key = channel.own_spki(), .session = enclave.session};
}

ClientStats Client::State::stats() const {
  return {.requests = requests_.load(),
          .connections = connections_.load(),
          .attestations = attestations_.load()};
}

}  // namespace keyclave::client
