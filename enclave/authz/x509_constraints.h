// Whose certificates a key may sign, and of what kind: what `input: x509-tbs` and `issue` say of
// them (docs/policy.md, "Certificates").
#pragma once

#include "enclave/base/yaml.h"

namespace keyclave::authz {

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
std::optional<CertificateUsage> FindCertificateUsage(std::string_view name);

// Addresses that share their first `bits` bits with `network` (4 or 16 bytes, zero behind them).
struct IpRange {
  Bytes network;
  unsigned bits = 0;
  bool operator==(const IpRange&) const = default;
};

// What a certificate may be. A name of a kind whose list is empty is not permitted.
struct X509Constraints {
  // "www.example.com": that name. ".example.com": every name below it, but not itself and no
  // wildcard. "*.example.com": that wildcard. Lower case, A-labels.
  std::vector<std::string> dns = {};
  std::vector<IpRange> ip = {};
  std::vector<std::string> email = {};  // the domain behind the @, exactly
  // Hosts, as in dns but without wildcards: any URI of theirs. "spiffe://example.com/web": that
  // URI. "spiffe://example.com/*": every one that begins so, and goes on.
  std::vector<std::string> uri = {};
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

// Labels of a-z, 0-9, - and _, no dot at the end.
bool IsHostName(std::string_view name);
// Nothing, or segments behind slashes of letters, digits and -._~, none of them empty, "." or "..".
bool IsPlainPath(std::string_view path);
// 4 or 16 bytes; nullopt for what is no address.
std::optional<Bytes> ParseIpAddress(const std::string& text);

inline constexpr size_t kMaxConstraintEntries = 256;  // in each list of X509Constraints

// Takes the keys that say whose certificates: dns, ip, email, uri, subject. kConfig… with the
// place.
Status TakeNames(YamlMap& map, X509Constraints& x509);
Result<std::vector<CertificateUsage>> ParseUsages(const YamlValue& yaml);
// All of them, for `x509-tbs`.
Result<X509Constraints> ParseX509Constraints(const YamlValue& yaml);

// The same as YAML: `dns: [...], ip: [...]`; empty without any.
std::string PrintNames(const X509Constraints& x509);
std::string PrintUsages(const X509Constraints& x509);  // usages: [server-auth]
std::string PrintX509Constraints(const X509Constraints& x509);

}  // namespace keyclave::authz
