// keyclave evidence verify and show: what a file of evidence says, and whether it is genuine.
#include <memory>

#include "attest/default_policy.h"
#include "attest/jwk.h"
#include "enclave/ctl/cmd_evidence.h"
#include "enclave/ctl/evidence_file.h"
#include "enclave/ctl/evidence_folder.h"
#include "enclave/ctl/output.h"
#include "enclave/ctl/trust_file.h"

namespace keyclave::ctl {
namespace {

struct VerifyOptions {
  std::string path;
  std::string at;
  std::string collateral;
  std::vector<std::string> trust;
  bool trust_bundle = false;
};

// How it went, for people and for programs.
struct Outcome {
  std::string verdict;  // accept, policy, reject
  std::string tee;
  attest::ClaimSet claims;
  std::string step;  // of the failure: parse, verify, appraise; empty if there is none
  std::string code;
  std::string what;
  std::string wanted;
  std::string got;
};

Outcome Rejected(std::string step, std::string_view tee, const Error& error) {
  Outcome outcome{.verdict = "reject",
                  .tee = std::string(tee),
                  .claims = {},
                  .step = std::move(step),
                  .code = std::string(CodeName(error.code())),
                  .what = error.Text(),
                  .wanted = {},
                  .got = {}};
  if (error.mismatch()) {
    outcome.wanted = error.mismatch()->wanted;
    outcome.got = error.mismatch()->got;
  }
  return outcome;
}

// Intel's spelling of a TCB status ("UpToDate"), which is what its documents use.
std::string VendorStatus(std::string_view status) {
  std::string text;
  bool upper = true;
  for (const char c : status) {
    if (c == '-') {
      upper = true;
      continue;
    }
    text += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    upper = false;
  }
  if (const size_t at = text.find("Sw"); at != std::string::npos) text.replace(at, 2, "SW");
  return text;
}

Json ClaimJson(const attest::ClaimValue& value) {
  return std::visit([](const auto& one) { return Json(one); }, value);
}

std::string ClaimText(const attest::ClaimSet& claims, std::string_view name) {
  const attest::Claim* claim = claims.Find(name);
  return claim == nullptr ? std::string() : attest::ToText(claim->value);
}

// Only Intel publishes one per platform; what the other types say is Keyclave's own reading.
Json TcbStatus(const attest::ClaimSet& claims) {
  const std::string tee = ClaimText(claims, "tee");
  if (tee != "sgx" && tee != "tdx") return nullptr;
  return VendorStatus(ClaimText(claims, "tcb_status"));
}

Outcome Judged(std::string_view tee, attest::ClaimSet claims) {
  const std::string named = ClaimText(claims, "tee");
  Outcome outcome{.verdict = "accept",
                  .tee = named.empty() ? std::string(tee) : named,
                  .claims = std::move(claims),
                  .step = {},
                  .code = {},
                  .what = {},
                  .wanted = {},
                  .got = {}};
  if (const auto failed = attest::FailedDefaultPolicy(outcome.claims)) {
    outcome.verdict = "policy";
    outcome.step = "appraise";
    outcome.code = CodeName(Code::kAppraisalFailed);
    outcome.what = "genuine, but the default policy refuses its " + failed->term;
    outcome.wanted = failed->wanted;
    outcome.got = failed->got;
  }
  return outcome;
}

Json ToJson(const Outcome& outcome) {
  Json claims = Json::object();
  for (const auto& [name, claim] : outcome.claims) claims[name] = ClaimJson(claim.value);
  Json json = {{"verdict", outcome.verdict},
               {"tee", outcome.tee.empty() ? Json(nullptr) : Json(outcome.tee)}};
  json["tcb_status"] = TcbStatus(outcome.claims);
  json["claims"] = std::move(claims);
  if (outcome.step.empty()) {
    json["failure"] = nullptr;
  } else {
    json["failure"] = {{"step", outcome.step},
                       {"code", outcome.code},
                       {"what", outcome.what},
                       {"wanted", outcome.wanted},
                       {"got", outcome.got}};
  }
  return json;
}

void PrintOutcome(const Outcome& outcome) {
  Fields fields;
  const bool good = outcome.verdict == "accept";
  fields.AddPainted("verdict", Paint(good ? Colour::kGood : Colour::kBad, outcome.verdict));
  if (!outcome.tee.empty()) fields.Add("tee", outcome.tee);
  if (!outcome.step.empty()) {
    fields.Add("failed at", outcome.step);
    fields.Add("because", outcome.what);
    if (!outcome.wanted.empty()) fields.Add("wanted", outcome.wanted);
    if (!outcome.got.empty()) fields.Add("got", outcome.got);
  }
  Print(fields.Text());
  if (outcome.claims.size() == 0) return;
  Table table({"CLAIM", "VALUE"});
  for (const auto& [name, claim] : outcome.claims)
    table.Add({Harmless(name), Harmless(attest::ToText(claim.value))});
  Print("\n" + table.Text());
}

Result<attest::Trust> TrustFor(const VerifyOptions& options, const EvidenceFile& file) {
  const std::string type(file.type->name);
  attest::Trust trust;
  if (options.trust_bundle) trust = file.brought;
  KC_ASSIGN(const TrustFiles files, ReadTrustFiles(options.trust));
  KC_CHECK_OK(AddTrust(files, type, trust));
  attest::Collateral collateral = file.collateral;
  const std::string& folder =
      options.collateral.empty() ? file.collateral_folder : options.collateral;
  if (!folder.empty()) {
    KC_ASSIGN(const attest::Collateral more, attest::Collateral::Load(folder));
    collateral.AddAll(more);
  }
  trust.collateral = std::make_shared<const attest::Collateral>(std::move(collateral));
  return trust;
}

Outcome Examine(const EvidenceFile& file, const attest::Trust& trust, UnixTime now) {
  const auto parsed = attest::ParseEvidence(file.type->name, file.bytes);
  if (!parsed.ok()) return Rejected("parse", file.type->name, parsed.error());
  const attest::ExpectedBinding binding =
      file.nonce ? attest::ExpectedBinding::Nonce(*file.nonce) : attest::ExpectedBinding::None();
  auto claims = attest::ExamineEvidence(*parsed, {trust, now, binding});
  if (!claims.ok()) return Rejected("verify", file.type->name, claims.error());
  return Judged(file.type->name, *std::move(claims));
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

Result<int> Verify(const VerifyOptions& options, bool json) {
  KC_ASSIGN(const UnixTime now, VerificationTime(options.at));
  Outcome outcome;
  const Folder folder(options.path);
  if (folder.Has("jwk.json") && !folder.Has("token.jwt")) {
    outcome = ExamineKey(folder, options.trust_bundle, now);
  } else {
    const auto file = ReadEvidence(options.path);
    if (!file.ok()) {
      // What cannot be read at all is the user's mistake; what is read and is no evidence is bad.
      if (file.code() == Code::kNotFound || file.code() == Code::kPermissionDenied)
        return file.error();
      outcome = Rejected("parse", "", file.error());
    } else {
      KC_ASSIGN(const attest::Trust trust, TrustFor(options, *file));
      outcome = Examine(*file, trust, now);
    }
  }
  if (json) {
    PrintJson(ToJson(outcome));
  } else {
    PrintOutcome(outcome);
  }
  return outcome.verdict == "accept" ? kExitOk : kExitRefused;
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
  verify->add_option("path", options->path, "a file, or a folder with evidence and endorsements")
      ->required();
  verify->add_option("--at", options->at, "verify as of this time (RFC 3339; default: now)");
  verify->add_option("--collateral", options->collateral,
                     "folder with TCB info, CRLs … (default: collateral/ in the folder)");
  verify
      ->add_option("--trust", options->trust,
                   "trust these roots, keys or key sets as well (PEM, DER, JSON)")
      ->type_name("FILE…");
  verify->add_flag("--trust-bundle", options->trust_bundle,
                   "trust the roots and keys that lie in the folder itself");
  verify->footer(
      "Offline: nothing is fetched. The vendors' roots are built in. The exit code is 0 for\n"
      "`accept`; 1 for `policy` (genuine, but debug mode, SHA-1 registers, expired …) and "
      "`reject`.");
  verify->callback([options, &invocation] {
    invocation.action = [options, &invocation] {
      return Verify(*options, invocation.globals.json);
    };
  });
}

}  // namespace keyclave::ctl
