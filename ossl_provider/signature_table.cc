// The dispatch tables of SIGNATURE. Composite algorithms ("ECDSA-SHA256") are those of a scheme
// with the digest in the name, for libcrypto 3.4 and later.

#include <openssl/crypto.h>

#include "ossl_provider/algorithms.h"
#include "ossl_provider/signature_functions.h"

// Functions that libcrypto has since 3.4; headers before it do not number them.
#ifndef OSSL_FUNC_SIGNATURE_QUERY_KEY_TYPES
#define OSSL_FUNC_SIGNATURE_QUERY_KEY_TYPES 26
#define OSSL_FUNC_SIGNATURE_SIGN_MESSAGE_INIT 27
#define OSSL_FUNC_SIGNATURE_SIGN_MESSAGE_UPDATE 28
#define OSSL_FUNC_SIGNATURE_SIGN_MESSAGE_FINAL 29
#define OSSL_FUNC_SIGNATURE_VERIFY_MESSAGE_INIT 30
#define OSSL_FUNC_SIGNATURE_VERIFY_MESSAGE_UPDATE 31
#define OSSL_FUNC_SIGNATURE_VERIFY_MESSAGE_FINAL 32
using OSSL_FUNC_signature_query_key_types_fn = const char**();
using OSSL_FUNC_signature_sign_message_init_fn = OSSL_FUNC_signature_sign_init_fn;
using OSSL_FUNC_signature_sign_message_update_fn = OSSL_FUNC_signature_digest_sign_update_fn;
using OSSL_FUNC_signature_sign_message_final_fn = OSSL_FUNC_signature_digest_sign_final_fn;
using OSSL_FUNC_signature_verify_message_init_fn = OSSL_FUNC_signature_verify_init_fn;
using OSSL_FUNC_signature_verify_message_update_fn = OSSL_FUNC_signature_digest_verify_update_fn;
using OSSL_FUNC_signature_verify_message_final_fn = int(void*);
#endif

