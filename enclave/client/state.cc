#include "enclave/client/state.h"

#include <unistd.h>

#include <thread>

#include "enclave/base/log.h"

namespace keyclave::client {
namespace {

constexpr std::chrono::seconds kRenewalPause(5);  // after a renewal that failed
constexpr size_t kMaxEnclaves = 128;              // runs of daemons that are remembered
constexpr int kPatience = 3;  // a member may keep a request for one part in so many of its time

Deadline Now() { return std::chrono::steady_clock::now(); }

}  // namespace

Client::State::State(const ClientConfig& config, State* parent)
    : config_(config),
      pid_(::getpid()),
      parent_(parent),
      fds_(2 * config.max_connections),
      generation_(parent == nullptr ? 1 : parent->generation_.load() + 1),
      spin_(config.spin),
      fleet_(config.endpoints.size(), config.in_order),
      pool_(config.max_connections, config.pausing, std::thread::hardware_concurrency()) {}

bool Client::State::IsOfThisProcess() const { return pid_ == ::getpid(); }

Result<Client::State::Lease> Client::State::Take(const ChannelPool::Wish& wish, Deadline deadline,
                                                 bool makes) {
  if (fleet_.restless()) Roam(makes, deadline);
  KC_ASSIGN(std::optional<ChannelPool::Lease> place, pool_.Take(wish, deadline));
  if (!place.has_value()) {
    const Turn turn(pool_);
    KC_ASSIGN(std::shared_ptr<Channel> channel, OpenProven(deadline));
    place.emplace(pool_.Add(std::move(channel), wish));
  }
  Enclave known = KnownOf(place->channel());
  return Lease{
      .place = *std::move(place), .evidence = known.evidence, .epoch = std::move(known.epoch)};
}

Deadline Client::State::Patience(Deadline deadline) const {
  if (!fleet_.has_choice() || HoldsSessionObjects()) return deadline;
  const Deadline now = Now();
  return now + (deadline - now) / kPatience;
}

bool Client::State::GiveUp(Lease& lease, const Error& error, Deadline deadline) {
  lease.place.Drop();
  if (error.code() == Code::kChannelClosed) return true;
  const bool refuses = error.code() == Code::kEvidenceRefused ||
                       error.code() == Code::kEnclaveRefused || error.code() == Code::kFleetStale ||
                       error.code() == Code::kFleetRemoved || error.code() == Code::kStoreForked;
  if (!fleet_.has_choice() || (!refuses && error.code() != Code::kDeadline)) return false;
  const Deadline now = Now();
  fleet_.Failed(lease.channel().member(), now);
  if (IsAtHome(lease.channel())) pool_.Retire();
  return now < deadline;
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

Client::State::Enclave Client::State::KnownOf(const Channel& channel) const {
  const MutexLock lock(mutex_);
  const auto found = enclaves_.find(channel.server_spki());
  return found == enclaves_.end() ? Enclave() : found->second;
}

bool Client::State::IsAtHome(const Channel& channel) const {
  const MutexLock lock(mutex_);
  return home_.has_value() && home_->run == channel.server_spki();
}

// Whether the session is another one than was known there: what that daemon kept for this process
// is gone.
bool Client::State::Learn(const Channel& channel, Enclave enclave) {
  const MutexLock lock(mutex_);
  const ByteArray<32>& run = channel.server_spki();
  if (enclaves_.size() >= kMaxEnclaves && !enclaves_.contains(run)) {
    const ByteArray<32> keep = home_.has_value() ? home_->run : run;
    std::erase_if(enclaves_, [&keep](const auto& one) { return one.first != keep; });
  }
  Enclave& known = enclaves_[run];
  const bool other = known.session != enclave.session;
  enclave.epoch = known.epoch == nullptr ? std::make_shared<Epoch>(0) : known.epoch;
  known = std::move(enclave);
  return other;
}

// The channel's session is the one that counts from now on. Another one's objects are gone, and so
// is what was cached of another daemon's store.
void Client::State::Settle(const Channel& channel) {
  const MutexLock lock(mutex_);
  const Enclave& enclave = enclaves_[channel.server_spki()];
  const bool first = !home_.has_value();
  if (!first && home_->run == channel.server_spki() && home_->session == enclave.session) return;
  session_objects_.clear();
  home_ = Home{.run = channel.server_spki(), .session = enclave.session, .epoch = enclave.epoch};
  if (!first) generation_.fetch_add(1);
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
  KC_CHECK_OK(ProveBoth(lease.channel(), Prove::kAnew, Drained::kAccept, deadline));
  if (IsAtHome(lease.channel())) Settle(lease.channel());
  return Done{};
}

void Client::State::PutOffRenewal(const Channel& channel) {
  const MutexLock lock(mutex_);
  const auto found = enclaves_.find(channel.server_spki());
  if (found != enclaves_.end()) found->second.renew_at = Now() + kRenewalPause;
}

void Client::State::Saw(Lease& lease, const Channel::Reply& reply) {
  if (lease.channel().TakeNotice()) fleet_.Drains(lease.channel().member(), Now());
  if (reply.epoch == 0 || lease.epoch == nullptr) return;  // the enclave did not tell
  uint64_t seen = lease.epoch->load();
  while (seen < reply.epoch && !lease.epoch->compare_exchange_weak(seen, reply.epoch)) {
  }
}

uint64_t Client::State::epoch() const {
  const MutexLock lock(mutex_);
  return home_.has_value() ? home_->epoch->load() : 0;
}

bool Client::State::HoldsSessionObjects() const {
  const MutexLock lock(mutex_);
  return !session_objects_.empty();
}

void Client::State::NoteObject(const wire::ObjectInfo& object) {
  const Bytes* token = object.attributes.Find(CKA_TOKEN);
  if (token == nullptr || object.attributes.IsTrue(CKA_TOKEN)) return;
  const MutexLock lock(mutex_);
  session_objects_.insert(object.id);
}

void Client::State::ForgetObject(const wire::ObjectRef& object) {
  if (!object.id.has_value()) return;
  const MutexLock lock(mutex_);
  session_objects_.erase(*object.id);
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
          .attestations = attestations_.load(),
          .moves = moves_.load()};
}

}  // namespace keyclave::client
