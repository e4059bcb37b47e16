// Keys that are to be made: their types in words, and the templates that make them.
#pragma once

#include "enclave/ctl/key_text.h"

namespace keyclave::ctl {

struct KeyType {
  enum class Kind { kRsa, kAes, kPair };
  Kind kind = Kind::kPair;
  uint64_t size = 0;  // bits of RSA and AES keys
  const PairKind* pair = nullptr;
  std::string_view usage;  // unless something else is said
};
// rsa:2048, ec:p256, ed25519, aes:256 … kInvalidArgument, after `what`, names those that there are.
Result<KeyType> ParseKeyType(const std::string& text, const std::string& what);
// Of a private or secret key that there is, by its attributes.
KeyType KeyTypeOf(const wire::AttributeList& attributes);
// Whether the key is of this type.
bool IsOfType(const wire::AttributeList& attributes, const KeyType& type);

struct NewKey {
  std::string label;
  std::string id;  // hexadecimal; empty: 8 random bytes
  std::string policy;
  std::vector<std::string> usage;  // empty: the type's
  bool extractable = false;
  bool persistent = true;  // a token object, or the session's
};

// The attributes that the key (and, for pairs, its public key) gets besides those of its type.
struct KeyTemplates {
  wire::AttributeList private_attributes;
  wire::AttributeList public_attributes;
};
Result<KeyTemplates> MakeKeyTemplates(const NewKey& key, const KeyType& type);

wire::GenerateKeyRequest GenerateSecretKey(const wire::TokenId& token, const KeyType& type,
                                           const KeyTemplates& templates);
Result<wire::GenerateKeyPairRequest> GenerateKeyPair(const wire::TokenId& token,
                                                     const KeyType& type,
                                                     const KeyTemplates& templates);

}  // namespace keyclave::ctl
