// Enclave identity: which quoting enclave Intel vouches for (PCS API, "Get Quoting Enclave
// Identity"; version 2), and the level that one reaches.
#pragma once

#include "attest/dcap/quote.h"
#include "attest/dcap/signed_document.h"

namespace keyclave::attest::dcap {

struct EnclaveIdentity : Statement {
  std::string id;  // "QE", "TD_QE", "QVE"
  ByteArray<4> miscselect{};
  ByteArray<4> miscselect_mask{};
  ByteArray<16> attributes{};
  ByteArray<16> attributes_mask{};
  ByteArray<32> mrsigner{};
  uint16_t isvprodid = 0;
  struct Level {
    uint16_t isvsvn = 0;
    TcbFinding finding;
  };
  std::vector<Level> levels;  // the newest first
};

// The identity of the enclave that signs quotes of this TEE.
constexpr std::string_view QeIdentityId(Tee tee) { return tee == Tee::kSgx ? "QE" : "TD_QE"; }

// Not verified: neither signature nor time. kCollateralInvalid.
Result<EnclaveIdentity> ParseEnclaveIdentity(const Document& document);

// kEvidenceIdentity: the report is one of another enclave.
Status CheckEnclave(const EnclaveIdentity& identity, const EnclaveReport& report);
// kEvidenceTcb if no level fits.
Result<TcbFinding> FindEnclaveLevel(const EnclaveIdentity& identity, uint16_t isvsvn);

}  // namespace keyclave::attest::dcap
