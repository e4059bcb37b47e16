// KEYMGMT for every type: key objects that are references. Everything public is answered
// from the key's own public half; nothing private can be exported, and no call here makes a
// request.

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "ossl_provider/algorithms.h"
#include "ossl_provider/generation.h"
#include "ossl_provider/key.h"
#include "ossl_provider/params.h"

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
    if (from.key == nullptr || (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0)
      return new KeyData(from);
    if ((selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) == 0)
      return new KeyData{from.context, from.type, nullptr, from.key};
    if (!from.key->is_private()) return new KeyData(from);
    KC_ASSIGN(KeyPtr key, Key::FromSpki(from.context, from.key->spki(), std::nullopt));
    return new KeyData{from.context, from.type, std::move(key)};
  });
}

// The key that has the parameters of this one; nullptr between new and import.
const Key* ParametersOf(const KeyData& data) {
  return data.key != nullptr ? data.key.get() : data.parameters.get();
}

int Has(const void* keydata, int selection) {
  if (keydata == nullptr) return 0;
  const KeyData& data = *Data(keydata);
  if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) != 0 && data.key == nullptr) return 0;
  if ((selection & OSSL_KEYMGMT_SELECT_DOMAIN_PARAMETERS) != 0 && ParametersOf(data) == nullptr)
    return 0;
  if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 && !data.key->is_private()) return 0;
  return 1;
}

int Match(const void* keydata1, const void* keydata2, int selection) {
  const KeyData& a = *Data(keydata1);
  const KeyData& b = *Data(keydata2);
  if (ParametersOf(a) == nullptr || ParametersOf(b) == nullptr || a.type != b.type) return 0;
  const ErrorMark mark(a.context.core());
  if ((selection & OSSL_KEYMGMT_SELECT_KEYPAIR) != 0) {
    // One public half has one private half, so nothing more is to be compared for SELECT_PRIVATE.
    if (a.key == nullptr || b.key == nullptr) return 0;
    // The one that has versions is asked about the other.
    const bool swapped = b.key->is_private() && !a.key->is_private();
    const Key& asked = swapped ? *b.key : *a.key;
    const Key& other = swapped ? *a.key : *b.key;
    return asked.Matches(other.public_key()) ? 1 : 0;
  }
  if ((selection & OSSL_KEYMGMT_SELECT_DOMAIN_PARAMETERS) != 0 &&
      FamilyOf(a.type) == KeyFamily::kEc) {
    return EVP_PKEY_parameters_eq(ParametersOf(a)->public_key(), ParametersOf(b)->public_key()) == 1
               ? 1
               : 0;
  }
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

// What only private halves have.
bool HoldsSecret(const OSSL_PARAM params[]) {
  for (const char* name : {OSSL_PKEY_PARAM_PRIV_KEY, OSSL_PKEY_PARAM_RSA_D, "seed"}) {
    if (OSSL_PARAM_locate_const(params, name) != nullptr) return true;
  }
  return false;
}

// Public halves of other providers' keys come in, so that libcrypto can compare them with ours in
// either order, and agree with them. libcrypto 3.0 selects private halves too, whether there are
// any or not; one that is there is refused without a word: libcrypto then looks elsewhere.
int Import(void* keydata, int selection, const OSSL_PARAM params[]) {
  KeyData& data = *Data(keydata);
  if (data.key != nullptr || (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) == 0 ||
      HoldsSecret(params)) {
    return 0;
  }
  return Guard(data.context, [&]() -> Status {
    KC_ASSIGN(data.key, Key::FromParams(data.context, data.type, params));
    return Done{};
  });
}

int Export(void* keydata, int selection, OSSL_CALLBACK* callback, void* argument) {
  const KeyData& data = *Data(keydata);
  const int exported =
      selection & (OSSL_KEYMGMT_SELECT_ALL_PARAMETERS | OSSL_KEYMGMT_SELECT_PUBLIC_KEY);
  const bool whole = (selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) != 0;
  const Key* key = whole ? data.key.get() : ParametersOf(data);
  if (key == nullptr || exported == 0 || (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0)
    return 0;
  return EVP_PKEY_export(key->public_key(), exported, callback, argument) == 1 ? 1 : 0;
}

const OSSL_PARAM kModulusTypes[] = {OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, nullptr, 0),
                                    OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, nullptr, 0),
                                    OSSL_PARAM_END};
