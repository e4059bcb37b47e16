// One open TPM, and what is made in it for the time of one call.
#pragma once

#include <memory>

#include "attest/tpm/attest.h"
#include "attest/tpm/device.h"
#include "attest/tpm/tss2.h"
#include "attest/tpm/turn.h"

namespace keyclave::attest::tpm {

// Not for more than one thread. Its methods fail with kIo; the detail says which TPM, which call
// and what it answered.
class Connection {
 public:
  static Result<Connection> Open(const Tss2& tss2, const TSS2_TCTI_INFO& module,
                                 const std::string& tcti);
  Connection(Connection&&) noexcept = default;
  Connection& operator=(Connection&&) = delete;
  ~Connection();

  const Tss2& tss2() const { return *tss2_; }
  ESYS_CONTEXT* esys() const { return esys_; }

  // What `call` answered.
  Status Check(TSS2_RC answer, std::string_view call);
  Error Fails(const std::string& why) const;
  // Whether the last failed call was one that another moment may allow.
  bool busy() const { return busy_; }

 private:
  struct FreeTcti {
    void operator()(TSS2_TCTI_CONTEXT* tcti) const;
  };
  Connection(const Tss2& tss2, std::string name) : tss2_(&tss2), name_(std::move(name)) {}

  const Tss2* tss2_;
  std::string name_;
  std::unique_ptr<TSS2_TCTI_CONTEXT, FreeTcti> tcti_;
  ESYS_CONTEXT* esys_ = nullptr;
  bool busy_ = false;
};

// What esys allocates: Esys_Something(…, made.Receive()).
template <class T>
class Made {
 public:
  explicit Made(const Connection& tpm) : free_(tpm.tss2().Esys_Free) {}
  Made(const Made&) = delete;
  Made& operator=(const Made&) = delete;
  ~Made() { free_(made_); }
  T** Receive() {
    free_(made_);
    made_ = nullptr;
    return &made_;
  }
  T& operator*() const { return *made_; }
  T* operator->() const { return made_; }

 private:
  decltype(Tss2::Esys_Free) free_;
  T* made_ = nullptr;
};

// A transient object or a session. The TPM has few places for either: it is flushed at the end.
class Transient {
 public:
  explicit Transient(Connection& tpm) : tpm_(tpm) {}
  Transient(const Transient&) = delete;
  Transient& operator=(const Transient&) = delete;
  ~Transient();
  ESYS_TR* Receive() { return &handle_; }
  ESYS_TR get() const { return handle_; }

 private:
  Connection& tpm_;
  ESYS_TR handle_ = ESYS_TR_NONE;
};

// A failed attempt is repeated while the TPM is busy: no place for an object or a session (other
// programs' where there is no resource manager), self-tests, NV rate limits. In all a second or
// two.
inline constexpr int kMaxAttempts = 64;
void WaitBeforeAttempt(int attempt);

// Opens the TPM for `work`, which gets the Connection and returns a Result. Work that is repeated
// must change nothing that lasts before its last call.
template <class Work>
auto WithTpm(const DeviceConfig& config, Work work) -> std::invoke_result_t<Work, Connection&> {
  LoadedTss2& loaded = LoadedTss2::OfThisProcess();
  MutexLock lock(loaded.mutex);
  KC_ASSIGN(const Tss2* const tss2, loaded.Functions());
  KC_ASSIGN(const TSS2_TCTI_INFO* const module, loaded.Tcti(config.tcti));
  const Turn turn(config.tcti);
  for (int attempt = 0;; ++attempt) {
    WaitBeforeAttempt(attempt);
    KC_ASSIGN(Connection tpm, Connection::Open(*tss2, *module, config.tcti));
    auto result = work(tpm);
    if (result.ok() || !tpm.busy() || attempt == kMaxAttempts) return result;
  }
}

// The same result; a failure to use the TPM becomes `code`.
template <class T>
Result<T> Because(Code code, Result<T> result) {
  if (result.ok()) return result;
  switch (result.code()) {
    case Code::kIo:
    case Code::kUnsupported:
    case Code::kInvalidArgument: return Fail(code, result.error().detail());
    default: return result;
  }
}

// An HMAC session, whose commands and answers cannot be edited under way without notice (by
// `salt_key`, or ESYS_TR_NONE, also not by who reads them), or one that satisfies policies.
enum class SessionKind : TPM2_SE { kHmac = TPM2_SE_HMAC, kPolicy = TPM2_SE_POLICY };
// `encrypted`: TPMA_SESSION_DECRYPT, of each command the first parameter is encrypted;
// TPMA_SESSION_ENCRYPT, of each answer, or neither. The session stays until it is flushed.
Status StartSession(Connection& tpm, SessionKind kind, ESYS_TR salt_key, TPMA_SESSION encrypted,
                    Transient& session);
inline constexpr TPMA_SESSION kBothEncrypted = TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT;
inline constexpr TPMA_SESSION kPlain = 0;
// The key that this template has in a hierarchy without a password: always the same one, as long
// as the hierarchy's seed is. `what` it is, for messages.
Status MakePrimary(Connection& tpm, ESYS_TR hierarchy, const TPM2B_PUBLIC& wanted,
                   std::string_view what, Transient& key);
// The handles of this kind that exist, from `first` on, at most `max`.
Result<std::vector<uint32_t>> HandlesFrom(Connection& tpm, uint32_t first, uint32_t max);

}  // namespace keyclave::attest::tpm
