#include "ossl_provider/algorithms.h"

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>

#include <vector>

namespace keyclave::ossl {
namespace {

using Table = std::vector<OSSL_ALGORITHM>;

#define KC_PROPERTIES(more) "provider=keyclave" more

// The operation whose algorithm has the key type's own name.
void AddOwnOperation(Table& table, int operation, const KeyTypeInfo& info) {
  const auto add = [&](int own, const OSSL_DISPATCH* functions) {
    if (own == operation) table.push_back({info.names, KC_PROPERTIES(""), functions, nullptr});
  };
  switch (info.family) {
    case KeyFamily::kSm2: return add(OSSL_OP_SIGNATURE, Sm2Signature());
    case KeyFamily::kEdwards: return add(OSSL_OP_SIGNATURE, EddsaSignature());
    case KeyFamily::kMontgomery: return add(OSSL_OP_KEYEXCH, MontgomeryKeyexch());
    case KeyFamily::kMlDsa:
    case KeyFamily::kSlhDsa: return add(OSSL_OP_SIGNATURE, PostQuantumSignature());
    case KeyFamily::kMlKem: return add(OSSL_OP_KEM, MlKemKem());
    // Theirs have other names: algorithms.inc.
    case KeyFamily::kRsa:
    case KeyFamily::kRsaPss:
    case KeyFamily::kEc: return;
  }
}

template <KeyType type>
void AddType(Table& table, int operation) {
  const KeyTypeInfo& info = InfoOf(type);
  const auto add = [&](const char* properties, const OSSL_DISPATCH* functions) {
    table.push_back({info.names, properties, functions, nullptr});
  };
  if (operation == OSSL_OP_KEYMGMT) add(KC_PROPERTIES(""), Keymgmt<type>());
  if (operation == OSSL_OP_DECODER) {
    add(KC_PROPERTIES(",input=der,structure=keyclave-reference"), ReferenceDecoder<type>());
  }
  if (operation == OSSL_OP_ENCODER) {
    add(KC_PROPERTIES(",output=text"), TextEncoder());
    add(KC_PROPERTIES(",output=der,structure=SubjectPublicKeyInfo"), SpkiDerEncoder());
    add(KC_PROPERTIES(",output=pem,structure=SubjectPublicKeyInfo"), SpkiPemEncoder());
    add(KC_PROPERTIES(",output=pem,structure=PrivateKeyInfo"), ReferenceEncoder());
    add(KC_PROPERTIES(",output=der,structure=PrivateKeyInfo"), PrivateKeyEncoder());
  }
  AddOwnOperation(table, operation, info);
}

Table Build(int wanted) {
  const unsigned long running = OpenSSL_version_num();
  Table table;
#define KC_KEY_TYPE(id, name, aliases, family, set, since) \
  if (running >= (since)) AddType<KeyType::id>(table, wanted);
#include "ossl_provider/key_types.inc"
#undef KC_KEY_TYPE
#define KC_ALGORITHM(operation, names, properties, functions, since) \
  if (wanted == OSSL_OP_##operation && running >= (since))           \
    table.push_back({names, KC_PROPERTIES(properties), functions, nullptr});
#include "ossl_provider/algorithms.inc"
#undef KC_ALGORITHM
  table.push_back({nullptr, nullptr, nullptr, nullptr});
  return table;
}

// Made once and never destroyed: libcrypto keeps the addresses, and nothing here runs at exit.
template <int operation>
const OSSL_ALGORITHM* Once() {
  static const Table& table = *new Table(Build(operation));
  return table.data();
}

}  // namespace

const OSSL_ALGORITHM* Algorithms(int operation) {
  switch (operation) {
    case OSSL_OP_KEYMGMT: return Once<OSSL_OP_KEYMGMT>();
    case OSSL_OP_KEYEXCH: return Once<OSSL_OP_KEYEXCH>();
    case OSSL_OP_SIGNATURE: return Once<OSSL_OP_SIGNATURE>();
    case OSSL_OP_ASYM_CIPHER: return Once<OSSL_OP_ASYM_CIPHER>();
    case OSSL_OP_KEM: return Once<OSSL_OP_KEM>();
    case OSSL_OP_STORE: return Once<OSSL_OP_STORE>();
    case OSSL_OP_DECODER: return Once<OSSL_OP_DECODER>();
    case OSSL_OP_ENCODER: return Once<OSSL_OP_ENCODER>();
    default:
      // Digests, ciphers, random numbers: the default provider's, and only its.
      return nullptr;
  }
}

}  // namespace keyclave::ossl
