// A sample of each row of the mechanism table: keys that fit, a parameter, an input. A new family
// gets one here, or its rows fail.
#pragma once

#include <map>

#include "enclave/mech/aes.h"
#include "enclave/mech/hash_alg.h"
#include "tests/unit/mech/mech_testing.h"

namespace keyclave::mech {

struct Sample {
  wire::Mechanism mechanism;
  KeyPtr private_key;  // or the secret key
  KeyPtr public_key;   // or the same secret key
  Bytes input;
  wire::AttributeList new_key;  // generation's template
};

inline const KeyPair& P256Pair() {
  static const KeyPair* const pair = new KeyPair(NewEcPair(kP256));
  return *pair;
}
inline const KeyPair& OtherP256Pair() {
  static const KeyPair* const pair = new KeyPair(NewEcPair(kP256));
  return *pair;
}
inline const KeyPair& Ed25519Pair() {
  static const KeyPair* const pair = new KeyPair(NewEcPair(kEd25519, CKM_EC_EDWARDS_KEY_PAIR_GEN));
  return *pair;
}

inline const KeyPair& Sm2Pair() {
  static const KeyPair* const pair = new KeyPair(NewEcPair(kSm2Curve, kCkmSm2KeyPairGen));
  return *pair;
}

inline const KeyPair& SetPair(uint64_t mechanism, uint64_t set) {
  static std::map<uint64_t, KeyPair>* const pairs = new std::map<uint64_t, KeyPair>;
  const auto found = pairs->find(mechanism);
  if (found != pairs->end()) return found->second;
  wire::AttributeList attributes;
  attributes.SetUlong(CKA_PARAMETER_SET, set);
  return pairs->emplace(mechanism, NewPair(mechanism, attributes)).first->second;
}

inline Sample OfPair(const KeyPair& pair, wire::Mechanism mechanism, Bytes input) {
  return {std::move(mechanism), pair.private_key, pair.public_key, std::move(input), {}};
}
inline Sample OfSecret(const KeyPtr& key, wire::Mechanism mechanism, Bytes input) {
  return {std::move(mechanism), key, key, std::move(input), {}};
}

inline wire::Mechanism PssFor(uint64_t type) {
  static const std::map<uint64_t, std::array<uint64_t, 3>> hashes = {
      {CKM_SHA1_RSA_PKCS_PSS, {CKM_SHA_1, CKG_MGF1_SHA1, 20}},
      {CKM_SHA224_RSA_PKCS_PSS, {CKM_SHA224, CKG_MGF1_SHA224, 28}},
      {CKM_SHA384_RSA_PKCS_PSS, {CKM_SHA384, CKG_MGF1_SHA384, 48}},
      {CKM_SHA512_RSA_PKCS_PSS, {CKM_SHA512, CKG_MGF1_SHA512, 64}},
      {CKM_SHA3_224_RSA_PKCS_PSS, {CKM_SHA3_224, CKG_MGF1_SHA3_224, 28}},
      {CKM_SHA3_256_RSA_PKCS_PSS, {CKM_SHA3_256, CKG_MGF1_SHA3_256, 32}},
      {CKM_SHA3_384_RSA_PKCS_PSS, {CKM_SHA3_384, CKG_MGF1_SHA3_384, 48}},
      {CKM_SHA3_512_RSA_PKCS_PSS, {CKM_SHA3_512, CKG_MGF1_SHA3_512, 64}},
  };
  const auto found = hashes.find(type);
  if (found == hashes.end()) return Pss(type, CKM_SHA256, CKG_MGF1_SHA256, 32);
  const auto& [hash, mgf, salt] = found->second;
  return Pss(type, hash, mgf, salt);
}

inline wire::Mechanism ParameterOfCipher(const MechEntry& entry) {
  const uint64_t type = entry.row->type;
  if (entry.family->name == "aes-cbc") return WithBytes(type, Bytes(16, 7));
  if (entry.family->name == "sm4-cbc") return WithBytes(type, Bytes(16, 7));
  if (entry.family->name == "aes-gcm") return Gcm(Bytes(12, 7), Bytes(3, 1), 128);
  if (entry.family->name == "aes-xts") return WithBytes(type, Bytes(16, 7));
  if (type == CKM_AES_CMAC_GENERAL) return WithBytes(type, wire::UlongBytes(8));
  wire::Mechanism mechanism = Mech(type);
  if (type == CKM_AES_GMAC) mechanism.gcm = wire::GcmParam{Bytes(12, 7), {}, 128};
  if (type == CKM_AES_CCM) mechanism.ccm = wire::CcmParam{Bytes(12, 7), Bytes(3, 1), 16, 32};
  if (type == CKM_AES_CTR || type == kCkmSm4Ctr) mechanism.ctr = wire::CtrParam{64, {}};
  return mechanism;
}

inline bool IsGeneralHmac(uint64_t type) {
  const std::span<const HashAlg> hashes = AllHashes();
  return std::any_of(hashes.begin(), hashes.end(),
                     [&](const HashAlg& hash) { return hash.hmac_general == type; });
}

inline wire::Mechanism ParameterOfDerivation(uint64_t type) {
  wire::Mechanism mechanism = Mech(type);
  switch (type) {
    case CKM_HKDF_DERIVE:
    case CKM_HKDF_DATA:
      mechanism.hkdf = wire::HkdfParam{true, false, CKM_SHA256, Bytes(3, 1), {}};
      break;
    case CKM_SP800_108_COUNTER_KDF:
      mechanism.kbkdf = wire::KbkdfParam{CKM_SHA256_HMAC, {}, {}};
      mechanism.kbkdf->fields.push_back({CK_SP800_108_ITERATION_VARIABLE, {}, 32, false, 0});
      break;
    case CKM_SP800_108_FEEDBACK_KDF:
      mechanism.kbkdf = wire::KbkdfParam{CKM_SHA256_HMAC, {}, {}};
      mechanism.kbkdf->fields.push_back({CK_SP800_108_ITERATION_VARIABLE, {}, 0, false, 0});
      mechanism.kbkdf->fields.push_back({CK_SP800_108_OPTIONAL_COUNTER, {}, 32, false, 0});
      break;
    case CKM_AES_ECB_ENCRYPT_DATA: mechanism.bytes = Bytes(32, 5); break;
    case CKM_AES_CBC_ENCRYPT_DATA: mechanism.cbc_data = wire::CbcDataParam{{}, Bytes(32, 5)}; break;
    case CKM_CONCATENATE_BASE_AND_DATA:
    case CKM_CONCATENATE_DATA_AND_BASE: mechanism.bytes = Bytes(16, 5); break;
    case CKM_XOR_BASE_AND_DATA: mechanism.bytes = Bytes(kMaxGenericSecret, 5); break;
    case CKM_CONCATENATE_BASE_AND_KEY: mechanism.second_key.emplace(); break;
    default: break;  // …_KEY_DERIVATION takes none
  }
  return mechanism;
}

inline bool DerivesFromSecret(const MechEntry& entry) {
  return (entry.row->flags & CKF_DERIVE) != 0 && entry.family->name != "ecdh";
}
inline bool TakesAnySecret(std::string_view family) {
  return family == "hash-derive" || family == "join-derive" || family == "join-keys";
}

inline wire::AttributeList GenerationTemplate(uint64_t type) {
  wire::AttributeList attributes;
  switch (type) {
    case CKM_RSA_PKCS_KEY_PAIR_GEN: attributes.SetUlong(CKA_MODULUS_BITS, 2048); break;
    case CKM_EC_KEY_PAIR_GEN: attributes = CurveTemplate(kP384); break;
    case CKM_EC_EDWARDS_KEY_PAIR_GEN: attributes = CurveTemplate(kEd448); break;
    case CKM_EC_MONTGOMERY_KEY_PAIR_GEN: attributes = CurveTemplate(kX25519); break;
    case kCkmSm2KeyPairGen: attributes = CurveTemplate(kSm2Curve); break;
    case CKM_ML_DSA_KEY_PAIR_GEN: attributes.SetUlong(CKA_PARAMETER_SET, CKP_ML_DSA_65); break;
    case CKM_ML_KEM_KEY_PAIR_GEN: attributes.SetUlong(CKA_PARAMETER_SET, CKP_ML_KEM_768); break;
    case CKM_SLH_DSA_KEY_PAIR_GEN:
      attributes.SetUlong(CKA_PARAMETER_SET, CKP_SLH_DSA_SHA2_192F);
      break;
    case kCkmSm4KeyGen: attributes.SetUlong(CKA_VALUE_LEN, 16); break;
    default: attributes.SetUlong(CKA_VALUE_LEN, 32); break;
  }
  return attributes;
}

inline bool UsesParameterSet(const MechEntry& entry) {
  const std::string_view family = entry.family->name;
  return family.starts_with("ml-") || family.starts_with("slh-");
}
inline Sample SampleOfSet(const MechEntry& entry, const Bytes& message) {
  const uint64_t type = entry.row->type;
  const std::string_view family = entry.family->name;
  if (family == "ml-kem") {
    return OfPair(SetPair(CKM_ML_KEM_KEY_PAIR_GEN, CKP_ML_KEM_512), Mech(type), {});
  }
  wire::Mechanism mechanism = Mech(type);
  if (type == CKM_HASH_ML_DSA || type == CKM_HASH_SLH_DSA) {
    mechanism.sign_context = wire::SignContextParam{CKH_HEDGE_PREFERRED, {}, CKM_SHA256};
  }
  return OfPair(family == "ml-dsa" ? SetPair(CKM_ML_DSA_KEY_PAIR_GEN, CKP_ML_DSA_44)
                                   : SetPair(CKM_SLH_DSA_KEY_PAIR_GEN, CKP_SLH_DSA_SHA2_128F),
                std::move(mechanism), message);
}

inline Sample SampleOf(const MechEntry& entry) {
  const uint64_t type = entry.row->type;
  const std::string_view family = entry.family->name;
  const Bytes message = ToBytes("a message of 32 bytes, no more!!");
  if (entry.family->generate != nullptr) {
    Sample sample;
    sample.mechanism = Mech(type);
    sample.new_key = GenerationTemplate(type);
    return sample;
  }
  if (family == "digest") return {Mech(type), nullptr, nullptr, message, {}};
  if (UsesParameterSet(entry)) return SampleOfSet(entry, message);
  if (family == "rsa-pss") return OfPair(SomeRsaPair(), PssFor(type), message);
  if (family == "rsa-oaep") return OfPair(SomeRsaPair(), Oaep(CKM_SHA256, CKG_MGF1_SHA1), message);
  if (family == "rsa-aes-key-wrap") {
    return OfPair(SomeRsaPair(), RsaAes(CKM_SHA256, CKG_MGF1_SHA256), message);
  }
  if (family == "rsa-tls") return OfPair(SomeRsaPair(), Tls(0x0303), message);
  if (family.starts_with("rsa-")) return OfPair(SomeRsaPair(), Mech(type), message);
  if (family == "ecdsa") return OfPair(P256Pair(), Mech(type), message);
  if (family == "eddsa") return OfPair(Ed25519Pair(), Mech(type), message);
  if (family == "sm2" || family == "sm2-encrypt") return OfPair(Sm2Pair(), Mech(type), message);
  if (family == "ecdh") {
    return OfPair(P256Pair(), Ecdh(type, *OtherP256Pair().attributes.Find(CKA_EC_POINT)), {});
  }
  if (DerivesFromSecret(entry)) {
    const uint64_t key_type = family == "cipher-derive" ? CKK_AES : CKK_GENERIC_SECRET;
    return OfSecret(SecretKey(key_type, Bytes(16, 9)), ParameterOfDerivation(type), {});
  }
  if (family == "aes-xts") {
    Bytes halves(64, 9);
    halves.front() = 8;
    return OfSecret(SecretKey(CKK_AES_XTS, halves), ParameterOfCipher(entry), message);
  }
  if (family.starts_with("sm4-")) {
    return OfSecret(SecretKey(kCkkSm4, Bytes(16, 9)), ParameterOfCipher(entry), message);
  }
  if (family == "hmac") {
    const KeyPtr key = SecretKey(CKK_GENERIC_SECRET, Bytes(32, 9));
    return OfSecret(key, IsGeneralHmac(type) ? WithBytes(type, wire::UlongBytes(16)) : Mech(type),
                    message);
  }
  if (family.starts_with("aes-")) {
    return OfSecret(AesKeyOf(32), ParameterOfCipher(entry), message);
  }
  ADD_FAILURE() << "no sample for the family " << family;
  return {};
}

class OfEachRow : public testing::TestWithParam<uint64_t> {
 protected:
  OfEachRow() : entry(Get(FindMechanism(GetParam()))), sample(SampleOf(entry)) {}
  bool Has(uint64_t flag) const { return (entry.row->flags & flag) != 0; }
  const MechFamily& family() const { return *entry.family; }

