#include "enclave/ctl/key_text.h"

#include <algorithm>

#include "enclave/base/byte_reader.h"
#include "enclave/base/clock.h"
#include "enclave/wire/pkcs11_numbers.h"

namespace keyclave::ctl {
namespace {

enum class Shape { kText, kHex, kBool, kNumber, kTime, kClass, kKeyType, kSecret };

struct AttributeRow {
  uint64_t type;
  std::string_view name;
  Shape shape;
};

constexpr AttributeRow kAttributes[] = {
    {CKA_CLASS, "class", Shape::kClass},
    {CKA_TOKEN, "token", Shape::kBool},
    {CKA_PRIVATE, "private", Shape::kBool},
    {CKA_LABEL, "label", Shape::kText},
    {CKA_UNIQUE_ID, "unique_id", Shape::kText},
    {CKA_APPLICATION, "application", Shape::kText},
    {CKA_VALUE, "value", Shape::kSecret},
    {CKA_OBJECT_ID, "object_id", Shape::kHex},
    {CKA_CERTIFICATE_TYPE, "certificate_type", Shape::kNumber},
    {CKA_ISSUER, "issuer", Shape::kHex},
    {CKA_SERIAL_NUMBER, "serial_number", Shape::kHex},
    {CKA_TRUSTED, "trusted", Shape::kBool},
    {CKA_CERTIFICATE_CATEGORY, "certificate_category", Shape::kNumber},
    {CKA_KEY_TYPE, "key_type", Shape::kKeyType},
    {CKA_SUBJECT, "subject", Shape::kHex},
    {CKA_ID, "id", Shape::kHex},
    {CKA_SENSITIVE, "sensitive", Shape::kBool},
    {CKA_ENCRYPT, "encrypt", Shape::kBool},
    {CKA_DECRYPT, "decrypt", Shape::kBool},
    {CKA_WRAP, "wrap", Shape::kBool},
    {CKA_UNWRAP, "unwrap", Shape::kBool},
    {CKA_SIGN, "sign", Shape::kBool},
    {CKA_SIGN_RECOVER, "sign_recover", Shape::kBool},
    {CKA_VERIFY, "verify", Shape::kBool},
    {CKA_VERIFY_RECOVER, "verify_recover", Shape::kBool},
    {CKA_DERIVE, "derive", Shape::kBool},
    {CKA_ENCAPSULATE, "encapsulate", Shape::kBool},
    {CKA_DECAPSULATE, "decapsulate", Shape::kBool},
    {CKA_PARAMETER_SET, "parameter_set", Shape::kNumber},
    {CKA_SEED, "seed", Shape::kSecret},
    {CKA_START_DATE, "start_date", Shape::kText},
    {CKA_END_DATE, "end_date", Shape::kText},
    {CKA_MODULUS, "modulus", Shape::kHex},
    {CKA_MODULUS_BITS, "modulus_bits", Shape::kNumber},
    {CKA_PUBLIC_EXPONENT, "public_exponent", Shape::kHex},
    {CKA_PRIVATE_EXPONENT, "private_exponent", Shape::kSecret},
    {CKA_PRIME_1, "prime_1", Shape::kSecret},
    {CKA_PRIME_2, "prime_2", Shape::kSecret},
    {CKA_EXPONENT_1, "exponent_1", Shape::kSecret},
    {CKA_EXPONENT_2, "exponent_2", Shape::kSecret},
    {CKA_COEFFICIENT, "coefficient", Shape::kSecret},
    {CKA_PUBLIC_KEY_INFO, "public_key_info", Shape::kHex},
    {CKA_VALUE_LEN, "value_len", Shape::kNumber},
    {CKA_CHECK_VALUE, "check_value", Shape::kHex},
    {CKA_EXTRACTABLE, "extractable", Shape::kBool},
    {CKA_LOCAL, "local", Shape::kBool},
    {CKA_NEVER_EXTRACTABLE, "never_extractable", Shape::kBool},
    {CKA_ALWAYS_SENSITIVE, "always_sensitive", Shape::kBool},
    {CKA_KEY_GEN_MECHANISM, "key_gen_mechanism", Shape::kNumber},
    {CKA_MODIFIABLE, "modifiable", Shape::kBool},
    {CKA_COPYABLE, "copyable", Shape::kBool},
    {CKA_DESTROYABLE, "destroyable", Shape::kBool},
    {CKA_EC_PARAMS, "ec_params", Shape::kHex},
    {CKA_EC_POINT, "ec_point", Shape::kHex},
    {CKA_ALWAYS_AUTHENTICATE, "always_authenticate", Shape::kBool},
    {CKA_WRAP_WITH_TRUSTED, "wrap_with_trusted", Shape::kBool},
    {kCkaPolicy, "policy", Shape::kText},
    {kCkaVersion, "version", Shape::kNumber},
    {kCkaStaged, "staged", Shape::kBool},
    {kCkaUseUntil, "use_until", Shape::kTime},
    {kCkaPolicyDigest, "policy_digest", Shape::kHex},
    {kCkaCreatorMeasurement, "creator_measurement", Shape::kText},
    {kCkaCreatorTee, "creator_tee", Shape::kText},
    {kCkaInheritedPolicies, "inherited_policies", Shape::kText},
    {kCkaParents, "parents", Shape::kHex},
    {kCkaCreated, "created", Shape::kTime},
};

// clang-format off
constexpr PairKind kPairs[] = {
    {"ec:p256", "EC P-256", CKK_EC, CKM_EC_KEY_PAIR_GEN, "06082a8648ce3d030107", 0, "sign"},
    {"ec:p384", "EC P-384", CKK_EC, CKM_EC_KEY_PAIR_GEN, "06052b81040022", 0, "sign"},
    {"ec:p521", "EC P-521", CKK_EC, CKM_EC_KEY_PAIR_GEN, "06052b81040023", 0, "sign"},
    {"ec:secp256k1", "EC secp256k1", CKK_EC, CKM_EC_KEY_PAIR_GEN, "06052b8104000a", 0, "sign"},
    {"ed25519", "Ed25519", CKK_EC_EDWARDS, CKM_EC_EDWARDS_KEY_PAIR_GEN, "06032b6570", 0, "sign"},
    {"ed448", "Ed448", CKK_EC_EDWARDS, CKM_EC_EDWARDS_KEY_PAIR_GEN, "06032b6571", 0, "sign"},
    {"x25519", "X25519", CKK_EC_MONTGOMERY, CKM_EC_MONTGOMERY_KEY_PAIR_GEN, "06032b656e", 0, "derive"},
    {"x448", "X448", CKK_EC_MONTGOMERY, CKM_EC_MONTGOMERY_KEY_PAIR_GEN, "06032b656f", 0, "derive"},
    {"sm2", "SM2", kCkkSm2, kCkmSm2KeyPairGen, "06082a811ccf5501822d", 0, "sign,decrypt"},
    {"ml-dsa:44", "ML-DSA-44", CKK_ML_DSA, CKM_ML_DSA_KEY_PAIR_GEN, {}, CKP_ML_DSA_44, "sign"},
    {"ml-dsa:65", "ML-DSA-65", CKK_ML_DSA, CKM_ML_DSA_KEY_PAIR_GEN, {}, CKP_ML_DSA_65, "sign"},
    {"ml-dsa:87", "ML-DSA-87", CKK_ML_DSA, CKM_ML_DSA_KEY_PAIR_GEN, {}, CKP_ML_DSA_87, "sign"},
    {"ml-kem:512", "ML-KEM-512", CKK_ML_KEM, CKM_ML_KEM_KEY_PAIR_GEN, {}, CKP_ML_KEM_512, "decapsulate"},
    {"ml-kem:768", "ML-KEM-768", CKK_ML_KEM, CKM_ML_KEM_KEY_PAIR_GEN, {}, CKP_ML_KEM_768, "decapsulate"},
    {"ml-kem:1024", "ML-KEM-1024", CKK_ML_KEM, CKM_ML_KEM_KEY_PAIR_GEN, {}, CKP_ML_KEM_1024, "decapsulate"},
    {"slh-dsa:sha2-128s", "SLH-DSA-SHA2-128s", CKK_SLH_DSA, CKM_SLH_DSA_KEY_PAIR_GEN, {}, CKP_SLH_DSA_SHA2_128S, "sign"},
    {"slh-dsa:shake-128s", "SLH-DSA-SHAKE-128s", CKK_SLH_DSA, CKM_SLH_DSA_KEY_PAIR_GEN, {}, CKP_SLH_DSA_SHAKE_128S, "sign"},
    {"slh-dsa:sha2-128f", "SLH-DSA-SHA2-128f", CKK_SLH_DSA, CKM_SLH_DSA_KEY_PAIR_GEN, {}, CKP_SLH_DSA_SHA2_128F, "sign"},
    {"slh-dsa:shake-128f", "SLH-DSA-SHAKE-128f", CKK_SLH_DSA, CKM_SLH_DSA_KEY_PAIR_GEN, {}, CKP_SLH_DSA_SHAKE_128F, "sign"},
    {"slh-dsa:sha2-192s", "SLH-DSA-SHA2-192s", CKK_SLH_DSA, CKM_SLH_DSA_KEY_PAIR_GEN, {}, CKP_SLH_DSA_SHA2_192S, "sign"},
    {"slh-dsa:shake-192s", "SLH-DSA-SHAKE-192s", CKK_SLH_DSA, CKM_SLH_DSA_KEY_PAIR_GEN, {}, CKP_SLH_DSA_SHAKE_192S, "sign"},
    {"slh-dsa:sha2-192f", "SLH-DSA-SHA2-192f", CKK_SLH_DSA, CKM_SLH_DSA_KEY_PAIR_GEN, {}, CKP_SLH_DSA_SHA2_192F, "sign"},
    {"slh-dsa:shake-192f", "SLH-DSA-SHAKE-192f", CKK_SLH_DSA, CKM_SLH_DSA_KEY_PAIR_GEN, {}, CKP_SLH_DSA_SHAKE_192F, "sign"},
    {"slh-dsa:sha2-256s", "SLH-DSA-SHA2-256s", CKK_SLH_DSA, CKM_SLH_DSA_KEY_PAIR_GEN, {}, CKP_SLH_DSA_SHA2_256S, "sign"},
    {"slh-dsa:shake-256s", "SLH-DSA-SHAKE-256s", CKK_SLH_DSA, CKM_SLH_DSA_KEY_PAIR_GEN, {}, CKP_SLH_DSA_SHAKE_256S, "sign"},
    {"slh-dsa:sha2-256f", "SLH-DSA-SHA2-256f", CKK_SLH_DSA, CKM_SLH_DSA_KEY_PAIR_GEN, {}, CKP_SLH_DSA_SHA2_256F, "sign"},
    {"slh-dsa:shake-256f", "SLH-DSA-SHAKE-256f", CKK_SLH_DSA, CKM_SLH_DSA_KEY_PAIR_GEN, {}, CKP_SLH_DSA_SHAKE_256F, "sign"},
};
// clang-format on

std::string KeyTypeName(uint64_t type) {
  switch (type) {
    case CKK_RSA: return "RSA";
    case CKK_EC: return "EC";
    case CKK_AES: return "AES";
    case CKK_ML_DSA: return "ML-DSA";
    case CKK_ML_KEM: return "ML-KEM";
    case CKK_SLH_DSA: return "SLH-DSA";
    case CKK_GENERIC_SECRET: return "generic secret";
    default: return "key type " + std::to_string(type);
  }
}

std::string Hex(const Bytes* bytes) { return bytes == nullptr ? "" : ToHex(*bytes); }

std::string NumberText(uint64_t number) {
  return number == UINT64_MAX ? "unavailable" : std::to_string(number);
}

std::string ValueText(const AttributeRow& row, const wire::AttributeList& attributes,
                      const wire::Attribute& attribute) {
  const uint64_t number = attributes.Ulong(attribute.type).value_or(UINT64_MAX);
  switch (row.shape) {
    case Shape::kText: return std::string(AsText(attribute.value));
    case Shape::kHex: return ToHex(attribute.value);
    case Shape::kBool: return attributes.IsTrue(attribute.type) ? "yes" : "no";
    case Shape::kNumber: return NumberText(number);
    case Shape::kTime: return FormatTime(static_cast<UnixTime>(number));
    case Shape::kClass: return ClassText(attributes);
    case Shape::kKeyType: return KeyTypeName(number);
    case Shape::kSecret: return "(not shown, " + std::to_string(attribute.value.size()) + " bytes)";
  }
  return "";
}

// The value of a certificate or a data object is no secret key, but it is long: key show gives its
// size, cert and data have commands of their own.
const AttributeRow* FindRow(uint64_t type) {
  const auto* found = std::find_if(std::begin(kAttributes), std::end(kAttributes),
                                   [&](const AttributeRow& row) { return row.type == type; });
  return found == std::end(kAttributes) ? nullptr : found;
}

// Empty for what is no certificate.
std::string CertificateTypeText(const wire::AttributeList& attributes) {
  if (attributes.Ulong(CKA_CLASS) != CKO_CERTIFICATE) return "";
  switch (attributes.Ulong(CKA_CERTIFICATE_TYPE).value_or(CKC_X_509)) {
    case CKC_X_509_ATTR_CERT: return "attribute";
    case CKC_WTLS: return "WTLS";
    default: return "X.509";
  }
}

}  // namespace

std::string ClassText(const wire::AttributeList& attributes) {
  switch (attributes.Ulong(CKA_CLASS).value_or(UINT64_MAX)) {
    case CKO_PRIVATE_KEY: return "private key";
    case CKO_PUBLIC_KEY: return "public key";
    case CKO_SECRET_KEY: return "secret key";
    case CKO_CERTIFICATE: return "certificate";
    case CKO_DATA: return "data";
    case CKO_DOMAIN_PARAMETERS: return "domain parameters";
    case CKO_TRUST: return "trust";
    default: return "object";
  }
}

std::string TypeText(const wire::AttributeList& attributes) {
  const auto type = attributes.Ulong(CKA_KEY_TYPE);
  if (!type) return CertificateTypeText(attributes);
  if (const PairKind* kind = PairKindOf(attributes)) return std::string(kind->shown);
  std::string text = KeyTypeName(*type);
  if (*type == CKK_RSA) {
    const Bytes* modulus = attributes.Find(CKA_MODULUS);
    if (modulus != nullptr) text += " " + std::to_string(modulus->size() * 8);
  } else if (const auto length = attributes.Ulong(CKA_VALUE_LEN)) {
    text += " " + std::to_string(*length * 8);
  }
  return text;
}

const PairKind* FindPairKind(std::string_view name) {
  const auto* found = std::find_if(std::begin(kPairs), std::end(kPairs),
                                   [&](const PairKind& row) { return row.name == name; });
  return found == std::end(kPairs) ? nullptr : found;
}

const PairKind* PairKindOf(const wire::AttributeList& attributes) {
  const auto type = attributes.Ulong(CKA_KEY_TYPE);
  const uint64_t set = attributes.Ulong(CKA_PARAMETER_SET).value_or(0);
  const Bytes* params = attributes.Find(CKA_EC_PARAMS);
  const std::string curve = params != nullptr ? ToHex(*params) : "";
  const auto* found = std::find_if(std::begin(kPairs), std::end(kPairs), [&](const PairKind& row) {
    return row.key_type == type && row.set == set && row.curve == curve;
  });
  return found == std::end(kPairs) ? nullptr : found;
}

const std::vector<UsageWord>& UsageWords() {
  static const std::vector<UsageWord> words = {
      {"sign", CKA_SIGN, CKA_VERIFY},
      {"verify", CKA_VERIFY, CKA_VERIFY},
      {"encrypt", CKA_ENCRYPT, CKA_ENCRYPT},
      {"decrypt", CKA_DECRYPT, CKA_ENCRYPT},
      {"wrap", CKA_WRAP, CKA_WRAP},
      {"unwrap", CKA_UNWRAP, CKA_WRAP},
      {"derive", CKA_DERIVE, CKA_DERIVE},
      {"encapsulate", CKA_ENCAPSULATE, CKA_ENCAPSULATE},
      {"decapsulate", CKA_DECAPSULATE, CKA_ENCAPSULATE},
  };
  return words;
}

std::string UsageText(const wire::AttributeList& attributes) {
  std::string text;
  for (const UsageWord& usage : UsageWords()) {
    if (attributes.IsTrue(usage.attribute))
      text.append(text.empty() ? "" : ", ").append(usage.word);
  }
  return text;
}

std::string IdText(const wire::AttributeList& attributes) { return Hex(attributes.Find(CKA_ID)); }

std::vector<AttributeText> AttributeTexts(const wire::AttributeList& attributes) {
  std::vector<wire::Attribute> sorted = attributes.items;
  std::sort(sorted.begin(), sorted.end(),
            [](const auto& a, const auto& b) { return a.type < b.type; });
  std::vector<AttributeText> texts;
  for (const wire::Attribute& attribute : sorted) {
    const AttributeRow* row = FindRow(attribute.type);
    if (row != nullptr) {
      texts.push_back({std::string(row->name), ValueText(*row, attributes, attribute)});
    } else {
      ByteWriter number;
      number.PutBe(attribute.type);
      texts.push_back({"0x" + ToHex(number.bytes()), ToHex(attribute.value)});
    }
  }
  return texts;
}

Json ObjectJson(const wire::ObjectInfo& object) {
  const wire::AttributeList& attributes = object.attributes;
  Json json = {{"object", ToHex(object.id)},           {"class", ClassText(attributes)},
               {"label", attributes.Text(CKA_LABEL)},  {"id", IdText(attributes)},
               {"type", TypeText(attributes)},         {"usage", Json::array()},
               {"policy", attributes.Text(kCkaPolicy)}};
  for (const UsageWord& usage : UsageWords()) {
    if (attributes.IsTrue(usage.attribute)) json["usage"].push_back(std::string(usage.word));
  }
  if (const Bytes* info = attributes.Find(CKA_PUBLIC_KEY_INFO)) {
    json["public_key_info"] = ToBase64(*info);
  }
  return json;
}

Result<Bytes> ParseId(const std::string& text) {
  constexpr size_t kMaxId = 64;  // bytes
  auto id = FromHex(text);
  if (id.ok() && !id->empty() && id->size() <= kMaxId) return id;
  return Fail(Code::kInvalidArgument, "--id " + text + " is not 1 to 64 bytes in hexadecimal");
}

}  // namespace keyclave::ctl
