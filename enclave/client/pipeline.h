// The requests and replies of one connection, for any number of callers at once: each waits for its
// own reply, in whatever order replies come.
//
// The stream belongs to nobody. Who comes while it is free takes the turn: sends what all have
// queued, with one call, and hands out what has come. Of the callers who wait, one watches the
// socket for all of them and the others sleep. Nothing is held while a caller sleeps or pauses.
// After an error of the stream the pipeline is of no more use, and everybody who waits hears it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>

#include "enclave/base/mutex.h"
#include "enclave/base/spin.h"
#include "enclave/client/config.h"
#include "enclave/client/connect.h"
#include "enclave/client/wake_fd.h"
#include "enclave/wire/frame.h"
#include "enclave/wire/tls_stream.h"

namespace keyclave::client {

class Pipeline {
 public:
  struct Reply {
    uint64_t code = 0;
    uint64_t epoch = 0;
    Bytes fields;
  };
  // How a caller waits: paused, where its thread can; else without sleeping, if `spin` thinks so.
  struct Waiting {
    Deadline deadline;
    const Pausing* pausing = nullptr;
    Spin* spin = nullptr;
  };

  // After the handshake; `stream` outlives this, and nobody else uses it meanwhile.
  explicit Pipeline(wire::TlsStream& stream) : stream_(stream), wake_(stream.fd()) {}

  // Sends one request and waits for its reply. kDeadline, kChannelClosed, kReplyMismatch,
  // kOutOfMemory, and the codes of frames. `may_have_run`: after an error, whether the enclave may
  // have executed the request.
  Result<Reply> Exchange(wire::Op op, ByteSpan fields, const Waiting& waiting, bool& may_have_run);
  // Whether the enclave has asked its callers to go elsewhere since this was asked last.
  bool TakeNotice() { return notice_.load(std::memory_order_relaxed) && notice_.exchange(false); }

 private:
  // One caller's request; free for the next when its reply was fetched. If its caller has left, it
  // waits for the reply alone.
  struct Call {
    enum class Stage { kQueued, kSending, kSent };
    uint64_t id = 0;  // 0: free
    Stage stage = Stage::kQueued;
    bool asleep = false;
    bool away = false;       // looks at descriptors, or has paused
    bool unclaimed = false;  // answered while away
    bool left = false;
    std::optional<Result<Reply>> outcome;
    Call* next_answered = nullptr;
    std::condition_variable changed;
  };
  // Its holder has the turn, and the lock again at the end.
  class Turn;
  struct Arrived {
    uint64_t id = 0;
    Reply reply;
  };
  struct Progress {
    Status status;
    bool all_sent = false;   // of what was queued
    bool some_sent = false;  // of its bytes
  };

  Call& Enqueue(uint64_t id, Bytes frame) KC_REQUIRES(mutex_);
  void Await(Call& call, const Waiting& waiting) KC_REQUIRES(mutex_);
  bool PauseFor(Call& call, const Waiting& waiting) KC_REQUIRES(mutex_);
  void Watch(Call& call, const Waiting& waiting) KC_REQUIRES(mutex_);
  void Sleep(Call& call, Deadline deadline) KC_REQUIRES(mutex_);
  void ComeBack(Call& call) KC_REQUIRES(mutex_);
  Result<Reply> Leave(Call& call, bool& may_have_run) KC_REQUIRES(mutex_);
  void HandOverWatch() KC_REQUIRES(mutex_);

  void Work(Deadline deadline) KC_REQUIRES(mutex_);
  void WakeAnswered() KC_REQUIRES(mutex_);
  void Settle(const Progress& progress) KC_REQUIRES(mutex_);
  Status CheckArrived() KC_REQUIRES(mutex_);
  void Answer(Call& call, Result<Reply> outcome) KC_REQUIRES(mutex_);
  void Break(const Error& error) KC_REQUIRES(mutex_);
  Call* Find(uint64_t id) KC_REQUIRES(mutex_);

  Progress Transfer(bool read, Deadline deadline) noexcept;
  Status SendAll(Deadline deadline, Progress& progress);
  Status ReadAll();
  Status TakeFrames();
  bool HasBytes() const;

  // Theirs who have the turn, without the lock.
  wire::TlsStream& stream_;
  Bytes sending_;
  Bytes in_;
  std::vector<Arrived> arrived_;
  Call* answered_ = nullptr;  // the first of those who sleep and shall be woken

  std::atomic<uint64_t> last_id_{0};
  std::atomic<bool> notice_{false};
  Mutex mutex_;
  bool turn_taken_ KC_GUARDED_BY(mutex_) = false;
  bool readable_ KC_GUARDED_BY(mutex_) = false;  // who has the turn shall read
  Bytes queued_ KC_GUARDED_BY(mutex_);
  std::deque<Call> calls_ KC_GUARDED_BY(mutex_);
  Call* watcher_ KC_GUARDED_BY(mutex_) = nullptr;
  Status broken_ KC_GUARDED_BY(mutex_);
  size_t unclaimed_ KC_GUARDED_BY(mutex_) = 0;
  WakeFd wake_ KC_GUARDED_BY(mutex_);
};

// What a reply's code other than 0 means to the caller.
Error ReplyError(const Pipeline::Reply& reply);

}  // namespace keyclave::client
