// The exported functions: each is a row of functions.inc behind the barrier, and nothing else.
#include "pkcs11/entry.h"

#include "enclave/base/log.h"
#include "pkcs11/rv_map.h"

namespace keyclave::pkcs11 {

CK_RV Report(const char* function, const Status& status) {
  if (status.ok()) {
    if (LogEnabled(LogLevel::kDebug)) Log(LogLevel::kDebug, std::string(function) + ": CKR_OK");
    return CKR_OK;
  }
  const CK_RV rv = ToRv(status.code());
  if (LogEnabled(LogLevel::kInfo)) {
    Log(LogLevel::kInfo,
        std::string(function) + ": " + std::string(RvName(rv)) + ": " + status.error().Text());
  }
  return rv;
}

}  // namespace keyclave::pkcs11

#define KC_FUNCTION(name, parameters, arguments)                                              \
  extern "C" __attribute__((visibility("default"))) CK_RV name parameters {                   \
    return keyclave::pkcs11::Barrier(#name,                                                   \
                                     [&] { return keyclave::pkcs11::call::name arguments; }); \
  }
#include "pkcs11/functions.inc"
