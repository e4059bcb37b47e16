// The forms in which a key is released to a public key, by the names that policies use
// (authz/wrap_forms.h): made by the enclave, opened by whoever has the private key
// (docs/policy.md).
#pragma once

#include "enclave/mech/hpke.h"
#include "enclave/mech/jwe.h"
#include "enclave/mech/mech_type.h"

namespace keyclave::mech {

inline constexpr std::string_view kReleaseInfo = "keyclave/release/1";  // HPKE's `info`

struct ReleaseForm {
  std::string_view name;
  std::string_view family;     // as policies name its mechanism
  std::optional<HpkeKem> kem;  // HPKE; else:
  std::optional<JweAlgorithm> jwe = {};
  uint64_t mechanism = 0;  // CKM_RSA_AES_KEY_WRAP (with a key of AES-256), CKM_RSA_PKCS_OAEP
  uint64_t hash = 0;       // of OAEP and of its mask function
  uint64_t mgf = 0;
};

const ReleaseForm* FindReleaseForm(std::string_view name);
// The form that C_WrapKey with this mechanism and an RSA key is; nullptr for SHA-1, for two
// different hash functions, and for other mechanisms.
const ReleaseForm* FormOfMechanism(const wire::Mechanism& mechanism);
// The first form for a key of this type; nullptr if there is none.
const ReleaseForm* FormFor(const Key& recipient);
bool FormFits(const ReleaseForm& form, const Key& recipient);

// `aad` is HPKE's; RSA has none, and JWE's is its own header. kKeyTypeInconsistent; kKeySizeRange
// if the secret is too large.
Result<Bytes> WrapReleased(const ReleaseForm& form, const Key& recipient, ByteSpan aad,
                           const SecretBytes& secret);
// With the recipient's private key. kEncryptedDataInvalid and the codes of the mechanisms.
Result<SecretBytes> OpenReleased(const ReleaseForm& form, const Key& recipient, ByteSpan aad,
                                 ByteSpan wrapped);

}  // namespace keyclave::mech
