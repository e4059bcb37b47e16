// States of digests that C_GetOperationState gave out (v3.2 §5.6.4).
//
// A running digest cannot be written out as bytes: the cryptographic library keeps its inside to
// itself. What the application gets is a ticket to a copy that stays here, good in every session of
// this run of the module, any number of times.
#pragma once

#include <deque>

#include "enclave/base/mutex.h"
#include "pkcs11/operation.h"

namespace keyclave::pkcs11 {

class SavedStates {
 public:
  static constexpr size_t kSize = 32;    // bytes of a state
  static constexpr size_t kKept = 1024;  // copies; then the oldest is forgotten

  Result<Bytes> Save(const DigestOperation& digest);
  // kP11SavedStateInvalid for what is none, or is forgotten.
  Result<DigestOperation> Load(ByteSpan state) const;

 private:
  mutable Mutex mutex_;
  std::deque<std::pair<ByteArray<kSize>, DigestOperation>> kept_ KC_GUARDED_BY(mutex_);
};

}  // namespace keyclave::pkcs11
