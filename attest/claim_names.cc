#include "attest/claim_names.h"

#include <algorithm>
#include <array>

namespace keyclave::attest {
namespace {

struct Row {
  std::string_view name;
  ClaimInfo info;
};

// The normal claims, which every evidence type gives if it has them, and what the channel tells.
// platform_id and host_data name no workload: the first is the machine's, on which anybody may run
// code of his own, and the second is chosen by the host.
constexpr std::array kClaims = {
    Row{"tee", {.type = ClaimType::kTee}},
    Row{"measurement", {.type = ClaimType::kHex, .identifies = true}},
    Row{"signer", {.type = ClaimType::kHex, .identifies = true}},
    Row{"product_id", {.type = ClaimType::kText}},
    Row{"svn", {.type = ClaimType::kInteger}},
    Row{"debug", {.type = ClaimType::kBool}},
    Row{"tcb_status", {.type = ClaimType::kTcb}},
    Row{"tcb_date", {.type = ClaimType::kTime}},
    // One advisory that the policy does not accept is one too many.
    Row{"advisories", {.type = ClaimType::kText, .every = true}},
    Row{"platform_id", {.type = ClaimType::kHex}},
    Row{"host_data", {.type = ClaimType::kHex}},
    // Of an enclave's registers only these name what runs in it: 3 and 4 are the parent instance's
    // role and id, and 16 to 31 hold whatever the enclave itself put there.
    Row{"nitro.pcr0", {.identifies = true}},
    Row{"nitro.pcr1", {.identifies = true}},
    Row{"nitro.pcr2", {.identifies = true}},
    Row{"nitro.pcr8", {.identifies = true}},
    Row{"simulated.executable", {.type = ClaimType::kText}},
    Row{"co-resident.uid", {.type = ClaimType::kInteger, .identifies = true}},
    Row{"co-resident.gid", {.type = ClaimType::kInteger}},
    // Of the TPM's these name no workload, though they begin as the registers do that name one: a
    // digest means nothing without its selection, and whoever runs on the machine may reset
    // registers 16 and 23 and extend them to whatever value another machine has elsewhere.
    Row{"tpm.pcr_bank", {.type = ClaimType::kText}},
    Row{"tpm.pcr_digest", {.type = ClaimType::kHex}},
    Row{"tpm.pcr_selection", {.type = ClaimType::kText}},
    Row{"tpm.pcr16", {.type = ClaimType::kHex}},
    Row{"tpm.pcr23", {.type = ClaimType::kHex}},
    Row{"tls.san", {.type = ClaimType::kText, .transport = true}},
    Row{"tls.subject", {.type = ClaimType::kText, .transport = true}},
    Row{"tls.issuer", {.type = ClaimType::kText, .transport = true}},
    Row{"tls.key", {.type = ClaimType::kHex, .transport = true}},
    Row{"peer.uid", {.type = ClaimType::kInteger, .transport = true}},
    Row{"peer.gid", {.type = ClaimType::kInteger, .transport = true}},
};

// Each type's own claims. Those of them that are measurements name the workload, too. (A TD's
// MRCONFIGID, MROWNER and MROWNERCONFIG are the host's choice, and MRSEAM is the TDX module's.)
constexpr std::array<std::string_view, 8> kNamespaces = {
    "sgx.", "tdx.", "sev-snp.", "nitro.", "cca.", "tpm.", "token.", "co-resident."};
// Not among them: registers that a guest extends by itself (RTMRs of TDX, REMs of CCA). With
// firmware of his own anybody can extend them to any value; they say something beside a firmware
// measurement.
constexpr std::array<std::string_view, 10> kMeasured = {"sgx.mr",
                                                        "tdx.mrtd",
                                                        "sev-snp.measurement",
                                                        "sev-snp.id_key_digest",
                                                        "sev-snp.author_key_digest",
                                                        "cca.realm_initial_measurement",
                                                        "tpm.pcr",
                                                        "token.mr",
                                                        "token.image_digest",
                                                        "co-resident.executable"};

constexpr std::array<std::string_view, 9> kTees = {"sgx", "tdx",   "sev-snp",     "nitro",    "cca",
                                                   "tpm", "token", "co-resident", "simulated"};
constexpr std::array<std::string_view, 7> kTcbStatuses = {"up-to-date",
                                                          "sw-hardening-needed",
                                                          "configuration-needed",
                                                          "configuration-and-sw-hardening-needed",
                                                          "out-of-date",
                                                          "out-of-date-configuration-needed",
                                                          "revoked"};

bool IsNamePart(std::string_view text) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789_-.";
  return !text.empty() && text.size() <= 64 &&
         text.find_first_not_of(kAllowed) == std::string_view::npos;
}

template <class List>
bool HasPrefixIn(const List& list, std::string_view name) {
  return std::any_of(list.begin(), list.end(),
                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

template <class List>
std::string Join(const List& list) {
  std::string text;
  for (const std::string_view item : list) text.append(text.empty() ? "" : ", ").append(item);
  return text;
}

}  // namespace

std::optional<ClaimInfo> FindClaim(std::string_view name) {
  for (const Row& row : kClaims) {
    if (row.name == name) return row.info;
  }
  for (const std::string_view prefix : kNamespaces) {
    if (!name.starts_with(prefix) || !IsNamePart(name.substr(prefix.size()))) continue;
    return ClaimInfo{.type = ClaimType::kOpen, .identifies = HasPrefixIn(kMeasured, name)};
  }
  return std::nullopt;
}

std::string KnownClaims() {
  std::string text;
  for (const Row& row : kClaims) text.append(text.empty() ? "" : ", ").append(row.name);
  for (const std::string_view prefix : kNamespaces) text.append(", ").append(prefix).append("*");
  return text;
}

bool IsTeeName(std::string_view name) {
  return std::find(kTees.begin(), kTees.end(), name) != kTees.end();
}
std::string KnownTees() { return Join(kTees); }

bool IsTcbStatus(std::string_view name) {
  return std::find(kTcbStatuses.begin(), kTcbStatuses.end(), name) != kTcbStatuses.end();
}
std::string KnownTcbStatuses() { return Join(kTcbStatuses); }

}  // namespace keyclave::attest
