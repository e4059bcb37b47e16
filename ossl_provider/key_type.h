// Types of keys as libcrypto names them, and what follows from a type alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "enclave/wire/pkcs11_numbers.h"

namespace keyclave::ossl {

// What types of one kind have in common: the same operations, the same parameters.
enum class KeyFamily : uint8_t {
  kRsa,
  kRsaPss,
  kEc,
  kSm2,
  kEdwards,
  kMontgomery,
  kMlDsa,
  kMlKem,
  kSlhDsa
};

// Versions of libcrypto, as OpenSSL_version_num() says them.
inline constexpr unsigned long kOpenssl30 = 0x30000000UL;
inline constexpr unsigned long kOpenssl34 = 0x30400000UL;
inline constexpr unsigned long kOpenssl35 = 0x30500000UL;

enum class KeyType : uint8_t {
#define KC_KEY_TYPE(id, name, aliases, family, set, since) id,
#include "ossl_provider/key_types.inc"
#undef KC_KEY_TYPE
};

struct KeyTypeInfo {
  KeyType type;
  const char* name;   // its first: the KEYMGMT's
  const char* names;  // all of them, separated by colons
  KeyFamily family;
  uint64_t parameter_set;  // CKP_…, 0: none
  unsigned long since;     // the first libcrypto that has the type
};

inline constexpr KeyTypeInfo kKeyTypes[] = {
#define KC_KEY_TYPE(id, name, aliases, family, set, since) \
  {KeyType::id, name, name ":" aliases, KeyFamily::family, set, since},
#include "ossl_provider/key_types.inc"
#undef KC_KEY_TYPE
};

constexpr const KeyTypeInfo& InfoOf(KeyType type) { return kKeyTypes[static_cast<size_t>(type)]; }
constexpr const char* KeyTypeName(KeyType type) { return InfoOf(type).name; }
constexpr KeyFamily FamilyOf(KeyType type) { return InfoOf(type).family; }

// The type of that (first) name, in any case of letters.
std::optional<KeyType> FindKeyType(std::string_view name);

}  // namespace keyclave::ossl