  const MechEntry entry;
  const Sample sample;
};

// The rows that a suite is about.
template <class Fits>
auto RowsThat(Fits fits) {
  std::vector<uint64_t> types;
  for (const MechEntry& entry : AllMechanisms()) {
    if (fits(entry)) types.push_back(entry.row->type);
  }
  return testing::ValuesIn(types);
}
inline auto RowsWith(uint64_t flag) {
  return RowsThat([flag](const MechEntry& entry) { return (entry.row->flags & flag) != 0; });
}
inline bool Generates(const MechEntry& entry) { return entry.family->generate != nullptr; }
inline bool UsesKey(const MechEntry& entry) {
  return !Generates(entry) && entry.family->digest == nullptr;
}
inline bool UsesSecretKey(const MechEntry& entry) {
  const std::string_view family = entry.family->name;
  return UsesKey(entry) && (DerivesFromSecret(entry) || family == "hmac" ||
                            family.starts_with("aes-") || family.starts_with("sm4-"));
}
inline bool UsesPair(const MechEntry& entry) { return UsesKey(entry) && !UsesSecretKey(entry); }
inline bool Agrees(const MechEntry& entry) {
  return (entry.row->flags & CKF_DERIVE) != 0 && !DerivesFromSecret(entry);
}
inline std::string NameOf(const testing::TestParamInfo<uint64_t>& type) {
  std::string name(Get(FindMechanism(type.param)).family->name);
  std::replace(name.begin(), name.end(), '-', '_');
  Bytes number = wire::UlongBytes(type.param);
  std::reverse(number.begin(), number.end());
  return name + "_0x" + ToHex(ByteSpan(number).last(4));
}
}  // namespace keyclave::mech
