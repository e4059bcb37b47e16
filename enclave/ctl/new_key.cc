#include "enclave/ctl/new_key.h"

#include <algorithm>

#include "enclave/base/hash.h"
#include "enclave/wire/pkcs11_numbers.h"

namespace keyclave::ctl {
namespace {

std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    words.emplace_back(text.substr(0, text.find(',')));
    text.remove_prefix(std::min(words.back().size() + 1, text.size()));
  }
  return words;
}

Status SetUsage(const std::vector<std::string>& usage, KeyTemplates& templates) {
  for (const UsageWord& word : UsageWords()) {
    templates.private_attributes.SetBool(word.attribute, false);
    templates.public_attributes.SetBool(word.public_attribute, false);
  }
  for (const std::string& name : usage) {
    const auto& words = UsageWords();
    const auto found = std::find_if(words.begin(), words.end(),
                                    [&](const UsageWord& word) { return word.word == name; });
    if (found == words.end()) {
      return Fail(Code::kInvalidArgument, "usage " + name +
                                              " is not known: sign, verify, encrypt, decrypt, "
                                              "wrap, unwrap, derive, encapsulate, decapsulate");
    }
    templates.private_attributes.SetBool(found->attribute, true);
    templates.public_attributes.SetBool(found->public_attribute, true);
  }
  return Done{};
}

// Attributes that PKCS#11 has for one half of a pair only, or for pairs only.
void DropForeignAttributes(KeyType::Kind kind, KeyTemplates& templates) {
  if (kind == KeyType::Kind::kAes) {
    for (const uint64_t type : {CKA_ENCAPSULATE, CKA_DECAPSULATE})
      templates.private_attributes.Remove(type);
    return;
  }
  for (const uint64_t type : {CKA_VERIFY, CKA_ENCRYPT, CKA_WRAP, CKA_ENCAPSULATE}) {
    templates.private_attributes.Remove(type);
  }
  for (const uint64_t type : {CKA_SIGN, CKA_DECRYPT, CKA_UNWRAP, CKA_DECAPSULATE}) {
    templates.public_attributes.Remove(type);
  }
}

}  // namespace

Result<KeyType> ParseKeyType(const std::string& text, const std::string& what) {
  if (text == "rsa:2048" || text == "rsa:3072" || text == "rsa:4096") {
    return KeyType{KeyType::Kind::kRsa, std::stoul(text.substr(4)), nullptr, "sign,decrypt"};
  }
  if (text == "aes:128" || text == "aes:192" || text == "aes:256") {
    return KeyType{KeyType::Kind::kAes, std::stoul(text.substr(4)), nullptr,
                   "encrypt,decrypt,wrap,unwrap"};
  }
  if (const PairKind* pair = FindPairKind(text))
    return KeyType{KeyType::Kind::kPair, 0, pair, pair->usage};
  return Fail(Code::kInvalidArgument,
              what + " " + text +
                  " is not known: rsa:2048, rsa:3072, rsa:4096, ec:p256, ec:p384, ec:p521, "
                  "ec:secp256k1, ed25519, ed448, x25519, x448, sm2, aes:128, aes:192, aes:256, "
                  "ml-dsa:44, ml-dsa:65, ml-dsa:87, ml-kem:512, ml-kem:768, ml-kem:1024, "
                  "slh-dsa:sha2-128s … slh-dsa:shake-256f");
}

KeyType KeyTypeOf(const wire::AttributeList& attributes) {
  const auto type = attributes.Ulong(CKA_KEY_TYPE);
  if (type == CKK_AES)
    return {KeyType::Kind::kAes, attributes.Ulong(CKA_VALUE_LEN).value_or(0) * 8, nullptr,
            "encrypt,decrypt,wrap,unwrap"};
  if (type == CKK_RSA) {
    // A private key may say its modulus only.
    const Bytes* modulus = attributes.Find(CKA_MODULUS);
    const uint64_t bits = modulus == nullptr ? 0 : modulus->size() * 8;
    return {KeyType::Kind::kRsa, attributes.Ulong(CKA_MODULUS_BITS).value_or(bits), nullptr,
            "sign,decrypt"};
  }
  const PairKind* pair = PairKindOf(attributes);
  return {KeyType::Kind::kPair, 0, pair, pair != nullptr ? pair->usage : "sign"};
}

bool IsOfType(const wire::AttributeList& attributes, const KeyType& type) {
  const KeyType own = KeyTypeOf(attributes);
  if (own.kind == KeyType::Kind::kPair && own.pair == nullptr) return false;
  return own.kind == type.kind && own.size == type.size && own.pair == type.pair;
}

Result<KeyTemplates> MakeKeyTemplates(const NewKey& key, const KeyType& type) {
  Bytes id;
  if (key.id.empty()) {
    const ByteArray<8> random = RandomArray<8>();
    id = ToBytes(ByteSpan(random));
  } else {
    KC_ASSIGN(id, ParseId(key.id));
  }
  KeyTemplates templates;
  for (wire::AttributeList* list : {&templates.private_attributes, &templates.public_attributes}) {
    list->SetBool(CKA_TOKEN, key.persistent);
    list->SetText(CKA_LABEL, key.label);
    list->Set(CKA_ID, id);
    if (!key.policy.empty()) list->SetText(kCkaPolicy, key.policy);
  }
  templates.private_attributes.SetBool(CKA_PRIVATE, true);
  templates.private_attributes.SetBool(CKA_SENSITIVE, true);
  templates.private_attributes.SetBool(CKA_EXTRACTABLE, key.extractable);
  templates.public_attributes.SetBool(CKA_PRIVATE, false);
  KC_CHECK_OK(SetUsage(key.usage.empty() ? Words(type.usage) : key.usage, templates));
  DropForeignAttributes(type.kind, templates);
  return templates;
}

wire::GenerateKeyRequest GenerateSecretKey(const wire::TokenId& token, const KeyType& type,
                                           const KeyTemplates& templates) {
  wire::GenerateKeyRequest request;
  request.token = token;
  request.mechanism.type = CKM_AES_KEY_GEN;
  request.attributes = templates.private_attributes;
  request.attributes.SetUlong(CKA_VALUE_LEN, type.size / 8);
  return request;
}

Result<wire::GenerateKeyPairRequest> GenerateKeyPair(const wire::TokenId& token,
                                                     const KeyType& type,
                                                     const KeyTemplates& templates) {
  wire::GenerateKeyPairRequest request;
  request.token = token;
  request.public_attributes = templates.public_attributes;
  request.private_attributes = templates.private_attributes;
  if (type.kind == KeyType::Kind::kRsa) {
    request.mechanism.type = CKM_RSA_PKCS_KEY_PAIR_GEN;
    request.public_attributes.SetUlong(CKA_MODULUS_BITS, type.size);
    request.public_attributes.Set(CKA_PUBLIC_EXPONENT, ByteArray<3>{1, 0, 1});
    return request;
  }
  request.mechanism.type = type.pair->mechanism;
  if (type.pair->set != 0) request.public_attributes.SetUlong(CKA_PARAMETER_SET, type.pair->set);
  if (!type.pair->curve.empty()) {
    KC_ASSIGN(const Bytes curve, FromHex(type.pair->curve));
    request.public_attributes.Set(CKA_EC_PARAMS, curve);
  }
  return request;
}

}  // namespace keyclave::ctl
