#include "enclave/ctl/recipient.h"

#include "enclave/wire/pkcs11_numbers.h"

namespace keyclave::ctl {
namespace {

constexpr uint64_t kRsaBits = 3072;
// OBJECT IDENTIFIERs, DER: prime256v1 (RFC 5480 §2.1.1.1), id-X25519 (RFC 8410 §3).
constexpr uint8_t kP256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
constexpr uint8_t kX25519[] = {0x06, 0x03, 0x2b, 0x65, 0x6e};
constexpr std::string_view kDefaultForm = "hpke-x25519";

Result<const mech::ReleaseForm*> FormByName(const std::string& name) {
  const mech::ReleaseForm* form = mech::FindReleaseForm(name);
  if (form != nullptr) return form;
  return Fail(Code::kInvalidArgument, "--form " + name + ": there are " +
                                          authz::WrapForms::RecipientBound().Text() +
                                          ", jwe-rsa-oaep-256, jwe-ecdh-es-a256kw");
}

Result<mech::NewKey> NewPair(const mech::ReleaseForm& form) {
  wire::Mechanism generate;
  wire::AttributeList attributes;
  if (form.kem == mech::HpkeKem::kP256 || form.jwe == mech::JweAlgorithm::kEcdhEsA256Kw) {
    generate.type = CKM_EC_KEY_PAIR_GEN;
    attributes.Set(CKA_EC_PARAMS, kP256);
  } else if (form.kem) {
    generate.type = CKM_EC_MONTGOMERY_KEY_PAIR_GEN;
    attributes.Set(CKA_EC_PARAMS, kX25519);
  } else {
    generate.type = CKM_RSA_PKCS_KEY_PAIR_GEN;
    attributes.SetUlong(CKA_MODULUS_BITS, kRsaBits);
  }
  KC_ASSIGN(const mech::MechEntry entry, mech::FindMechanism(generate.type));
  return entry.family->generate(generate, attributes);
}

}  // namespace

Result<Recipient> RecipientOf(const Bytes& spki, const std::string& form) {
  KC_ASSIGN(const auto key, mech::PublicKeyFromInfo(spki));
  Recipient recipient;
  recipient.spki = spki;
  if (form.empty()) {
    recipient.form = mech::FormFor(*key);
    if (recipient.form == nullptr)
      return Fail(Code::kInvalidArgument,
                  "the recipient's key is neither RSA, P-256, P-384, P-521 nor X25519");
    return recipient;
  }
  KC_ASSIGN(recipient.form, FormByName(form));
  if (!mech::FormFits(*recipient.form, *key))
    return Fail(Code::kInvalidArgument, "--form " + form + " does not fit the recipient's key");
  return recipient;
}

Result<Recipient> NewRecipient(const std::string& form) {
  Recipient recipient;
  KC_ASSIGN(recipient.form, FormByName(form.empty() ? std::string(kDefaultForm) : form));
  KC_ASSIGN(mech::NewKey made, NewPair(*recipient.form));
  made.attributes.SetUlong(CKA_CLASS, CKO_PRIVATE_KEY);
  KC_ASSIGN(recipient.private_key, mech::LoadKey(made.attributes, made.material));
  KC_ASSIGN(recipient.spki, mech::PublicKeyInfo(*recipient.private_key));
  return recipient;
}

}  // namespace keyclave::ctl
