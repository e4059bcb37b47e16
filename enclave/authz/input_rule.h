// What a permit lets a key sign: forms of messages (docs/policy.md, "What is signed"). The enclave
// sees the message, checks its form (enclave/guard) and hashes it itself.
#pragma once

#include "enclave/base/yaml.h"

namespace keyclave::authz {

enum class InputForm : uint8_t {
  kTlsServer,
  kTlsClient,
  kX509Csr,
  kX509Tbs,
  kX509Crl,
  kDigest,
  kAny
};
inline constexpr size_t kInputFormCount = 7;
std::string_view InputFormName(InputForm form);  // tls-server

// What a certificate may be used for (RFC 5280 §4.2.1.12).
enum class CertificateUsage : uint8_t {
  kServerAuth,
  kClientAuth,
  kEmailProtection,
  kCodeSigning,
  kTimeStamping,
  kOcspSigning
};
inline constexpr size_t kCertificateUsageCount = 6;
std::string_view CertificateUsageName(CertificateUsage usage);  // server-auth

// Addresses that share their first `bits` bits with `network` (4 or 16 bytes, zero behind them).
struct IpRange {
  Bytes network;
  unsigned bits = 0;
  bool operator==(const IpRange&) const = default;
};

// What a certificate may be, for kX509Tbs. A name of a kind whose list is empty is not permitted.
struct X509Constraints {
  // "www.example.com": that name. ".example.com": every name below it, but not itself and no
  // wildcard. "*.example.com": that wildcard. Lower case, A-labels.
  std::vector<std::string> dns = {};
  std::vector<IpRange> ip = {};
  std::vector<std::string> email = {};  // the domain behind the @, exactly
  std::vector<std::string> uri = {};    // hosts, as in dns but without wildcards
  // What the subject may say beside names of the lists above: "O=Example Inc", "CN=Alice"; "OU=*"
  // for any value. Names for people have spaces: "CN=*" is for those only.
  std::vector<std::string> subject = {};
  std::vector<CertificateUsage> usages = {CertificateUsage::kServerAuth,
                                          CertificateUsage::kClientAuth,
                                          CertificateUsage::kEmailProtection};
  std::vector<std::string> extensions = {};  // dotted OIDs, beside those of RFC 5280
  bool ca = false;                           // whether certificates of CAs may be signed
  std::optional<uint64_t> max_days = {};
  bool operator==(const X509Constraints&) const = default;
};

// A message has to satisfy one of the forms.
struct InputRule {
  std::vector<InputForm> forms = {};         // at least one; kAny stands alone
  std::optional<X509Constraints> x509 = {};  // set if and only if kX509Tbs is among them
  bool Has(InputForm form) const;
  bool operator==(const InputRule&) const = default;
};

// Labels of a-z, 0-9, - and _, no dot at the end.
bool IsHostName(std::string_view name);
// 4 or 16 bytes; nullopt for what is no address.
std::optional<Bytes> ParseIpAddress(const std::string& text);

inline constexpr size_t kMaxConstraintEntries = 256;  // in each list of X509Constraints

// The value of `input`: a form's name, `{x509-tbs: {…}}`, or a list of those. kConfig… with the
// place.
Result<InputRule> ParseInputRule(const YamlValue& yaml);
// The same as YAML in one line; parsed again it is equal.
std::string PrintInputRule(const InputRule& rule);

}  // namespace keyclave::authz