const OSSL_PARAM kPointTypes[] = {OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, nullptr, 0),
                                  OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, nullptr, 0),
                                  OSSL_PARAM_END};
const OSSL_PARAM kBytesTypes[] = {OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, nullptr, 0),
                                  OSSL_PARAM_END};

// What a public key is made of, where it comes in and goes out.
template <KeyFamily family>
const OSSL_PARAM* Types(int selection) {
  if ((selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY) == 0) return nullptr;
  switch (family) {
    case KeyFamily::kRsa:
    case KeyFamily::kRsaPss: return kModulusTypes;
    case KeyFamily::kEc:
    case KeyFamily::kSm2: return kPointTypes;
    default: return kBytesTypes;
  }
}

// Size, strength, default digest, group, modulus …: the public half knows them all.
int GetParams(void* keydata, OSSL_PARAM params[]) {
  const KeyData& data = *Data(keydata);
  const Key* key = ParametersOf(data);
  const bool public_half =
      Asks(params, OSSL_PKEY_PARAM_PUB_KEY) || Asks(params, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY);
  if (key == nullptr || (public_half && data.key == nullptr)) return 0;
  const ErrorMark mark(data.context.core());
  return EVP_PKEY_get_params(key->public_key(), params) == 1 ? 1 : 0;
}

// A peer's key: libcrypto copies our parameters and sets a public key. (Where this function is
// missing it takes that for done.)
int SetParams(void* keydata, const OSSL_PARAM params[]) {
  KeyData& data = *Data(keydata);
  return Guard(data.context, [&]() -> Status {
    KC_ASSIGN(const auto encoded, BytesParam(params, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY));
    if (!encoded) return Done{};
    if (data.key != nullptr && data.key->is_private())
      return Fail(Code::kActionProhibited, "a key of the enclave has its public key");
    const Key* parameters = ParametersOf(data);
    if (parameters == nullptr) return Fail(Code::kInvalidArgument, "an empty key");
    KC_ASSIGN(data.key, parameters->WithPublicKey(data.context, *encoded));
    return Done{};
  });
}

const OSSL_PARAM* SettableParams(void* /*provctx*/) {
  static const OSSL_PARAM params[] = {
      OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, nullptr, 0), OSSL_PARAM_END};
  return params;
}

// The same as the default provider's keys of the type tell, whose own table this is.
template <KeyType type>
const OSSL_PARAM* Gettable(void* provctx) {
  const auto& context = *static_cast<Context*>(provctx);
  const ErrorMark mark(context.core());
  EVP_KEYMGMT* keymgmt = EVP_KEYMGMT_fetch(context.libctx(), KeyTypeName(type), nullptr);
  const OSSL_PARAM* params = keymgmt != nullptr ? EVP_KEYMGMT_gettable_params(keymgmt) : nullptr;
  EVP_KEYMGMT_free(keymgmt);
  return params;
}

// Where an operation's algorithm has another name than the type of key.
template <KeyType type>
const char* OperationName(int operation) {
  if (type == KeyType::kRsaPss) return "RSA";
  if (type != KeyType::kEc) return KeyTypeName(type);
  if (operation == OSSL_OP_SIGNATURE) return "ECDSA";
  return operation == OSSL_OP_KEYEXCH ? "ECDH" : nullptr;
}

template <KeyType type>
struct KeymgmtTable {
  static const OSSL_DISPATCH functions[];
};

