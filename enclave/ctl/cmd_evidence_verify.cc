// keyclave evidence verify and show: what a file of evidence says, and whether it is genuine.
#include <CLI/CLI.hpp>
#include <memory>

#include "attest/jwk.h"
#include "attest/key_binding.h"
#include "enclave/base/file.h"
#include "enclave/ctl/cmd_evidence.h"
#include "enclave/ctl/evidence_file.h"
#include "enclave/ctl/evidence_folder.h"
#include "enclave/ctl/evidence_outcome.h"
#include "enclave/ctl/evidence_trust.h"
#include "enclave/ctl/key_attestation_file.h"
#include "enclave/ctl/output.h"
#include "enclave/ctl/tls_server_key.h"

namespace keyclave::ctl {
namespace {

struct VerifyOptions {
  std::string path;
  std::string at;
  TrustOptions trust;
  std::string expect;
  std::string csr;
  std::string tls;
};

// What --expect says: a file with `expect:`, as client.yaml has it.
Result<std::optional<attest::Expression>> ReadExpect(const std::string& path) {
  if (path.empty()) return std::optional<attest::Expression>();
  KC_ASSIGN(const YamlValue document, ParseYamlFile(path));
  KC_ASSIGN(YamlMap map, document.AsMap());
  KC_ASSIGN(const YamlValue expect, map.Require("expect"));
  KC_CHECK_OK(map.Finish());
  KC_ASSIGN(attest::Expression expression, attest::Expression::Parse(expect));
  return std::optional(std::move(expression));
}

Outcome Examine(const EvidenceFile& file, const attest::Trust& trust,
                const std::optional<attest::Expression>& expect, UnixTime now) {
  const auto parsed = attest::ParseEvidence(file.type->name, file.bytes);
  if (!parsed.ok()) return Rejected("parse", file.type->name, parsed.error());
  const attest::ExpectedBinding binding =
      file.nonce ? attest::ExpectedBinding::Nonce(*file.nonce) : attest::ExpectedBinding::None();
  auto claims = attest::ExamineEvidence(*parsed, {trust, now, binding});
  if (!claims.ok()) return Rejected("verify", file.type->name, claims.error());
  return Judged(file.type->name, *std::move(claims), expect, now);
}

// Evidence about a key: it must be about this document.
Result<Outcome> ExamineAttestation(const VerifyOptions& options,
                                   const Result<wire::KeyAttestation>& attestation,
                                   const std::optional<attest::Expression>& expect, UnixTime now) {
  if (!attestation.ok()) return Rejected("parse", "", attestation.error());
  const auto document = wire::ParseKeyDocument(attestation->document);
  if (!document.ok()) return Rejected("parse", attestation->evidence_type, document.error());
  const auto parsed = attest::ParseEvidence(attestation->evidence_type, attestation->evidence);
  if (!parsed.ok()) return Rejected("parse", attestation->evidence_type, parsed.error());
  EvidenceFile file;
  file.type = &parsed->type();
  KC_ASSIGN(const attest::Trust trust, TrustFor(options.trust, file));
  const auto binding = attest::ComputeKeyReportData(attestation->nonce, attestation->document);
  auto claims = attest::ExamineEvidence(*parsed, {trust, now, binding});
  Outcome outcome;
  if (claims.ok()) {
    outcome = Judged(file.type->name, *std::move(claims), expect, now);
  } else if (claims.code() == Code::kEvidenceBinding) {
    outcome = Rejected(
        "verify", file.type->name,
        Fail(Code::kEvidenceBinding, "the evidence is not about this document and this nonce"));
  } else {
    outcome = Rejected("verify", file.type->name, claims.error());
  }
  outcome.key = KeyDocumentJson(*document);
  outcome.key["nonce"] = ToHex(attestation->nonce);
  if (options.tls.empty() || outcome.verdict != "accept") return outcome;
  KC_ASSIGN(const Bytes spki, TlsServerKey(options.tls));
  if (spki == document->public_key_info) return outcome;
  Outcome other = Rejected(
      "verify", file.type->name,
      Fail(Code::kCertificateMismatch,
           "the server at " + options.tls + " has another key than this evidence is about"));
  other.key = std::move(outcome.key);
  return other;
}

// A key attestation in a file of its own or in a certificate request; nullopt: something else.
Result<std::optional<Outcome>> ExamineKeyFile(const VerifyOptions& options,
                                              const std::optional<attest::Expression>& expect,
                                              UnixTime now) {
  constexpr size_t kMaxFile = size_t{1} << 20;  // bytes
  if (!options.csr.empty()) {
    KC_ASSIGN(const Bytes request, ReadFile(options.csr, kMaxFile));
    KC_ASSIGN(Outcome outcome,
              ExamineAttestation(options, ReadRequestAttestation(request), expect, now));
    return std::optional(std::move(outcome));
  }
  const auto content = ReadFile(options.path, kMaxFile);
  if (!content.ok() || !IsKeyAttestation(AsText(*content))) return std::optional<Outcome>();
  KC_ASSIGN(Outcome outcome,
            ExamineAttestation(options, ParseKeyAttestationPem(AsText(*content)), expect, now));
  return std::optional(std::move(outcome));
}

// A folder that holds no token but a token's key, with the certificates that vouch for it.
Outcome ExamineKey(const Folder& folder, bool trust_bundle, UnixTime now) {
  const auto key = folder.Read("jwk.json");
  if (!key.ok()) return Rejected("parse", "token", key.error());
  attest::Trust brought;
  if (trust_bundle) {
    const auto added = AddBroughtTrust(folder, "token", brought);
    if (!added.ok()) return Rejected("parse", "token", added.error());
  }
  const auto keys = attest::ParseJwks(*key);
  if (!keys.ok()) return Rejected("parse", "token", keys.error());
  for (const attest::Jwk& one : *keys) {
    const Status trusted = attest::CheckKeyTrust(one, brought.roots["token"], now);
    if (!trusted.ok()) return Rejected("verify", "token", trusted.error());
  }
  Outcome outcome;
  outcome.verdict = "accept";
  outcome.tee = "token";
  return outcome;
}

Result<Outcome> ExaminePath(const VerifyOptions& options,
                            const std::optional<attest::Expression>& expect, UnixTime now) {
  const Folder folder(options.path);
  if (folder.Has("jwk.json") && !folder.Has("token.jwt"))
    return ExamineKey(folder, options.trust.bundle, now);
  const auto file = ReadEvidence(options.path);
  if (!file.ok()) {
    // What cannot be read at all is the user's mistake; what is read and is no evidence is bad.
    if (file.code() == Code::kNotFound || file.code() == Code::kPermissionDenied)
      return file.error();
    return Rejected("parse", "", file.error());
  }
  KC_ASSIGN(const attest::Trust trust, TrustFor(options.trust, *file));
  return Examine(*file, trust, expect, now);
}

Result<int> Verify(const VerifyOptions& options, bool json) {
  if (options.path.empty() == options.csr.empty())
    return Fail(Code::kInvalidArgument, "name a file or folder, or a request with --csr");
  KC_ASSIGN(const UnixTime now, VerificationTime(options.at));
  KC_ASSIGN(const auto expect, ReadExpect(options.expect));
  KC_ASSIGN(const std::optional<Outcome> of_key, ExamineKeyFile(options, expect, now));
  if (of_key) return Report(*of_key, json);
  if (!options.tls.empty())
    return Fail(Code::kInvalidArgument, "--tls is for a key attestation (keyclave key attest)");
  KC_ASSIGN(const Outcome outcome, ExaminePath(options, expect, now));
  return Report(outcome, json);
}

}  // namespace

Result<UnixTime> VerificationTime(const std::string& at) {
  if (at.empty()) return SystemClock().Now();
  auto time = ParseTime(at);
  if (!time.ok()) return Fail(Code::kInvalidArgument, "--at " + at + ": " + time.error().Text());
  return time;
}

Result<int> ShowEvidence(const std::string& path, bool json) {
  KC_ASSIGN(const EvidenceFile file, ReadEvidence(path));
  KC_ASSIGN(const attest::Unverified parsed, attest::ParseEvidence(file.type->name, file.bytes));
  const std::vector<attest::Field> fields = file.type->describe(parsed.parsed());
  if (json) {
    Json values = Json::object();
    for (const attest::Field& field : fields) values[field.name] = field.value;
    PrintJson({{"type", file.type->name}, {"verified", false}, {"fields", values}});
    return kExitOk;
  }
  Fields lines;
  lines.Add("type", file.type->name);
  for (const attest::Field& field : fields) lines.Add(field.name, field.value);
  Print(lines.Text());
  PrintNote("keyclave: nothing of this is verified: keyclave evidence verify " + Harmless(path) +
            "\n");
  return kExitOk;
}

void AddEvidenceVerify(CLI::App& group, Invocation& invocation) {
  auto options = std::make_shared<VerifyOptions>();
  CLI::App* verify = group.add_subcommand("verify", "check evidence in a file or a folder");
  verify->add_option("path", options->path,
                     "a file, a folder with evidence and endorsements, or a key attestation");
  verify
      ->add_option("--csr", options->csr,
                   "the key attestation in this certificate request (keyclave "
                   "cert csr --attest)")
      ->type_name("FILE");
  verify
      ->add_option("--tls", options->tls,
                   "of a key attestation: the TLS server there must have this very key")
      ->type_name("HOST:PORT");
  verify
      ->add_option("--expect", options->expect,
                   "what it must say: a file with `expect:` as in client.yaml "
                   "(default: what "
                   "nobody should accept is refused)")
      ->type_name("FILE");
  verify->add_option("--at", options->at, "verify as of this time (RFC 3339; default: now)");
  AddTrustOptions(*verify, options->trust);
  verify->footer(
      "Offline but for --tls: nothing is fetched. The vendors' roots are built "
      "in. The exit code is 0 for\n"
      "`accept`; 1 for `policy` (genuine, but debug mode, SHA-1 "
      "registers, expired …) and "
      "`reject`.");
  verify->callback([options, &invocation] {
    invocation.action = [options, &invocation] {
      return Verify(*options, invocation.globals.json);
    };
  });
}

}  // namespace keyclave::ctl
