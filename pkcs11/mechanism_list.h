// C_GetMechanismList and C_GetMechanismInfo: the enclave's table, asked for once per enclave start,
// and the digests that the module computes itself.
#pragma once

#include <memory>

#include "enclave/base/mutex.h"
#include "enclave/client/client.h"
#include "pkcs11/cryptoki3.h"

namespace keyclave::pkcs11 {

class MechanismList {
 public:
  using Infos = std::vector<wire::MechanismInfo>;
  explicit MechanismList(client::Client& client) : client_(client) {}

  Result<std::shared_ptr<const Infos>> All();
  // kMechanismInvalid if it is not offered, or not for this function (CKF_SIGN …; 0: any).
  Result<wire::MechanismInfo> Find(CK_MECHANISM_TYPE type, CK_FLAGS function);

 private:
  client::Client& client_;
  Mutex mutex_;
  std::shared_ptr<const Infos> infos_ KC_GUARDED_BY(mutex_);
  uint64_t generation_ KC_GUARDED_BY(mutex_) = 0;
};

}  // namespace keyclave::pkcs11
