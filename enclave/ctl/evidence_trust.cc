#include "enclave/ctl/evidence_trust.h"

#include <CLI/CLI.hpp>

#include "enclave/ctl/trust_file.h"

namespace keyclave::ctl {

void AddTrustOptions(CLI::App& command, TrustOptions& options) {
  command.add_option("--collateral", options.collateral,
                     "folder with TCB info, CRLs … (default: collateral/ beside the evidence)");
  command
      .add_option("--trust", options.files,
                  "trust these roots, keys or key sets as well (PEM, DER, JSON)")
      ->type_name("FILE…");
  command.add_flag("--trust-bundle", options.bundle,
                   "trust the roots and keys that lie in the folder itself");
}

Result<attest::Trust> TrustFor(const TrustOptions& options, const EvidenceFile& file,
                               attest::Trust base) {
  const std::string type(file.type->name);
  attest::Trust trust = std::move(base);
  if (options.bundle) {
    for (const auto& [kind, roots] : file.brought.roots)
      trust.roots[kind].insert(trust.roots[kind].end(), roots.begin(), roots.end());
    for (const auto& [kind, keys] : file.brought.keys)
      trust.keys[kind].insert(trust.keys[kind].end(), keys.begin(), keys.end());
    trust.simulated_roots.insert(trust.simulated_roots.end(), file.brought.simulated_roots.begin(),
                                 file.brought.simulated_roots.end());
    trust.token_issuers.insert(trust.token_issuers.end(), file.brought.token_issuers.begin(),
                               file.brought.token_issuers.end());
  }
  KC_ASSIGN(const TrustFiles files, ReadTrustFiles(options.files));
  KC_CHECK_OK(AddTrust(files, type, trust));
  attest::Collateral collateral = *trust.collateral;
  collateral.AddAll(file.collateral);
  const std::string& folder =
      options.collateral.empty() ? file.collateral_folder : options.collateral;
  if (!folder.empty()) {
    KC_ASSIGN(const attest::Collateral more, attest::Collateral::Load(folder));
    collateral.AddAll(more);
  }
  trust.collateral = std::make_shared<const attest::Collateral>(std::move(collateral));
  return trust;
}

Result<attest::ClaimSet> ExamineFile(const EvidenceFile& file, const attest::Trust& trust,
                                     UnixTime now) {
  KC_ASSIGN(const attest::Unverified parsed, attest::ParseEvidence(file.type->name, file.bytes));
  const attest::ExpectedBinding binding =
      file.nonce ? attest::ExpectedBinding::Nonce(*file.nonce) : attest::ExpectedBinding::None();
  attest::VerifyContext context{trust, now, binding};
  // As the enclave is with its callers: how late is too late, the policy decides.
  context.collateral_grace = attest::kMaxCollateralGrace;
  return attest::ExamineEvidence(parsed, context);
}

}  // namespace keyclave::ctl
