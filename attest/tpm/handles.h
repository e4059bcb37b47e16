// What lies in a TPM under a handle: persistent objects and NV indices.
#pragma once

#include "attest/tpm/connection.h"

namespace keyclave::attest::tpm {

std::string HexHandle(uint32_t handle);  // "0x81018001"
Result<bool> Exists(Connection& tpm, uint32_t handle);
// For esys's calls; the TPM holds nothing for it.
Status OpenHandle(Connection& tpm, uint32_t handle, ESYS_TR& object);
// A persistent key, and what the TPM says of it.
struct OpenedKey {
  ESYS_TR handle = ESYS_TR_NONE;
  TPMT_PUBLIC area{};
  Bytes name;
};
Result<OpenedKey> OpenKey(Connection& tpm, uint32_t handle);
// All that an NV index holds; with no password.
Result<Bytes> ReadIndex(Connection& tpm, uint32_t handle);

}  // namespace keyclave::attest::tpm
