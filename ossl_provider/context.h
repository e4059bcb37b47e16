// One loaded instance of the provider: the core that loaded it, a library context of its own, and
// the client.
//
// The library context holds nothing but `default`, explicitly loaded. Public keys live in it, so
// that nothing that the provider asks of libcrypto can come back to the provider.
#pragma once

#include <atomic>

#include "enclave/client/client.h"
#include "ossl_provider/core.h"
#include "ossl_provider/evp.h"

namespace keyclave::ossl {

class Context {
 public:
  // nullptr if the core lacks an upcall that is needed or has no default provider to load.
  static Context* Create(const OSSL_CORE_HANDLE* handle, const OSSL_DISPATCH* upcalls);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  const Core& core() const { return core_; }
  OSSL_LIB_CTX* libctx() const { return libctx_.get(); }

  // The client, made on first use from the configuration file. While the file cannot be read every
  // call says so and the next one tries again.
  Result<client::Client*> Client();

  // The token for keys that are made without a word about where: keyclave-token in the provider's
  // section of openssl.cnf.
  std::optional<std::string> DefaultToken() const { return core_.Parameter("keyclave-token"); }

  // kUnsupported with what to write into openssl.cnf, if this provider is active alone.
  Status CheckOthersActive() const;

 private:
  Context(Core core, LibCtx libctx, OwnProvider own_default)
      : core_(core), libctx_(std::move(libctx)), default_(std::move(own_default)) {}

  const Core core_;
  const LibCtx libctx_;
  const OwnProvider default_;  // of libctx_
  // No lock: a lock that another thread holds during fork() would stay locked in the child.
  std::atomic<client::Client*> client_{nullptr};
};

// Runs f, which returns a Status: 1, or 0 with its error raised. No exception leaves it.
template <class F>
int Guard(const Context& context, F&& f) noexcept {
  try {
    const Status status = f();
    if (status.ok()) return 1;
    context.core().Raise(status.error());
  } catch (const std::bad_alloc&) {
    context.core().Raise(Error(Code::kOutOfMemory, {}, __builtin_FILE(), __builtin_LINE()));
  } catch (...) {
    context.core().Raise(Error(Code::kInternal, {}, __builtin_FILE(), __builtin_LINE()));
  }
  return 0;
}

// The same for f that returns a Result of a pointer: the pointer or nullptr.
template <class F>
auto GuardPointer(const Context& context, F&& f) noexcept {
  typename decltype(f())::Value pointer = nullptr;
  Guard(context, [&]() -> Status {
    KC_ASSIGN(pointer, f());
    return Done{};
  });
  return pointer;
}

}  // namespace keyclave::ossl

// A row of a dispatch table; the function must have exactly the type that the number stands for.
#define KC_FN(number, type, function) \
  { number, (void (*)(void)) static_cast<type*>(function) }
