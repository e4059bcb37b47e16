#include "enclave/client/pipeline.h"

#include <sys/socket.h>

#include <new>

namespace keyclave::client {
namespace {

constexpr size_t kJoinBelow = size_t{4} << 10;    // bytes of a frame that shares a write
constexpr size_t kReadAhead = size_t{64} << 10;   // bytes
constexpr size_t kKeepBuffer = size_t{64} << 10;  // bytes of an empty buffer

}  // namespace

class Pipeline::Turn {
 public:
  explicit Turn(Pipeline& pipeline) : pipeline_(pipeline) { pipeline_.turn_taken_ = true; }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() { pipeline_.turn_taken_ = false; }

 private:
  Pipeline& pipeline_;
};

Result<Pipeline::Reply> Pipeline::Exchange(wire::Op op, ByteSpan fields, const Waiting& waiting,
                                           bool& may_have_run) {
  may_have_run = false;
  const uint64_t id = last_id_.fetch_add(1, std::memory_order_relaxed) + 1;
  Bytes frame = wire::BuildRequest(id, op, fields);
  if (frame.size() - sizeof(uint32_t) > wire::kMaxFrame) return Fail(Code::kFrameTooLarge);
  const MutexLock lock(mutex_);
  KC_CHECK_OK(broken_);
  Call& call = Enqueue(id, std::move(frame));
  Work(waiting.deadline);
  Await(call, waiting);
  return Leave(call, may_have_run);
}

Pipeline::Call& Pipeline::Enqueue(uint64_t id, Bytes frame) {
  Call* call = Find(0);
  if (call == nullptr) call = &calls_.emplace_back();
  if (queued_.empty() && frame.size() > kJoinBelow) {
    queued_ = std::move(frame);
  } else {
    queued_.insert(queued_.end(), frame.begin(), frame.end());
    Wipe(frame);
  }
  call->id = id;
  call->stage = Call::Stage::kQueued;
  return *call;
}

Pipeline::Call* Pipeline::Find(uint64_t id) {
  for (Call& call : calls_) {
    if (call.id == id) return &call;
  }
  return nullptr;
}

void Pipeline::Await(Call& call, const Waiting& waiting) {
  while (!call.outcome.has_value() && std::chrono::steady_clock::now() < waiting.deadline) {
    if (PauseFor(call, waiting)) continue;
    if (!turn_taken_ && (watcher_ == nullptr || watcher_ == &call)) {
      Watch(call, waiting);
    } else {
      Sleep(call, waiting.deadline);
    }
  }
}

// A pause ends when the application thinks that it may.
bool Pipeline::PauseFor(Call& call, const Waiting& waiting) {
  if (waiting.pausing == nullptr || !waiting.pausing->can()) return false;
  const int fd = wake_.Either();
  if (fd < 0) return false;
  HandOverWatch();
  call.away = true;
  mutex_.unlock();
  const bool paused = waiting.pausing->until_readable(fd);
  mutex_.lock();
  ComeBack(call);
  if (paused && !call.outcome.has_value()) {
    readable_ = true;
    Work(waiting.deadline);
  }
  return paused;
}

void Pipeline::Watch(Call& call, const Waiting& waiting) {
  watcher_ = &call;
  call.away = true;
  pollfd any[] = {{.fd = stream_.fd(), .events = POLLIN, .revents = 0},
                  {.fd = wake_.event(), .events = POLLIN, .revents = 0}};
  mutex_.unlock();
  const bool came = waiting.spin != nullptr && waiting.spin->Wait([this] { return HasBytes(); });
  const Status status = came ? Done{} : WaitForAny(any, waiting.deadline);
  mutex_.lock();
  ComeBack(call);
  const bool in_time = status.ok() || status.code() != Code::kDeadline;
  if (!in_time || call.outcome.has_value()) return;
  readable_ = true;  // a read finds out what is wrong with the socket, too
  Work(waiting.deadline);
}

void Pipeline::ComeBack(Call& call) {
  call.away = false;
  if (std::exchange(call.unclaimed, false) && --unclaimed_ == 0) wake_.Lower();
}

void Pipeline::Sleep(Call& call, Deadline deadline) {
  call.asleep = true;
  std::unique_lock<std::mutex> lock(mutex_.native(), std::adopt_lock);
  call.changed.wait_until(lock, deadline);
  lock.release();
  call.asleep = false;
}

Result<Pipeline::Reply> Pipeline::Leave(Call& call, bool& may_have_run) {
  if (watcher_ == &call) watcher_ = nullptr;
  HandOverWatch();
  may_have_run = call.stage != Call::Stage::kQueued;
  if (!call.outcome.has_value()) {
    call.left = true;
    return Fail(Code::kDeadline);
  }
  call.id = 0;
  return *std::exchange(call.outcome, std::nullopt);
}

// Who has the turn watches when it is over, or hands over when leaving.
void Pipeline::HandOverWatch() {
  if (watcher_ != nullptr || turn_taken_) return;
  for (Call& call : calls_) {
    if (!call.asleep || call.outcome.has_value()) continue;
    watcher_ = &call;
    call.changed.notify_one();
    return;
  }
}

// If another has the turn, that one looks for more to do before it ends.
void Pipeline::Work(Deadline deadline) {
  if (turn_taken_) return;
  {
    const Turn turn(*this);
    while (broken_.ok() && (!queued_.empty() || readable_)) {
      std::swap(queued_, sending_);
      for (Call& call : calls_) {
        if (call.stage == Call::Stage::kQueued) call.stage = Call::Stage::kSending;
      }
      const bool read = std::exchange(readable_, false);
      mutex_.unlock();
      const Progress progress = Transfer(read, deadline);
      mutex_.lock();
      Settle(progress);
      if (answered_ != nullptr) WakeAnswered();
    }
  }
  if (watcher_ != nullptr && watcher_->asleep) watcher_->changed.notify_one();
}

// Not under the lock, which is what they would run into. One that wakes by itself meanwhile, and
// leaves, leaves its Call where it is.
void Pipeline::WakeAnswered() {
  mutex_.unlock();
  while (answered_ != nullptr) {
    Call& call = *answered_;
    answered_ = std::exchange(call.next_answered, nullptr);
    call.changed.notify_one();
  }
  mutex_.lock();
}

void Pipeline::Settle(const Progress& progress) {
  const auto in_progress = [](const Call& call) { return call.stage == Call::Stage::kSending; };
  // Of several requests, some may have gone whole.
  const bool sent =
      progress.all_sent ||
      (progress.some_sent && std::count_if(calls_.begin(), calls_.end(), in_progress) > 1);
  for (Call& call : calls_) {
    if (in_progress(call)) call.stage = sent ? Call::Stage::kSent : Call::Stage::kQueued;
  }
  const Status checked = CheckArrived();
  if (checked.ok()) {
    for (Arrived& one : arrived_) Answer(*Find(one.id), std::move(one.reply));
  }
  arrived_.clear();
  if (!checked.ok()) return Break(checked.error());
  if (!progress.status.ok()) Break(progress.status.error());
}

// Each must answer a request that was sent and is not answered yet. Frame id 0 speaks of the
// stream; it is never an answer.
Status Pipeline::CheckArrived() {
  for (auto one = arrived_.begin(); one != arrived_.end(); ++one) {
    if (one->id == 0 && one->reply.code != 0) return ReplyError(one->reply);
    const Call* call = one->id == 0 ? nullptr : Find(one->id);
    const auto same = [one](const Arrived& other) { return other.id == one->id; };
    if (call == nullptr || call->stage != Call::Stage::kSent || call->outcome.has_value() ||
        std::any_of(arrived_.begin(), one, same)) {
      return Fail(Code::kReplyMismatch);
    }
  }
  return Done{};
}

void Pipeline::Answer(Call& call, Result<Reply> outcome) {
  if (call.left) {
    call.left = false;
    call.id = 0;
    return;
  }
  call.outcome = std::move(outcome);
  if (call.asleep) call.next_answered = std::exchange(answered_, &call);
  if (!call.away) return;
  call.unclaimed = true;
  if (unclaimed_++ == 0) wake_.Raise();
}

void Pipeline::Break(const Error& error) {
  broken_ = error;
  for (Call& call : calls_) {
    if (call.id != 0 && !call.outcome.has_value()) Answer(call, error);
  }
}

Pipeline::Progress Pipeline::Transfer(bool read, Deadline deadline) noexcept {
  Progress progress;
  try {
    progress.status = SendAll(deadline, progress);
    if (progress.status.ok() && read) progress.status = ReadAll();
  } catch (const std::bad_alloc&) {
    progress.status = Fail(Code::kOutOfMemory);
  }
  return progress;
}

// An enclave that answers much before it reads on must not keep us from sending.
Status Pipeline::SendAll(Deadline deadline, Progress& progress) {
  progress.all_sent = sending_.empty();
  if (progress.all_sent) return Done{};
  const uint64_t before = stream_.sent();
  const Status written = stream_.Write(sending_);
  Wipe(sending_);
  sending_.clear();
  if (sending_.capacity() > kKeepBuffer) sending_.shrink_to_fit();
  KC_CHECK_OK(written);
  while (!progress.all_sent) {
    const auto flushed = stream_.Flush();
    progress.some_sent = stream_.sent() != before;
    if (!flushed.ok()) return flushed.error();
    progress.all_sent = *flushed;
    if (progress.all_sent) break;
    KC_CHECK_OK(WaitFor(stream_.fd(), POLLIN | POLLOUT, deadline));
    KC_CHECK_OK(ReadAll());
  }
  return Done{};
}

// What came before the end of the stream counts.
Status Pipeline::ReadAll() {
  for (;;) {
    KC_ASSIGN(const auto state, stream_.Read(in_, in_.size() + kReadAhead));
    KC_CHECK_OK(TakeFrames());
    if (state == wire::TlsStream::ReadState::kClosed)
      return Fail(Code::kChannelClosed, "keyclaved closed the connection");
    if (state == wire::TlsStream::ReadState::kDrained) return Done{};
  }
}

Status Pipeline::TakeFrames() {
  ByteSpan rest(in_);
  for (;;) {
    KC_ASSIGN(const std::optional<wire::Frame> frame, wire::TakeFrame(rest));
    if (!frame.has_value()) break;
    KC_ASSIGN(const wire::ReplyBody body, wire::ParseReply(frame->body));
    if (frame->id == 0 && body.code == static_cast<uint64_t>(wire::Notice::kDrain)) {
      notice_.store(true);
      continue;
    }
    arrived_.push_back(
        {frame->id, {.code = body.code, .epoch = body.epoch, .fields = ToBytes(body.fields)}});
  }
  const auto taken = in_.begin() + static_cast<ptrdiff_t>(in_.size() - rest.size());
  Wipe({in_.begin(), taken});
  in_.erase(in_.begin(), taken);
  if (in_.empty() && in_.capacity() > kKeepBuffer) in_.shrink_to_fit();
  return Done{};
}

// Or is at its end, which a read will find.
bool Pipeline::HasBytes() const {
  uint8_t byte = 0;
  return ::recv(stream_.fd(), &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) >= 0;
}

Error ReplyError(const Pipeline::Reply& reply) {
  const auto code = CodeFromNumber(reply.code);
  if (!code.has_value()) {
    return Fail(Code::kBadMessage, "keyclaved answered with code " + std::to_string(reply.code) +
                                       ", which this version does not know");
  }
  const auto detail = wire::ErrorDetail({reply.code, reply.epoch, reply.fields});
  if (!detail.ok()) return Fail(Code::kBadMessage, "keyclaved's error text");
  return Fail(*code, detail->empty() ? std::string() : "keyclaved: " + *detail);
}

}  // namespace keyclave::client
