// KEYMGMT for RSA, RSA-PSS and EC: key objects that are references. Everything public is answered
// from the key's own public half; nothing private can be exported, and no call here makes a
// request.

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "ossl_provider/algorithms.h"
#include "ossl_provider/key.h"

namespace keyclave::ossl {
namespace {

KeyData* Data(void* keydata) { return static_cast<KeyData*>(keydata); }
const KeyData* Data(const void* keydata) { return static_cast<const KeyData*>(keydata); }

template <KeyType type>
void* New(void* provctx) {
  auto& context = *static_cast<Context*>(provctx);
  return GuardPointer(context, [&]() -> Result<KeyData*> {
    return new KeyData{context, type, nullptr};
  });
}

void FreeKey(void* keydata) { delete Data(keydata); }

// `reference` was made by this provider's store or decoder.
template <KeyType type>
void* Load(const void* reference, size_t size) {
  try {
    const auto loaded = FromReference(reference, size);
    if (!loaded.ok() || (*loaded)->type != type) return nullptr;
    return new KeyData(**loaded);
  } catch (...) {
    return nullptr;
  }
}

void* Duplicate(const void* keydata, int selection) {
  const KeyData& from = *Data(keydata);
  return GuardPointer(from.context, [&]() -> Result<KeyData*> {
    // A copy without its private half would still be told apart by libcrypto as a private key only
    // through `has`, so it becomes a public key.
    if (from.key == nullptr || (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 ||
        !from.key->is_private()) {
      return new KeyData(from);
    }
    KC_ASSIGN(KeyPtr key, Key::FromSpki(from.context, from.key->spki(), std::nullopt));
    return new KeyData{from.context, from.type, std::move(key)};
  });
}

int Has(const void* keydata, int selection) {
  if (keydata == nullptr) return 0;
  const KeyPtr& key = Data(keydata)->key;
  const int halves = selection & OSSL_KEYMGMT_SELECT_KEYPAIR;
  if (halves != 0 && key == nullptr) return 0;
  if ((selection & OSSL_KEYMGMT_SELECT_DOMAIN_PARAMETERS) != 0 && key == nullptr) return 0;
  if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 && !key->is_private()) return 0;
  return 1;
}

int Match(const void* keydata1, const void* keydata2, int selection) {
  const KeyData& a = *Data(keydata1);
  const KeyData& b = *Data(keydata2);
  if (a.key == nullptr || b.key == nullptr || a.type != b.type) return 0;
  const ErrorMark mark(a.context.core());
  if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) != 0)
    // One public half has one private half, so nothing more is to be compared for SELECT_PRIVATE.
    return EVP_PKEY_eq(a.key->public_key(), b.key->public_key()) == 1 ? 1 : 0;
  if ((selection & OSSL_KEYMGMT_SELECT_DOMAIN_PARAMETERS) != 0 && a.type == KeyType::kEc)
    return EVP_PKEY_parameters_eq(a.key->public_key(), b.key->public_key()) == 1 ? 1 : 0;
  return 1;
}

int Validate(const void* keydata, int selection, int /*checktype*/) {
  const KeyData& data = *Data(keydata);
  return Guard(data.context, [&]() -> Status {
    if (data.key == nullptr) return Fail(Code::kInvalidArgument, "an empty key");
    if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 && !data.key->is_private())
      return Fail(Code::kActionProhibited, "this is a public key");
    const ErrorMark mark(data.context.core());
    const EvpPkeyCtx ctx(
        EVP_PKEY_CTX_new_from_pkey(data.context.libctx(), data.key->public_key(), nullptr));
    if (ctx == nullptr || EVP_PKEY_public_check(ctx.get()) != 1)
      return Fail(Code::kMalformed, "the public key is not valid");
    return Done{};
  });
}

// Public halves of other providers' keys come in, so that libcrypto can compare them with ours in
// either order. Anything with a private half is refused without a word: libcrypto then looks
// elsewhere.
int Import(void* keydata, int selection, const OSSL_PARAM params[]) {
  KeyData& data = *Data(keydata);
  if (data.key != nullptr || (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) == 0 ||
      (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0) {
    return 0;
  }
  return Guard(data.context, [&]() -> Status {
    KC_ASSIGN(data.key, Key::FromParams(data.context, data.type, params));
    return Done{};
  });
}

int Export(void* keydata, int selection, OSSL_CALLBACK* callback, void* argument) {
  const KeyData& data = *Data(keydata);
  if (data.key == nullptr || (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0) return 0;
  const int exported =
      selection & (OSSL_KEYMGMT_SELECT_ALL_PARAMETERS | OSSL_KEYMGMT_SELECT_PUBLIC_KEY);
  if (exported == 0) return 0;
  return EVP_PKEY_export(data.key->public_key(), exported, callback, argument) == 1 ? 1 : 0;
}

const OSSL_PARAM* RsaTypes(int selection) {
  static const OSSL_PARAM types[] = {OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, nullptr, 0),
                                     OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, nullptr, 0),
                                     OSSL_PARAM_END};
  return (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0 ? types : nullptr;
}

const OSSL_PARAM* EcTypes(int selection) {
  static const OSSL_PARAM types[] = {OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, nullptr, 0),
                                     OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, nullptr, 0),
                                     OSSL_PARAM_END};
  return (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0 ? types : nullptr;
}

// Size, strength, default digest, group, modulus …: the public half knows them all.
int GetParams(void* keydata, OSSL_PARAM params[]) {
  const KeyData& data = *Data(keydata);
  if (data.key == nullptr) return 0;
  const ErrorMark mark(data.context.core());
  return EVP_PKEY_get_params(data.key->public_key(), params) == 1 ? 1 : 0;
}

