// What ties evidence to one channel: the report data of docs/attestation.md.
#pragma once

#include "enclave/base/bytes.h"

namespace keyclave::attest {

enum class Role { kEnclave, kCaller };

using ReportData = ByteArray<64>;

struct Binding {
  Role role = Role::kCaller;
  ByteArray<32> nonce{};        // made by the verifier, single use
  ByteArray<32> exporter{};     // TLS exporter, label EXPORTER-keyclave
  ByteArray<32> client_spki{};  // SHA-256 of each leaf's SubjectPublicKeyInfo
  ByteArray<32> server_spki{};
  std::string audience;  // the enclave's id; empty when the enclave proves itself to a new client
  Bytes runtime_claims;  // deterministic CBOR; its SHA-256 is bound
};

// SHA-512("keyclave/evidence/1" | role | nonce | exporter | SPKI hashes | audience |
// SHA-256(runtime claims)), each field preceded by its length as 32 bits, big-endian. Types with a
// shorter field carry its first bytes.
ReportData ComputeReportData(const Binding& binding);

}  // namespace keyclave::attest
