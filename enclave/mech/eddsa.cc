// CKM_EDDSA (pkcs11-curr-v3.0 §2.3.14): Ed25519 and Ed448 without parameter, which is the pure
// scheme of RFC 8032 without context.

#include "enclave/mech/evp.h"
#include "enclave/mech/families.h"

namespace keyclave::mech {
namespace {

constexpr MechRow kRows[] = {
    {CKM_EDDSA, 255, 448, kFlagSign | kFlagEc, SignInput::kMessage},
};

Result<EvpMdCtx> NewContext() {
  EvpMdCtx context(EVP_MD_CTX_new());
  if (context == nullptr) return OpensslError("EdDSA");
  return context;
}

size_t SignatureSize(const Key& key) { return static_cast<size_t>(EVP_PKEY_get_size(key.pkey())); }

Result<Bytes> Sign(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  KC_CHECK_OK(CheckPrivate(key, CKK_EC_EDWARDS));
  KC_CHECK_OK(ExpectNoParam(mechanism));
  KC_ASSIGN(const EvpMdCtx context, NewContext());
  Bytes signature(SignatureSize(key));
  size_t size = signature.size();
  if (EVP_DigestSignInit_ex(context.get(), nullptr, nullptr, Library(), nullptr, key.pkey(),
                            nullptr) != 1 ||
      EVP_DigestSign(context.get(), signature.data(), &size, input.data(), input.size()) != 1) {
    return OpensslError("EdDSA");
  }
  signature.resize(size);
  return signature;
}

Status Verify(const Key& key, const wire::Mechanism& mechanism, ByteSpan input,
              ByteSpan signature) {
  KC_CHECK_OK(CheckPublic(key, CKK_EC_EDWARDS));
  KC_CHECK_OK(ExpectNoParam(mechanism));
  if (signature.size() != SignatureSize(key)) return Fail(Code::kSignatureLenRange);
  KC_ASSIGN(const EvpMdCtx context, NewContext());
  if (EVP_DigestVerifyInit_ex(context.get(), nullptr, nullptr, Library(), nullptr, key.pkey(),
                              nullptr) != 1) {
    return OpensslError("EdDSA");
  }
  if (EVP_DigestVerify(context.get(), signature.data(), signature.size(), input.data(),
                       input.size()) != 1) {
    return OpensslError(Code::kSignatureInvalid, {});
  }
  return Done{};
}

}  // namespace

constinit const MechFamily kEddsaFamily = {
    .name = "eddsa",
    .rows = kRows,
    .sign = Sign,
    .verify = Verify,
};

}  // namespace keyclave::mech
