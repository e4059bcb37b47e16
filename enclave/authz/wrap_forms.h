// What a key may be wrapped in when it leaves the enclave: the `wrap` of a permit for `release`
// (docs/policy.md). Every form but token-key wraps to a public key that the caller's evidence
// names, so that only the attested workload can open it. There is no form with SHA-1.
#pragma once

#include "enclave/base/yaml.h"

namespace keyclave::authz {

// The numbers are those of the wire (docs/wire.md) and never change.
enum class WrapForm : uint8_t {
  kRsaAesKeyWrapSha256 = 0,  // CKM_RSA_AES_KEY_WRAP: an AES key in RSA-OAEP, the rest in RFC 5649
  kRsaAesKeyWrapSha384 = 1,
  kRsaOaepSha256 = 2,  // the secret itself in RSA-OAEP: it has to fit
  kRsaOaepSha384 = 3,
  kHpkeP256 = 4,  // RFC 9180, base mode: DHKEM(P-256), HKDF-SHA256, AES-256-GCM
  kHpkeX25519 = 5,
  kTokenKey = 6,       // another key of the token, which never leaves (C_WrapKey with CKM_AES_…)
  kJweRsaOaep256 = 7,  // RFC 7516, compact: RSA-OAEP-256 and A256GCM
  kJweEcdhEsA256Kw = 8
};
inline constexpr size_t kWrapFormCount = 9;
std::string_view WrapFormName(WrapForm form);
std::optional<WrapForm> ParseWrapForm(std::string_view name);

class WrapForms {
 public:
  // What `release` means where the permit has no `wrap`: all but token-key, whose wrapped keys
  // are opened by whoever may unwrap in the token, and but JWE, which callers that only relay
  // evidence may carry, too (docs/trustee.md). Those a policy has to name.
  static WrapForms RecipientBound();

  void Add(WrapForm form) { bits_ |= 1U << static_cast<unsigned>(form); }
  bool Has(WrapForm form) const { return (bits_ >> static_cast<unsigned>(form) & 1U) != 0; }
  bool empty() const { return bits_ == 0; }
  // "rsa-oaep-sha256, hpke-p256"
  std::string Text() const;
  friend bool operator==(const WrapForms&, const WrapForms&) = default;

 private:
  uint32_t bits_ = 0;
};

// A list of names; `hpke` stands for hpke-p256 and hpke-x25519, `jwe` for the two of JWE. An empty
// list, an unknown name and a form named twice are errors with their place.
Result<WrapForms> ParseWrapForms(const YamlValue& yaml);

}  // namespace keyclave::authz
