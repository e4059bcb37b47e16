// What a permit lets a key sign: forms of messages (docs/policy.md, "What is signed"). The enclave
// sees the message, checks its form (enclave/guard) and hashes it itself.
#pragma once

#include "enclave/authz/x509_constraints.h"

namespace keyclave::authz {

enum class InputForm : uint8_t {
  kTlsServer,
  kTlsClient,
  kX509Csr,
  kX509Tbs,
  kX509Crl,
  kX509Ocsp,
  kDigest,
  kAny
};
inline constexpr size_t kInputFormCount = 8;
std::string_view InputFormName(InputForm form);  // tls-server

// A message has to satisfy one of the forms.
struct InputRule {
  std::vector<InputForm> forms = {};         // at least one; kAny stands alone
  std::optional<X509Constraints> x509 = {};  // set if and only if kX509Tbs is among them
  bool Has(InputForm form) const;
  bool operator==(const InputRule&) const = default;
};

// The value of `input`: a form's name, `{x509-tbs: {…}}`, or a list of those. kConfig… with the
// place.
Result<InputRule> ParseInputRule(const YamlValue& yaml);
// The same as YAML in one line; parsed again it is equal.
std::string PrintInputRule(const InputRule& rule);

}  // namespace keyclave::authz