const OSSL_PARAM* RsaGettable(void* /*provctx*/) {
  static const OSSL_PARAM params[] = {
      OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, nullptr),
      OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, nullptr),
      OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, nullptr),
      OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_RSA_DIGEST, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_RSA_MGF1_DIGEST, nullptr, 0),
      OSSL_PARAM_int(OSSL_PKEY_PARAM_RSA_PSS_SALTLEN, nullptr),
      OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, nullptr, 0),
      OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, nullptr, 0),
      OSSL_PARAM_END};
  return params;
}

const OSSL_PARAM* EcGettable(void* /*provctx*/) {
  static const OSSL_PARAM params[] = {
      OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, nullptr),
      OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, nullptr),
      OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, nullptr),
      OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_ENCODING, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, nullptr, 0),
      OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, nullptr, 0),
      OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, nullptr, 0),
      OSSL_PARAM_BN(OSSL_PKEY_PARAM_EC_PUB_X, nullptr, 0),
      OSSL_PARAM_BN(OSSL_PKEY_PARAM_EC_PUB_Y, nullptr, 0),
      OSSL_PARAM_END};
  return params;
}

const char* RsaOperation(int /*operation*/) { return "RSA"; }

const char* EcOperation(int operation) {
  return operation == OSSL_OP_SIGNATURE ? "ECDSA" : nullptr;
}

// Keys are not made here. libcrypto comes all the same if this provider stands before the default
// one, where it takes whatever has the name; TLS then has no ephemeral keys, and this is the
// reason.
void* RefuseGeneration(void* provctx, int /*selection*/, const OSSL_PARAM /*params*/[]) {
  return GuardPointer(*static_cast<Context*>(provctx), [&]() -> Result<KeyData*> {
    return Fail(
        Code::kUnsupported,
        "keys of the enclave are made with `keyclave key generate`; for other keys activate "
        "the default provider before keyclave (openssl.cnf, -provider)");
  });
}
void* GenerateNothing(void* /*genctx*/, OSSL_CALLBACK* /*callback*/, void* /*argument*/) {
  return nullptr;
}
void CleanUpNothing(void* /*genctx*/) {}

template <KeyType type>
struct KeymgmtTable {
  static constexpr bool kEc = type == KeyType::kEc;
  static const OSSL_DISPATCH functions[];
};

template <KeyType type>
const OSSL_DISPATCH KeymgmtTable<type>::functions[] = {
    KC_FN(OSSL_FUNC_KEYMGMT_NEW, OSSL_FUNC_keymgmt_new_fn, New<type>),
    KC_FN(OSSL_FUNC_KEYMGMT_FREE, OSSL_FUNC_keymgmt_free_fn, FreeKey),
    KC_FN(OSSL_FUNC_KEYMGMT_GEN_INIT, OSSL_FUNC_keymgmt_gen_init_fn, RefuseGeneration),
    KC_FN(OSSL_FUNC_KEYMGMT_GEN, OSSL_FUNC_keymgmt_gen_fn, GenerateNothing),
    KC_FN(OSSL_FUNC_KEYMGMT_GEN_CLEANUP, OSSL_FUNC_keymgmt_gen_cleanup_fn, CleanUpNothing),
    KC_FN(OSSL_FUNC_KEYMGMT_LOAD, OSSL_FUNC_keymgmt_load_fn, Load<type>),
    KC_FN(OSSL_FUNC_KEYMGMT_DUP, OSSL_FUNC_keymgmt_dup_fn, Duplicate),
    KC_FN(OSSL_FUNC_KEYMGMT_HAS, OSSL_FUNC_keymgmt_has_fn, Has),
    KC_FN(OSSL_FUNC_KEYMGMT_MATCH, OSSL_FUNC_keymgmt_match_fn, Match),
    KC_FN(OSSL_FUNC_KEYMGMT_VALIDATE, OSSL_FUNC_keymgmt_validate_fn, Validate),
    KC_FN(OSSL_FUNC_KEYMGMT_IMPORT, OSSL_FUNC_keymgmt_import_fn, Import),
    KC_FN(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, OSSL_FUNC_keymgmt_import_types_fn,
          (kEc ? EcTypes : RsaTypes)),
    KC_FN(OSSL_FUNC_KEYMGMT_EXPORT, OSSL_FUNC_keymgmt_export_fn, Export),
    KC_FN(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, OSSL_FUNC_keymgmt_export_types_fn,
          (kEc ? EcTypes : RsaTypes)),
    KC_FN(OSSL_FUNC_KEYMGMT_GET_PARAMS, OSSL_FUNC_keymgmt_get_params_fn, GetParams),
    KC_FN(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, OSSL_FUNC_keymgmt_gettable_params_fn,
          (kEc ? EcGettable : RsaGettable)),
    KC_FN(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, OSSL_FUNC_keymgmt_query_operation_name_fn,
          (kEc ? EcOperation : RsaOperation)),
    {0, nullptr}};

}  // namespace

const OSSL_DISPATCH* RsaKeymgmt() { return KeymgmtTable<KeyType::kRsa>::functions; }
const OSSL_DISPATCH* RsaPssKeymgmt() { return KeymgmtTable<KeyType::kRsaPss>::functions; }
const OSSL_DISPATCH* EcKeymgmt() { return KeymgmtTable<KeyType::kEc>::functions; }

}  // namespace keyclave::ossl
