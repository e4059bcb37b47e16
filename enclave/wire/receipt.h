// The enclave's receipt for a released key: deterministic CBOR, signed by the key that signs audit
// checkpoints (docs/wire.md). Verified by `keyclave audit receipt`, without any enclave.
#pragma once

#include "enclave/wire/codec.h"

namespace keyclave::wire {

inline constexpr std::string_view kReceiptLabel = "keyclave/receipt/1";
inline constexpr size_t kMaxReceiptNonce = 64;  // bytes

struct ReleaseReceipt {
  std::string label;       // kReceiptLabel
  std::string enclave_id;  // hexadecimal
  ByteArray<16> object{};  // the released key's or data object's id
  Bytes object_label;      // CKA_LABEL as it is
  std::string policy;
  uint64_t policy_version = 0;
  ByteArray<32> policy_digest{};
  uint64_t permit = 0;       // that allowed it, from 1; 0: the caller's own session object
  ByteArray<32> evidence{};  // SHA-256 of the caller's evidence
  std::string tee;           // the caller's
  std::string measurement;
  std::string recipient;           // its name in the caller's evidence
  ByteArray<32> recipient_spki{};  // SHA-256
  std::string form;                // as policies name it: hpke-x25519
  ByteArray<32> wrapped{};         // SHA-256 of what was handed out
  int64_t released_at = 0;         // Unix seconds
  uint64_t audit_sequence = 0;     // of the release's record in the audit log
  Bytes nonce;                     // the caller's
  template <class V>
  void Visit(V&& v) {
    v(1, label);
    v(2, enclave_id);
    v(3, object);
    v(4, object_label);
    v(5, policy);
    v(6, policy_version);
    v(7, policy_digest);
    v(8, permit);
    v(9, evidence);
    v(10, tee);
    v(11, measurement);
    v(12, recipient);
    v(13, recipient_spki);
    v(14, form);
    v(15, wrapped);
    v(16, released_at);
    v(17, audit_sequence);
    v(18, nonce);
  }
};

// What is signed: SHA-256 of the label and the receipt, each preceded by its length. The audit
// log's checkpoints, signed by the same key, begin with another label.
ByteArray<32> ReceiptDigest(ByteSpan receipt);
// kReceiptInvalid for bytes that are no receipt of this version. The signature is another matter.
Result<ReleaseReceipt> ParseReceipt(ByteSpan receipt);

}  // namespace keyclave::wire
