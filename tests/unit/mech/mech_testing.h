// What the tests of mechanisms share: keys, mechanisms and calls in few words.
#pragma once

#include <gtest/gtest.h>

#include "enclave/mech/mech_type.h"
#include "enclave/wire/pkcs11_numbers.h"

namespace keyclave::mech {

using KeyPtr = std::shared_ptr<const Key>;

struct KeyPair {
  wire::AttributeList attributes;
  SecretBytes material;
  KeyPtr private_key;
  KeyPtr public_key;
};

inline Bytes Hex(std::string_view text) {
  Result<Bytes> bytes = FromHex(text);
  if (!bytes.ok()) ADD_FAILURE() << "not hexadecimal: " << text;
  return bytes.ok() ? *bytes : Bytes();
}

// The bytes with one bit changed.
inline Bytes Flipped(Bytes bytes, size_t bit) {
  bytes.at(bit / 8) = static_cast<uint8_t>(bytes.at(bit / 8) ^ (1U << (bit % 8)));
  return bytes;
}

template <class T>
T Get(Result<T> result, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  if (!result.ok()) {
    ADD_FAILURE_AT(file, line) << result.error().Text();
    throw std::runtime_error("no value");  // ends the test
  }
  return std::move(result).value();
}

// The code of an error, by name; "ok" for success.
template <class T>
std::string CodeOf(const Result<T>& result) {
  return result.ok() ? "ok" : std::string(CodeName(result.code()));
}

inline wire::Mechanism Mech(uint64_t type) {
  wire::Mechanism mechanism;
  mechanism.type = type;
  return mechanism;
}
inline wire::Mechanism Pss(uint64_t type, uint64_t hash, uint64_t mgf, uint64_t salt) {
  wire::Mechanism mechanism = Mech(type);
  mechanism.pss = wire::PssParam{hash, mgf, salt};
  return mechanism;
}
inline wire::Mechanism Oaep(uint64_t hash, uint64_t mgf, Bytes label = {}) {
  wire::Mechanism mechanism = Mech(CKM_RSA_PKCS_OAEP);
  mechanism.oaep = wire::OaepParam{hash, mgf, std::move(label)};
  return mechanism;
}
inline wire::Mechanism RsaAes(uint64_t hash, uint64_t mgf, uint64_t aes_bits = 256) {
  wire::Mechanism mechanism = Mech(CKM_RSA_AES_KEY_WRAP);
  mechanism.rsa_aes = wire::RsaAesParam{aes_bits, wire::OaepParam{hash, mgf, {}}};
  return mechanism;
}
inline wire::Mechanism WithBytes(uint64_t type, Bytes bytes) {
  wire::Mechanism mechanism = Mech(type);
  mechanism.bytes = std::move(bytes);
  return mechanism;
}
inline wire::Mechanism Gcm(Bytes iv, Bytes aad, uint64_t tag_bits) {
  wire::Mechanism mechanism = Mech(CKM_AES_GCM);
  mechanism.gcm = wire::GcmParam{std::move(iv), std::move(aad), tag_bits};
  return mechanism;
}
inline wire::Mechanism Ecdh(uint64_t type, Bytes public_data, uint64_t kdf = CKD_NULL,
                            Bytes shared_data = {}) {
  wire::Mechanism mechanism = Mech(type);
  mechanism.ecdh = wire::EcdhParam{kdf, std::move(shared_data), std::move(public_data)};
  return mechanism;
}
inline wire::Mechanism Tls(uint64_t client, uint64_t negotiated = 0) {
  wire::Mechanism mechanism = Mech(kCkmRsaPkcsTls);
  mechanism.tls = wire::TlsVersionParam{client, negotiated};
  return mechanism;
}

inline const MechFamily& FamilyOf(uint64_t type) { return *Get(FindMechanism(type)).family; }

inline Result<Bytes> Sign(const KeyPtr& key, const wire::Mechanism& mechanism, ByteSpan input) {
  return FamilyOf(mechanism.type).sign(*key, mechanism, input);
}
inline Status Verify(const KeyPtr& key, const wire::Mechanism& mechanism, ByteSpan input,
                     ByteSpan signature) {
  return FamilyOf(mechanism.type).verify(*key, mechanism, input, signature);
}
inline Result<Bytes> Encrypt(const KeyPtr& key, const wire::Mechanism& mechanism, ByteSpan input) {
  return FamilyOf(mechanism.type).encrypt(*key, mechanism, input);
}
inline Result<Bytes> Decrypt(const KeyPtr& key, const wire::Mechanism& mechanism, ByteSpan input) {
  return FamilyOf(mechanism.type).decrypt(*key, mechanism, input);
}

inline KeyPtr Load(wire::AttributeList attributes, uint64_t object_class,
                   const SecretBytes& material) {
  attributes.SetUlong(CKA_CLASS, object_class);
  return Get(LoadKey(attributes, material));
}

inline KeyPair ToPair(NewKey made) {
  KeyPair pair;
  pair.private_key = Load(made.attributes, CKO_PRIVATE_KEY, made.material);
  pair.public_key = Load(made.attributes, CKO_PUBLIC_KEY, {});
  pair.attributes = std::move(made.attributes);
  pair.material = std::move(made.material);
  return pair;
}

inline wire::AttributeList CurveTemplate(std::string_view oid) {
  wire::AttributeList attributes;
  attributes.Set(CKA_EC_PARAMS, Hex(oid));
  return attributes;
}
inline constexpr std::string_view kP256 = "06082a8648ce3d030107";
inline constexpr std::string_view kP384 = "06052b81040022";
inline constexpr std::string_view kP521 = "06052b81040023";
inline constexpr std::string_view kK256 = "06052b8104000a";
inline constexpr std::string_view kEd25519 = "06032b6570";
inline constexpr std::string_view kEd448 = "06032b6571";
inline constexpr std::string_view kX25519 = "06032b656e";
inline constexpr std::string_view kSm2Curve = "06082a811ccf5501822d";
inline constexpr std::string_view kX448 = "06032b656f";

inline KeyPair NewPair(uint64_t mechanism, const wire::AttributeList& attributes) {
  return ToPair(Get(FamilyOf(mechanism).generate(Mech(mechanism), attributes)));
}
inline KeyPair NewEcPair(std::string_view oid, uint64_t mechanism = CKM_EC_KEY_PAIR_GEN) {
  return NewPair(mechanism, CurveTemplate(oid));
}
inline KeyPair NewRsaPair(uint64_t bits) {
  wire::AttributeList attributes;
  attributes.SetUlong(CKA_MODULUS_BITS, bits);
  return NewPair(CKM_RSA_PKCS_KEY_PAIR_GEN, attributes);
}
// One RSA-2048 pair for tests that only need some key.
inline const KeyPair& SomeRsaPair() {
  static const KeyPair* const pair = new KeyPair(NewRsaPair(2048));
  return *pair;
}

inline KeyPtr SecretKey(uint64_t type, ByteSpan value) {
  wire::AttributeList attributes;
  attributes.SetUlong(CKA_KEY_TYPE, type);
  return Load(attributes, CKO_SECRET_KEY, SecretBytes::CopyOf(value));
}
inline KeyPtr AesKeyOf(size_t size, uint8_t fill = 0x42) {
  return SecretKey(CKK_AES, Bytes(size, fill));
}

}  // namespace keyclave::mech
