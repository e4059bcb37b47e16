// Mutexes with clang's thread-safety annotations (-Wthread-safety): what a mutex guards is written
// beside it and checked.
#pragma once

#include <mutex>
#include <shared_mutex>

#if defined(__clang__)
#define KC_TSA(x) __attribute__((x))
#else
#define KC_TSA(x)
#endif
#define KC_GUARDED_BY(m) KC_TSA(guarded_by(m))
#define KC_REQUIRES(...) KC_TSA(requires_capability(__VA_ARGS__))
#define KC_REQUIRES_SHARED(...) KC_TSA(requires_shared_capability(__VA_ARGS__))
#define KC_EXCLUDES(...) KC_TSA(locks_excluded(__VA_ARGS__))

namespace keyclave {

class KC_TSA(capability("mutex")) Mutex {
 public:
  void lock() KC_TSA(acquire_capability()) { mutex_.lock(); }
  void unlock() KC_TSA(release_capability()) { mutex_.unlock(); }
  std::mutex& native() { return mutex_; }  // for a condition variable's wait only

 private:
  std::mutex mutex_;
};

class KC_TSA(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) KC_TSA(acquire_capability(mutex)) : mutex_(mutex) {
    mutex_.lock();
  }
  ~MutexLock() KC_TSA(release_capability()) { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

class KC_TSA(capability("mutex")) SharedMutex {
 public:
  void lock() KC_TSA(acquire_capability()) { mutex_.lock(); }
  void unlock() KC_TSA(release_capability()) { mutex_.unlock(); }
  void lock_shared() KC_TSA(acquire_shared_capability()) { mutex_.lock_shared(); }
  void unlock_shared() KC_TSA(release_shared_capability()) { mutex_.unlock_shared(); }

 private:
  std::shared_mutex mutex_;
};

class KC_TSA(scoped_lockable) ReaderLock {
 public:
  explicit ReaderLock(SharedMutex& mutex) KC_TSA(acquire_shared_capability(mutex)) : mutex_(mutex) {
    mutex_.lock_shared();
  }
  ~ReaderLock() KC_TSA(release_capability()) { mutex_.unlock_shared(); }
  ReaderLock(const ReaderLock&) = delete;
  ReaderLock& operator=(const ReaderLock&) = delete;

 private:
  SharedMutex& mutex_;
};

class KC_TSA(scoped_lockable) WriterLock {
 public:
  explicit WriterLock(SharedMutex& mutex) KC_TSA(acquire_capability(mutex)) : mutex_(mutex) {
    mutex_.lock();
  }
  ~WriterLock() KC_TSA(release_capability()) { mutex_.unlock(); }
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;

 private:
  SharedMutex& mutex_;
};

}  // namespace keyclave