template <KeyType type>
const OSSL_DISPATCH KeymgmtTable<type>::functions[] = {
    KC_FN(OSSL_FUNC_KEYMGMT_NEW, OSSL_FUNC_keymgmt_new_fn, New<type>),
    KC_FN(OSSL_FUNC_KEYMGMT_FREE, OSSL_FUNC_keymgmt_free_fn, FreeKey),
    KC_FN(OSSL_FUNC_KEYMGMT_GEN_INIT, OSSL_FUNC_keymgmt_gen_init_fn, BeginGeneration<type>),
    KC_FN(OSSL_FUNC_KEYMGMT_GEN_SET_TEMPLATE, OSSL_FUNC_keymgmt_gen_set_template_fn,
          SetGenerationTemplate),
    KC_FN(OSSL_FUNC_KEYMGMT_GEN_SET_PARAMS, OSSL_FUNC_keymgmt_gen_set_params_fn,
          SetGenerationParams),
    KC_FN(OSSL_FUNC_KEYMGMT_GEN_SETTABLE_PARAMS, OSSL_FUNC_keymgmt_gen_settable_params_fn,
          SettableGenerationParams),
    KC_FN(OSSL_FUNC_KEYMGMT_GEN, OSSL_FUNC_keymgmt_gen_fn, Generate),
    KC_FN(OSSL_FUNC_KEYMGMT_GEN_CLEANUP, OSSL_FUNC_keymgmt_gen_cleanup_fn, EndGeneration),
    KC_FN(OSSL_FUNC_KEYMGMT_LOAD, OSSL_FUNC_keymgmt_load_fn, Load<type>),
    KC_FN(OSSL_FUNC_KEYMGMT_DUP, OSSL_FUNC_keymgmt_dup_fn, Duplicate),
    KC_FN(OSSL_FUNC_KEYMGMT_HAS, OSSL_FUNC_keymgmt_has_fn, Has),
    KC_FN(OSSL_FUNC_KEYMGMT_MATCH, OSSL_FUNC_keymgmt_match_fn, Match),
    KC_FN(OSSL_FUNC_KEYMGMT_VALIDATE, OSSL_FUNC_keymgmt_validate_fn, Validate),
    KC_FN(OSSL_FUNC_KEYMGMT_IMPORT, OSSL_FUNC_keymgmt_import_fn, Import),
    KC_FN(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, OSSL_FUNC_keymgmt_import_types_fn, Types<FamilyOf(type)>),
    KC_FN(OSSL_FUNC_KEYMGMT_EXPORT, OSSL_FUNC_keymgmt_export_fn, Export),
    KC_FN(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, OSSL_FUNC_keymgmt_export_types_fn, Types<FamilyOf(type)>),
    KC_FN(OSSL_FUNC_KEYMGMT_GET_PARAMS, OSSL_FUNC_keymgmt_get_params_fn, GetParams),
    KC_FN(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, OSSL_FUNC_keymgmt_gettable_params_fn, Gettable<type>),
    KC_FN(OSSL_FUNC_KEYMGMT_SET_PARAMS, OSSL_FUNC_keymgmt_set_params_fn, SetParams),
    KC_FN(OSSL_FUNC_KEYMGMT_SETTABLE_PARAMS, OSSL_FUNC_keymgmt_settable_params_fn, SettableParams),
    KC_FN(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, OSSL_FUNC_keymgmt_query_operation_name_fn,
          OperationName<type>),
    {0, nullptr}};

}  // namespace

template <KeyType type>
const OSSL_DISPATCH* Keymgmt() {
  return KeymgmtTable<type>::functions;
}
#define KC_KEY_TYPE(id, name, aliases, family, set, since) \
  template const OSSL_DISPATCH* Keymgmt<KeyType::id>();
#include "ossl_provider/key_types.inc"
#undef KC_KEY_TYPE

}  // namespace keyclave::ossl
