#include "enclave/mech/release_form.h"

namespace keyclave::mech {
namespace {

constexpr ReleaseForm kForms[] = {
    {"rsa-aes-key-wrap-sha256", "rsa-aes-key-wrap", std::nullopt, std::nullopt,
     CKM_RSA_AES_KEY_WRAP, CKM_SHA256, CKG_MGF1_SHA256},
    {"rsa-aes-key-wrap-sha384", "rsa-aes-key-wrap", std::nullopt, std::nullopt,
     CKM_RSA_AES_KEY_WRAP, CKM_SHA384, CKG_MGF1_SHA384},
    {"rsa-oaep-sha256", "rsa-oaep", std::nullopt, std::nullopt, CKM_RSA_PKCS_OAEP, CKM_SHA256,
     CKG_MGF1_SHA256},
    {"rsa-oaep-sha384", "rsa-oaep", std::nullopt, std::nullopt, CKM_RSA_PKCS_OAEP, CKM_SHA384,
     CKG_MGF1_SHA384},
    {"hpke-p256", "hpke", HpkeKem::kP256},
    {"hpke-x25519", "hpke", HpkeKem::kX25519},
    {"jwe-rsa-oaep-256", "rsa-oaep", std::nullopt, JweAlgorithm::kRsaOaep256},
    {"jwe-ecdh-es-a256kw", "ecdh", std::nullopt, JweAlgorithm::kEcdhEsA256Kw},
};
constexpr uint64_t kAesBits = 256;

template <class Predicate>
const ReleaseForm* FindIf(Predicate predicate) {
  const auto* const found = std::find_if(std::begin(kForms), std::end(kForms), predicate);
  return found == std::end(kForms) ? nullptr : found;
}

wire::Mechanism MechanismOf(const ReleaseForm& form) {
  const wire::OaepParam oaep{form.hash, form.mgf, {}};
  wire::Mechanism mechanism;
  mechanism.type = form.mechanism;
  if (form.mechanism == CKM_RSA_AES_KEY_WRAP) {
    mechanism.rsa_aes = wire::RsaAesParam{kAesBits, oaep};
  } else {
    mechanism.oaep = oaep;
  }
  return mechanism;
}

}  // namespace

const ReleaseForm* FindReleaseForm(std::string_view name) {
  return FindIf([&](const ReleaseForm& form) { return form.name == name; });
}

const ReleaseForm* FormOfMechanism(const wire::Mechanism& mechanism) {
  const wire::OaepParam* oaep = nullptr;
  if (mechanism.oaep) oaep = &*mechanism.oaep;
  if (mechanism.rsa_aes) oaep = &mechanism.rsa_aes->oaep;
  if (oaep == nullptr) return nullptr;
  return FindIf([&](const ReleaseForm& form) {
    return form.mechanism == mechanism.type && form.hash == oaep->hash && form.mgf == oaep->mgf;
  });
}

const ReleaseForm* FormFor(const Key& recipient) {
  return FindIf([&](const ReleaseForm& form) { return FormFits(form, recipient); });
}

bool FormFits(const ReleaseForm& form, const Key& recipient) {
  if (form.kem) return HpkeFits(*form.kem, recipient);
  if (form.jwe) return JweFits(*form.jwe, recipient);
  return recipient.key_type() == CKK_RSA;
}

Result<Bytes> WrapReleased(const ReleaseForm& form, const Key& recipient, ByteSpan aad,
                           const SecretBytes& secret) {
  const ByteSpan plain = secret.Expose(SecretAccess());
  if (form.kem) return HpkeSeal(*form.kem, recipient, AsBytes(kReleaseInfo), aad, plain);
  if (form.jwe) return JweSeal(*form.jwe, recipient, plain);
  KC_ASSIGN(const MechEntry entry, FindMechanism(form.mechanism));
  const auto wrap = entry.family->wrap != nullptr ? entry.family->wrap : entry.family->encrypt;
  auto wrapped = wrap(recipient, MechanismOf(form), plain);
  if (!wrapped.ok() && wrapped.code() == Code::kDataLenRange)
    return Fail(Code::kKeySizeRange, "the secret does not fit into the recipient's RSA key");
  return wrapped;
}

Result<SecretBytes> OpenReleased(const ReleaseForm& form, const Key& recipient, ByteSpan aad,
                                 ByteSpan wrapped) {
  if (form.kem) return HpkeOpen(*form.kem, recipient, AsBytes(kReleaseInfo), aad, wrapped);
  if (form.jwe) return JweOpen(*form.jwe, recipient, wrapped);
  KC_ASSIGN(const MechEntry entry, FindMechanism(form.mechanism));
  const auto unwrap =
      entry.family->unwrap != nullptr ? entry.family->unwrap : entry.family->decrypt;
  KC_ASSIGN(Bytes opened, unwrap(recipient, MechanismOf(form), wrapped));
  return SecretBytes::Take(opened);
}

}  // namespace keyclave::mech
