#include "enclave/ctl/evidence_outcome.h"

#include "attest/appraise.h"
#include "attest/default_policy.h"
#include "enclave/ctl/command.h"

namespace keyclave::ctl {
namespace {

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

std::optional<attest::FailedTerm> FirstFailure(const attest::ClaimSet& claims,
                                               const std::optional<attest::Expression>& expect,
                                               UnixTime now) {
  if (!expect) return attest::FailedDefaultPolicy(claims);
  auto failed = expect->FirstFailure(claims, now);
  if (!failed) failed = attest::FailedProtection(claims, attest::AcceptedBy(*expect));
  if (failed) return failed;
  // What the default refuses besides, a broken hash or an expired token, no expectation mends.
  failed = attest::FailedDefaultPolicy(claims);
  const bool judged = failed && (failed->term == "tee" || failed->term == "debug");
  return judged ? std::nullopt : failed;
}

Json ToJson(const Outcome& outcome) {
  Json claims = Json::object();
  for (const auto& [name, claim] : outcome.claims) claims[name] = ClaimJson(claim.value);
  Json json = {{"verdict", outcome.verdict},
               {"tee", outcome.tee.empty() ? Json(nullptr) : Json(outcome.tee)}};
  json["tcb_status"] = TcbStatus(outcome.claims);
  json["claims"] = std::move(claims);
  if (!outcome.key.is_null()) json["key"] = outcome.key;
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

void PrintKey(const Json& key) {
  if (key.is_null()) return;
  Fields fields;
  for (const auto& [name, value] : key.items())
    fields.Add(name, value.is_string() ? value.get<std::string>() : value.dump());
  Print("\n" + Paint(Colour::kBold, "KEY") + "\n" + fields.Text());
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
  PrintKey(outcome.key);
  if (outcome.claims.size() == 0) return;
  Table table({"CLAIM", "VALUE"});
  for (const auto& [name, claim] : outcome.claims)
    table.Add({Harmless(name), Harmless(attest::ToText(claim.value))});
  Print("\n" + table.Text());
}

}  // namespace

Outcome Rejected(std::string step, std::string_view tee, const Error& error) {
  Outcome outcome{.verdict = "reject",
                  .tee = std::string(tee),
                  .claims = {},
                  .step = std::move(step),
                  .code = std::string(CodeName(error.code())),
                  .what = error.Text(),
                  .wanted = {},
                  .got = {},
                  .key = nullptr};
  if (error.mismatch()) {
    outcome.wanted = error.mismatch()->wanted;
    outcome.got = error.mismatch()->got;
  }
  return outcome;
}

Outcome Judged(std::string_view tee, attest::ClaimSet claims,
               const std::optional<attest::Expression>& expect, UnixTime now) {
  const std::string named = ClaimText(claims, "tee");
  Outcome outcome{.verdict = "accept",
                  .tee = named.empty() ? std::string(tee) : named,
                  .claims = std::move(claims),
                  .step = {},
                  .code = {},
                  .what = {},
                  .wanted = {},
                  .got = {},
                  .key = nullptr};
  const auto failed = FirstFailure(outcome.claims, expect, now);
  if (!failed.has_value()) return outcome;
  outcome.verdict = "policy";
  outcome.step = "appraise";
  outcome.code = CodeName(Code::kAppraisalFailed);
  outcome.what = std::string("genuine, but ") +
                 (expect ? "what is expected" : "the default policy") + " refuses its " +
                 failed->term;
  outcome.wanted = failed->wanted;
  outcome.got = failed->got;
  return outcome;
}

int Report(const Outcome& outcome, bool json) {
  if (json) {
    PrintJson(ToJson(outcome));
  } else {
    PrintOutcome(outcome);
  }
  return outcome.verdict == "accept" ? kExitOk : kExitRefused;
}

}  // namespace keyclave::ctl
