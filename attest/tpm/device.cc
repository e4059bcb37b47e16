#include "attest/tpm/device.h"

#include "attest/tpm/registers.h"

namespace keyclave::attest::tpm {

Status Prepare(const DeviceConfig& config) {
  KC_ASSIGN(const PcrSelection selection, Select(config.pcrs));
  return WithTpm(config, [&](Connection& tpm) -> Status {
    KC_CHECK_OK(ReadRegisters(tpm, selection));
    // What a session loads at its first use (libcrypto's own configuration) it loads now.
    Transient session(tpm);
    return StartSession(tpm, SessionKind::kHmac, ESYS_TR_NONE, kBothEncrypted, session);
  });
}

}  // namespace keyclave::attest::tpm
