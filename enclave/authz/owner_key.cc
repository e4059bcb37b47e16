#include "enclave/authz/owner_key.h"

#include "attest/public_key.h"

namespace keyclave::authz {
namespace {

using attest::KeyKind;
using attest::PublicKey;
using attest::SignatureScheme;

constexpr unsigned kMinRsa = 2048;
constexpr unsigned kMaxRsa = 8192;

struct OwnerKey {
  PublicKey key;
  SignatureScheme scheme;
};

Result<OwnerKey> Open(ByteSpan spki) {
  auto key = PublicKey::FromSpki(spki);
  if (!key.ok())
    return Fail(Code::kInvalidArgument, "an owner's key that is no SubjectPublicKeyInfo");
  switch (key->kind()) {
    case KeyKind::kEcP256: return OwnerKey{*std::move(key), SignatureScheme::kEcdsaP256Sha256};
    case KeyKind::kEd25519: return OwnerKey{*std::move(key), SignatureScheme::kEd25519};
    case KeyKind::kRsa:
      if (key->bits() >= kMinRsa && key->bits() <= kMaxRsa)
        return OwnerKey{*std::move(key), SignatureScheme::kRsaPssSha256};
      return Fail(Code::kInvalidArgument, "an owner's RSA key has 2048 to 8192 bits");
    case KeyKind::kEcP384:
    case KeyKind::kEcP521:
    case KeyKind::kOther: break;
  }
  return Fail(Code::kInvalidArgument, "an owner's key is one of P-256, Ed25519 or RSA");
}

}  // namespace

Status CheckOwnerKey(ByteSpan spki) {
  KC_ASSIGN(const OwnerKey key, Open(spki));
  if (key.key.spki().size() != spki.size() || !Equal(key.key.spki(), spki))
    return Fail(Code::kInvalidArgument, "an owner's key that is not in DER");
  return Done{};
}

Status VerifyOwnerSignature(ByteSpan spki, ByteSpan message, ByteSpan signature) {
  KC_ASSIGN(const OwnerKey key, Open(spki));
  if (key.key.Verify(key.scheme, message, signature).ok()) return Done{};
  return Fail(Code::kStatementInvalid, "a signature that is not of the owner's key");
}

}  // namespace keyclave::authz