namespace keyclave::ossl {
namespace {

#define KC_SIGNATURE(name, type, function) \
  KC_FN(OSSL_FUNC_SIGNATURE_##name, OSSL_FUNC_signature_##type##_fn, function)

template <const Scheme& scheme>
void* New(void* provctx, const char* /*propq*/) {
  return NewSignature(provctx, scheme, nullptr);
}

#define KC_SIGNATURE_CONTEXT                                                                       \
  KC_SIGNATURE(FREECTX, freectx, FreeSignature), KC_SIGNATURE(DUPCTX, dupctx, DuplicateSignature), \
      KC_SIGNATURE(GET_CTX_PARAMS, get_ctx_params, GetSignatureParams),                            \
      KC_SIGNATURE(GETTABLE_CTX_PARAMS, gettable_ctx_params, GettableSignatureParams),             \
      KC_SIGNATURE(SET_CTX_PARAMS, set_ctx_params, SetSignatureParams),                            \
      KC_SIGNATURE(SETTABLE_CTX_PARAMS, settable_ctx_params, SettableSignatureParams)

#define KC_SIGNATURE_OF_DIGESTS                                                  \
  KC_SIGNATURE(SIGN_INIT, sign_init, InitSignature<Operation::kSign>),           \
      KC_SIGNATURE(SIGN, sign, Sign),                                            \
      KC_SIGNATURE(VERIFY_INIT, verify_init, InitSignature<Operation::kVerify>), \
      KC_SIGNATURE(VERIFY, verify, Verify)

#define KC_SIGNATURE_OF_MESSAGES                                                           \
  KC_SIGNATURE(DIGEST_SIGN_INIT, digest_sign_init, InitDigestSignature<Operation::kSign>), \
      KC_SIGNATURE(DIGEST_SIGN_UPDATE, digest_sign_update, UpdateSignature),               \
      KC_SIGNATURE(DIGEST_SIGN_FINAL, digest_sign_final, FinishSign),                      \
      KC_SIGNATURE(DIGEST_SIGN, digest_sign, Sign),                                        \
      KC_SIGNATURE(DIGEST_VERIFY_INIT, digest_verify_init,                                 \
                   InitDigestSignature<Operation::kVerify>),                               \
      KC_SIGNATURE(DIGEST_VERIFY_UPDATE, digest_verify_update, UpdateSignature),           \
      KC_SIGNATURE(DIGEST_VERIFY_FINAL, digest_verify_final, FinishVerify),                \
      KC_SIGNATURE(DIGEST_VERIFY, digest_verify, Verify)

#define KC_SIGNATURE_SINCE_34                                                                 \
  KC_SIGNATURE(SIGN_MESSAGE_INIT, sign_message_init, InitMessageSignature<Operation::kSign>), \
      KC_SIGNATURE(SIGN_MESSAGE_UPDATE, sign_message_update, UpdateSignature),                \
      KC_SIGNATURE(SIGN_MESSAGE_FINAL, sign_message_final, FinishSign),                       \
      KC_SIGNATURE(VERIFY_MESSAGE_INIT, verify_message_init,                                  \
                   InitMessageSignature<Operation::kVerify>),                                 \
      KC_SIGNATURE(VERIFY_MESSAGE_UPDATE, verify_message_update, UpdateSignature),            \
      KC_SIGNATURE(VERIFY_MESSAGE_FINAL, verify_message_final, FinishMessageVerify)

const OSSL_DISPATCH kEcdsaFunctions[] = {KC_SIGNATURE(NEWCTX, newctx, New<kEcdsaScheme>),
                                         KC_SIGNATURE_CONTEXT,
                                         KC_SIGNATURE_OF_DIGESTS,
                                         KC_SIGNATURE_OF_MESSAGES,
                                         {0, nullptr}};

const OSSL_DISPATCH kRsaFunctions[] = {
    KC_SIGNATURE(NEWCTX, newctx, New<kRsaScheme>),
    KC_SIGNATURE_CONTEXT,
    KC_SIGNATURE_OF_DIGESTS,
    KC_SIGNATURE_OF_MESSAGES,
    KC_SIGNATURE(VERIFY_RECOVER_INIT, verify_recover_init,
                 InitSignature<Operation::kVerifyRecover>),
    KC_SIGNATURE(VERIFY_RECOVER, verify_recover, RecoverSignature),
    {0, nullptr}};

// SM2, whose digest is always SM3, and over more than the message.
const OSSL_DISPATCH kSm2Functions[] = {KC_SIGNATURE(NEWCTX, newctx, New<kSm2Scheme>),
                                       KC_SIGNATURE_CONTEXT,
                                       KC_SIGNATURE_OF_MESSAGES,
                                       {0, nullptr}};

// Algorithms without a digest. Sign and Verify are there for messages only, which libcrypto before
// 3.4 would take for half of a pair.
template <const Scheme& scheme>
struct MessageTable {
  static const OSSL_DISPATCH before_34[];
  static const OSSL_DISPATCH functions[];
};
template <const Scheme& scheme>
const OSSL_DISPATCH MessageTable<scheme>::before_34[] = {KC_SIGNATURE(NEWCTX, newctx, New<scheme>),
                                                         KC_SIGNATURE_CONTEXT,
                                                         KC_SIGNATURE_OF_MESSAGES,
                                                         {0, nullptr}};
template <const Scheme& scheme>
const OSSL_DISPATCH MessageTable<scheme>::functions[] = {KC_SIGNATURE(NEWCTX, newctx, New<scheme>),
                                                         KC_SIGNATURE_CONTEXT,
                                                         KC_SIGNATURE_OF_MESSAGES,
                                                         KC_SIGNATURE_SINCE_34,
                                                         KC_SIGNATURE(SIGN, sign, Sign),
                                                         KC_SIGNATURE(VERIFY, verify, Verify),
                                                         {0, nullptr}};

// A composite: signs digests of its kind, and messages.
constexpr const char* kCompositeDigests[] = {"SHA1",     "SHA2-224", "SHA2-256",
                                             "SHA2-384", "SHA2-512", "SHA3-224",
                                             "SHA3-256", "SHA3-384", "SHA3-512"};
constexpr size_t kComposites = std::size(kCompositeDigests);

template <const Scheme& scheme, size_t digest>
void* NewComposite(void* provctx, const char* /*propq*/) {
  return NewSignature(provctx, scheme, kCompositeDigests[digest]);
}

template <const Scheme& scheme>
const char** KeyTypesOf() {
  static const char* rsa[] = {"RSA", nullptr};
  static const char* ec[] = {"EC", nullptr};
  return &scheme == &kRsaScheme ? rsa : ec;
}

template <const Scheme& scheme, size_t digest>
struct CompositeTable {
  static const OSSL_DISPATCH functions[];
};
template <const Scheme& scheme, size_t digest>
const OSSL_DISPATCH CompositeTable<scheme, digest>::functions[] = {
    KC_SIGNATURE(NEWCTX, newctx, (NewComposite<scheme, digest>)),
    KC_SIGNATURE_CONTEXT,
    KC_SIGNATURE_OF_DIGESTS,
    KC_SIGNATURE_SINCE_34,
    KC_SIGNATURE(QUERY_KEY_TYPES, query_key_types, KeyTypesOf<scheme>),
    {0, nullptr}};

template <const Scheme& scheme, size_t... digests>
const OSSL_DISPATCH* FindComposite(std::string_view name, std::index_sequence<digests...>) {
  const OSSL_DISPATCH* found = nullptr;
  ((name == kCompositeDigests[digests]
        ? static_cast<void>(found = CompositeTable<scheme, digests>::functions)
        : static_cast<void>(0)),
   ...);
  return found;
}

}  // namespace

const OSSL_DISPATCH* RsaSignature() { return kRsaFunctions; }
const OSSL_DISPATCH* EcdsaSignature() { return kEcdsaFunctions; }
const OSSL_DISPATCH* Sm2Signature() { return kSm2Functions; }
const OSSL_DISPATCH* EddsaSignature() {
  using Table = MessageTable<kEddsaScheme>;
  return OpenSSL_version_num() >= kOpenssl34 ? Table::functions : Table::before_34;
}
const OSSL_DISPATCH* PostQuantumSignature() { return MessageTable<kPostQuantumScheme>::functions; }
const OSSL_DISPATCH* RsaComposite(std::string_view digest) {
  return FindComposite<kRsaScheme>(digest, std::make_index_sequence<kComposites>());
}
const OSSL_DISPATCH* EcdsaComposite(std::string_view digest) {
  return FindComposite<kEcdsaScheme>(digest, std::make_index_sequence<kComposites>());
}

}  // namespace keyclave::ossl
