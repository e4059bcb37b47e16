#include "enclave/ctl/trust_file.h"

#include "attest/jwk.h"
#include "enclave/base/file.h"

namespace keyclave::ctl {
namespace {

constexpr size_t kMaxFile = size_t{1} << 20;  // bytes

Status ReadInto(const std::string& path, TrustFiles& files) {
  KC_ASSIGN(const Bytes bytes, ReadFile(path, kMaxFile));
  if (const auto certificates = attest::Certificate::ListFrom(bytes);
      certificates.ok() && !certificates->empty()) {
    files.roots.insert(files.roots.end(), certificates->begin(), certificates->end());
  } else if (const auto key = attest::PublicKey::FromPem(bytes); key.ok()) {
    files.keys.push_back(key->spki());
  } else if (attest::ParseJwks(bytes).ok()) {
    files.key_sets.push_back(bytes);
  } else {
    return Fail(Code::kInvalidArgument, path + " holds no certificate, public key or key set");
  }
  return Done{};
}

Error Meaningless(const char* what, const std::string& type) {
  return Fail(Code::kInvalidArgument,
              std::string("--trust: evidence of type ") + type + " is not verified with " + what);
}

// Keys may be certified, and certificates may stand in the token itself.
void AddIssuers(const TrustFiles& files, attest::Trust& trust) {
  attest::TokenIssuer issuer;
  issuer.roots = files.roots;
  for (const Bytes& keys : files.key_sets) {
    issuer.keys = keys;
    trust.token_issuers.push_back(issuer);
  }
  if (files.key_sets.empty() && !files.roots.empty()) trust.token_issuers.push_back(issuer);
}

}  // namespace

Result<TrustFiles> ReadTrustFiles(const std::vector<std::string>& paths) {
  TrustFiles files;
  for (const std::string& path : paths) KC_CHECK_OK(ReadInto(path, files));
  return files;
}

Status AddTrust(const TrustFiles& files, const std::string& type, attest::Trust& trust) {
  if (type == "token") {
    if (!files.keys.empty()) return Meaningless("a public key in PEM, but with a JWK", type);
    AddIssuers(files, trust);
    return Done{};
  }
  if (!files.key_sets.empty()) return Meaningless("a key set", type);
  const bool by_keys_only = type == "simulated" || type == "cca";
  if (by_keys_only && !files.roots.empty())
    return Meaningless("a certificate, but with a public key", type);
  if (type == "simulated") {
    trust.simulated_roots.insert(trust.simulated_roots.end(), files.keys.begin(), files.keys.end());
    return Done{};
  }
  if (!files.keys.empty() && type != "tpm" && type != "cca")
    return Meaningless("a public key, but with a root certificate", type);
  auto& roots = trust.roots[type];
  roots.insert(roots.end(), files.roots.begin(), files.roots.end());
  auto& keys = trust.keys[type];
  keys.insert(keys.end(), files.keys.begin(), files.keys.end());
  return Done{};
}

}  // namespace keyclave::ctl
