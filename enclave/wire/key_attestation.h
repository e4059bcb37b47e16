// Key attestation: evidence of the enclave about one of its keys (docs/attestation.md). The
// document says what the key is; the evidence carries the document's digest and the asker's nonce.
#pragma once

#include "enclave/wire/codec.h"

namespace keyclave::wire {

inline constexpr std::string_view kKeyDocumentLabel = "keyclave/key-attestation/1";
inline constexpr size_t kMaxAttestationNonce = 64;  // bytes
// Of the extension in certificate requests: 2.25 and a UUID (X.667) that was made for it,
// 95138132-1dde-4669-b6b0-eede6b2f5399.
inline constexpr const char* kKeyAttestationOid = "2.25.198156245413755402898810567918963610521";

struct InheritedPolicy {
  std::string name;
  uint64_t version = 0;
  ByteArray<32> digest{};  // SHA-256 of its text
  template <class V>
  void Visit(V&& v) {
    v(1, name);
    v(2, version);
    v(3, digest);
  }
};

struct KeyDocument {
  std::string label;       // kKeyDocumentLabel
  std::string enclave_id;  // hexadecimal
  std::string token_serial;
  std::string token_label;
  ByteArray<16> object{};
  Bytes public_key_info;  // SubjectPublicKeyInfo, DER
  uint64_t key_type = 0;  // CKK_…
  bool extractable = false;
  bool never_extractable = false;
  bool sensitive = false;
  bool always_sensitive = false;
  bool local = false;                        // generated in the enclave; else it was brought there
  std::vector<std::string> usage;            // sign, decrypt …
  std::vector<uint64_t> allowed_mechanisms;  // CKM_…; empty: any that fits
  std::optional<uint64_t> generation_mechanism;  // CKM_…
  int64_t created = 0;                           // Unix seconds
  std::string creator_measurement;               // of the caller that made it; empty: unattested
  std::string policy;
  uint64_t policy_version = 0;
  ByteArray<32> policy_digest{};
  std::vector<InheritedPolicy> inherited;  // of the keys that it was made from
  int64_t attested_at = 0;                 // Unix seconds, by the enclave's clock
  template <class V>
  void Visit(V&& v) {
    v(1, label);
    v(2, enclave_id);
    v(3, token_serial);
    v(4, token_label);
    v(5, object);
    v(6, public_key_info);
    v(7, key_type);
    v(8, extractable);
    v(9, never_extractable);
    v(10, sensitive);
    v(11, always_sensitive);
    v(12, local);
    v(13, usage);
    v(14, allowed_mechanisms);
    v(15, generation_mechanism);
    v(16, created);
    v(17, creator_measurement);
    v(18, policy);
    v(19, policy_version);
    v(20, policy_digest);
    v(21, inherited);
    v(22, attested_at);
  }
};

struct KeyAttestation {
  std::string evidence_type;
  Bytes evidence;
  Bytes nonce;     // the asker's
  Bytes document;  // KeyDocument, deterministic CBOR
  template <class V>
  void Visit(V&& v) {
    v(1, evidence_type);
    v(2, evidence);
    v(3, nonce);
    v(4, document);
  }
};

// kEvidenceMalformed. Neither says that the evidence is genuine, or about this document.
Result<KeyDocument> ParseKeyDocument(ByteSpan document);
Result<KeyAttestation> ParseKeyAttestation(ByteSpan attestation);

}  // namespace keyclave::wire
