#include "enclave/ctl/evidence_file.h"

#include <filesystem>

#include "enclave/base/file.h"
#include "enclave/ctl/evidence_folder.h"

namespace keyclave::ctl {
namespace {

// Files of a folder that hold evidence as it is, in the order in which they are looked for.
constexpr std::string_view kEvidenceNames[] = {"quote.bin", "report.bin", "document.cbor",
                                               "token.jwt", "token.cbor"};
// Certificates beside it. They count for nothing unless they chain to a root that is trusted.
constexpr std::string_view kEndorsements[] = {"pck_chain.pem", "vcek.der", "vlek.der",
                                              "cert_chain.pem"};

Result<EvidenceFile> Recognise(Bytes bytes, const std::string& source) {
  EvidenceFile file;
  for (const attest::TeeType* type : attest::AllTeeTypes()) {
    if (!type->recognises(bytes)) continue;
    file.type = type;
    file.bytes = std::move(bytes);
    file.source = source;
    return file;
  }
  return Fail(Code::kEvidenceUnrecognised, source);
}

Result<EvidenceFile> FromFolder(const Folder& folder) {
  if (folder.Has("quote.attest.bin") || folder.Has("hcl_report.bin")) {
    KC_ASSIGN(Bytes bytes, AssembleTpmEvidence(folder));
    return Recognise(std::move(bytes), folder.path());
  }
  for (const std::string_view name : kEvidenceNames) {
    if (!folder.Has(name)) continue;
    KC_ASSIGN(Bytes bytes, folder.Read(name));
    KC_ASSIGN(EvidenceFile file, Recognise(std::move(bytes), folder.PathOf(name)));
    for (const std::string_view endorsement : kEndorsements) {
      if (!folder.Has(endorsement)) continue;
      KC_ASSIGN(const Bytes content, folder.Read(endorsement));
      KC_CHECK_OK(file.collateral.Add(content, folder.PathOf(endorsement)));
    }
    return file;
  }
  return Fail(Code::kEvidenceUnrecognised,
              folder.path() + " holds none of the files that docs/attestation.md names");
}

Status AddRoots(const Folder& folder, std::string_view name, const std::string& type,
                attest::Trust& trust) {
  if (!folder.Has(name)) return Done{};
  KC_ASSIGN(const Bytes bytes, folder.Read(name));
  KC_ASSIGN(const auto roots, attest::Certificate::ListFrom(bytes));
  auto& known = trust.roots[type];
  known.insert(known.end(), roots.begin(), roots.end());
  return Done{};
}

Status AddKey(const Folder& folder, std::string_view name, const std::string& type,
              attest::Trust& trust) {
  if (!folder.Has(name)) return Done{};
  KC_ASSIGN(const Bytes bytes, folder.Read(name));
  KC_ASSIGN(const auto key, attest::PublicKey::FromPem(bytes));
  trust.keys[type].push_back(key.spki());
  return Done{};
}

}  // namespace

Status AddBroughtTrust(const Folder& folder, const std::string& type, attest::Trust& trust) {
  for (const std::string_view name : {"trusted_ca.pem", "trusted_roots.pem", "fake-intel-root.pem"})
    KC_CHECK_OK(AddRoots(folder, name, type, trust));
  KC_CHECK_OK(AddKey(folder, "ak_pub.pem", "tpm", trust));
  KC_CHECK_OK(AddKey(folder, "cpak_pub.pem", "cca", trust));
  for (const std::string_view name : {"jwks.json", "trusted_key.jwk.json"}) {
    if (!folder.Has(name)) continue;
    attest::TokenIssuer issuer;
    KC_ASSIGN(issuer.keys, folder.Read(name));
    trust.token_issuers.push_back(std::move(issuer));
  }
  if (trust.token_issuers.empty() && type == "token" && !trust.roots[type].empty()) {
    attest::TokenIssuer issuer;
    issuer.roots = trust.roots[type];
    trust.token_issuers.push_back(std::move(issuer));
  }
  return Done{};
}

Result<EvidenceFile> ReadEvidence(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) {
    KC_ASSIGN(Bytes bytes, ReadFile(path, attest::kMaxEvidence));
    return Recognise(std::move(bytes), path);
  }
  const Folder folder(path);
  KC_ASSIGN(EvidenceFile file, FromFolder(folder));
  if (folder.Has("collateral")) file.collateral_folder = folder.PathOf("collateral");
  if (folder.Has("expected_nonce.hex")) {
    KC_ASSIGN(const Bytes text, folder.Read("expected_nonce.hex"));
    const std::string_view hex = AsText(text);
    KC_ASSIGN(file.nonce, FromHex(hex.substr(0, hex.find_last_not_of(" \r\n") + 1)));
  }
  KC_CHECK_OK(AddBroughtTrust(folder, std::string(file.type->name), file.brought));
  return file;
}

}  // namespace keyclave::ctl
