// Requests and replies of operations that use keys.
#pragma once

#include "enclave/wire/message_parts.h"

namespace keyclave::wire {

struct SignRequest {
  ObjectRef key;
  Mechanism mechanism;
  Bytes input;  // what the mechanism takes: a digest for CKM_ECDSA, a message for CKM_ECDSA_SHA256
  KC_FIELDS_3(key, mechanism, input)
};
struct OutputReply {
  Bytes output;
  KC_FIELDS_1(output)
};
using SignReply = OutputReply;

struct VerifyRequest {
  ObjectRef key;
  Mechanism mechanism;
  Bytes input;
  Bytes signature;
  KC_FIELDS_4(key, mechanism, input, signature)
};
using VerifyReply = Empty;

using EncryptRequest = SignRequest;
using EncryptReply = OutputReply;
using DecryptRequest = SignRequest;
using DecryptReply = OutputReply;

// A key or data object for a public key that the caller's evidence names. `form` is the number of a
// form of authz/wrap_forms.h.
struct ReleaseRequest {
  ObjectRef object;
  ByteArray<32> recipient{};  // SHA-256 of its SubjectPublicKeyInfo
  uint64_t form = 0;
  Bytes nonce;  // for the receipt, at most 64 bytes
  KC_FIELDS_4(object, recipient, form, nonce)
};
struct ReleaseReply {
  Bytes wrapped;
  Bytes receipt;                        // CBOR of receipt.h
  Bytes signature;                      // over ReceiptDigest, by the audit key
  std::optional<std::string> jws = {};  // the same receipt as a JWS (RFC 7515), by that key too
  KC_FIELDS_4(wrapped, receipt, signature, jws)
};

struct WrapKeyRequest {
  ObjectRef wrapping_key;
  Mechanism mechanism;
  ObjectRef key;
  KC_FIELDS_3(wrapping_key, mechanism, key)
};
using WrapKeyReply = OutputReply;

struct UnwrapKeyRequest {
  ObjectRef unwrapping_key;
  Mechanism mechanism;
  Bytes wrapped;
  AttributeList attributes;
  KC_FIELDS_4(unwrapping_key, mechanism, wrapped, attributes)
};
using UnwrapKeyReply = ObjectReply;

struct DeriveKeyRequest {
  ObjectRef base_key;
  Mechanism mechanism;
  AttributeList attributes;
  KC_FIELDS_3(base_key, mechanism, attributes)
};
using DeriveKeyReply = ObjectReply;

struct RandomRequest {
  uint64_t size = 0;          // bytes, at most 64 KiB
  std::optional<Bytes> seed;  // goes into the enclave's generator beside what it has
  KC_FIELDS_2(size, seed)
};
using RandomReply = OutputReply;

// A secret for the holder of the private key: a new key here, and its way there.
struct EncapsulateKeyRequest {
  ObjectRef public_key;
  Mechanism mechanism;
  AttributeList attributes;
  KC_FIELDS_3(public_key, mechanism, attributes)
};
struct EncapsulateKeyReply {
  ObjectInfo object;
  Bytes ciphertext;
  KC_FIELDS_2(object, ciphertext)
};

struct DecapsulateKeyRequest {
  ObjectRef private_key;
  Mechanism mechanism;
  Bytes ciphertext;
  AttributeList attributes;
  KC_FIELDS_4(private_key, mechanism, ciphertext, attributes)
};
using DecapsulateKeyReply = ObjectReply;

// Signatures that give back what was signed (C_SignRecover, C_VerifyRecover).
using SignRecoverRequest = SignRequest;
using SignRecoverReply = OutputReply;
using VerifyRecoverRequest = SignRequest;  // its input is the signature
using VerifyRecoverReply = OutputReply;

// A digest that the modules' library lacks.
struct DigestRequest {
  uint64_t mechanism = 0;  // CKM_…
  Bytes input;
  KC_FIELDS_2(mechanism, input)
};
using DigestReply = OutputReply;

using ListMechanismsRequest = Empty;
struct ListMechanismsReply {
  std::vector<MechanismInfo> mechanisms;
  KC_FIELDS_1(mechanisms)
};

}  // namespace keyclave::wire
