// Objects in words: what a key is, what it may do, and its attributes by name.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "enclave/ctl/output.h"
#include "enclave/wire/attributes.h"
#include "enclave/wire/messages.h"

namespace keyclave::ctl {

std::string ClassText(const wire::AttributeList& attributes);  // "private key"
std::string TypeText(const wire::AttributeList& attributes);   // "RSA 2048", "EC P-256", "AES 256"
std::string UsageText(const wire::AttributeList& attributes);  // "sign, decrypt"
std::string IdText(const wire::AttributeList& attributes);     // CKA_ID, hexadecimal

// One attribute for people: its name without CKA_, and its value in words where that is possible.
struct AttributeText {
  std::string name;
  std::string value;
};
// In the order of their numbers. Secret values are never shown, even if the enclave gave them.
std::vector<AttributeText> AttributeTexts(const wire::AttributeList& attributes);

// The object for programs: {id, class, label, type, usage, policy, …}.
Json ObjectJson(const wire::ObjectInfo& object);

// CKA_ID from --id: 1 to 64 bytes in hexadecimal, or kInvalidArgument.
Result<Bytes> ParseId(const std::string& text);

// A kind of key pair in words ("ec:p256", "ed25519", "ml-dsa:65"), and what makes it.
struct PairKind {
  std::string_view name;
  std::string_view shown;
  uint64_t key_type;
  uint64_t mechanism;
  std::string_view curve;  // CKA_EC_PARAMS, hexadecimal; empty: it has none
  uint64_t set;            // CKA_PARAMETER_SET; 0: it has none
  std::string_view usage;  // what it may do, unless something else is said
};
const PairKind* FindPairKind(std::string_view name);                // nullptr: not known
const PairKind* PairKindOf(const wire::AttributeList& attributes);  // nullptr: another

// The usage words of --usage and the attribute each sets: on the private or secret key, and its
// counterpart on the public key.
struct UsageWord {
  std::string_view word;
  uint64_t attribute;
  uint64_t public_attribute;
};
const std::vector<UsageWord>& UsageWords();

}  // namespace keyclave::ctl
