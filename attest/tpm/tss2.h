// tpm2-tss, loaded when it is needed: its functions as pointers, and its modules that reach TPMs
// (TCTI). What is loaded stays loaded.
#pragma once

#include <tss2/tss2_esys.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tcti.h>

#include <map>
#include <string>

#include "enclave/base/mutex.h"
#include "enclave/base/result.h"

namespace keyclave::attest::tpm {

struct Tss2 {
#define KC_TSS2(library, name) decltype(&::name) name = nullptr;
#include "attest/tpm/tss2_functions.inc"
#undef KC_TSS2
};

// What this process has loaded. A child of fork(2) has one of its own: the parent's may be locked
// by a thread that the child does not have.
class LoadedTss2 {
 public:
  static LoadedTss2& OfThisProcess();

  Mutex mutex;  // one call at a time speaks to a TPM

  // kUnsupported with the name of the package that is missing.
  Result<const Tss2*> Functions() KC_REQUIRES(mutex);
  // "device:/dev/tpmrm0": the module of the name before the colon. kInvalidArgument, kUnsupported.
  Result<const TSS2_TCTI_INFO*> Tcti(const std::string& tcti) KC_REQUIRES(mutex);

 private:
  LoadedTss2(int process, LoadedTss2* inherited) : process_(process), inherited_(inherited) {}

  const int process_;
  [[maybe_unused]] LoadedTss2* const inherited_;  // only so that it is not taken for a leak
  bool complete_ KC_GUARDED_BY(mutex) = false;
  Tss2 functions_ KC_GUARDED_BY(mutex);
  std::map<std::string, const TSS2_TCTI_INFO*> modules_ KC_GUARDED_BY(mutex);
};

}  // namespace keyclave::attest::tpm
