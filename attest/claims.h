// Claims: what verified evidence says about a workload, in one normal form for every TEE type
// (docs/attestation.md).
#pragma once

#include <map>
#include <string>
#include <variant>
#include <vector>

#include "enclave/base/bytes.h"

namespace keyclave::attest {

// Byte strings (measurements, ids) are lower-case hexadecimal texts.
using ClaimValue = std::variant<bool, int64_t, std::string, std::vector<std::string>>;

enum class Origin {
  kAttested,   // signed by the TEE, or read from the kernel where that counts as attested
  kTransport,  // told by the channel (tls.*, peer.*): usable only beside attested claims
};

struct Claim {
  ClaimValue value;
  Origin origin = Origin::kAttested;
};

// Names: tee, measurement, signer, product_id, svn, debug, tcb_status, tcb_date, advisories,
// platform_id, host_data, and each type's own under its name (sev-snp.vmpl).
class ClaimSet {
 public:
  void Set(std::string name, ClaimValue value, Origin origin = Origin::kAttested) {
    claims_.insert_or_assign(std::move(name), Claim{std::move(value), origin});
  }
  const Claim* Find(std::string_view name) const {
    const auto found = claims_.find(name);
    return found == claims_.end() ? nullptr : &found->second;
  }
  auto begin() const { return claims_.begin(); }
  auto end() const { return claims_.end(); }
  size_t size() const { return claims_.size(); }

 private:
  std::map<std::string, Claim, std::less<>> claims_;
};

// true, 3, up-to-date, [a, b]: how people see a claim.
std::string ToText(const ClaimValue& value);

}  // namespace keyclave::attest
