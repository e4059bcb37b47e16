// keyclave evidence: measurements for policies, and what this process or the enclave can prove.
#include "enclave/ctl/cmd_evidence.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <memory>

#include "attest/evidence.h"
#include "attest/tee_type.h"
#include "enclave/base/hash.h"
#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/output.h"

namespace keyclave::ctl {
namespace {

struct Measured {
  std::string path;  // of the file itself, symbolic links followed
  std::string measurement;
  bool is_script = false;
};

Result<Measured> Measure(const std::string& path) {
  std::error_code error;
  Measured measured;
  measured.path = std::filesystem::canonical(path, error);
  if (error) return Fail(Code::kNotFound, path + ": " + error.message());
  if (!std::filesystem::is_regular_file(measured.path, error)) {
    return Fail(Code::kInvalidArgument, path + " is not a program");
  }
  std::ifstream file(measured.path, std::ios::binary);
  if (!file) return Fail(Code::kPermissionDenied, measured.path);
  KC_ASSIGN(Hasher hasher, Hasher::Create(HashAlgorithm::kSha256));
  std::array<char, 65536> buffer{};
  bool first = true;
  while (file.read(buffer.data(), buffer.size()) || file.gcount() > 0) {
    const std::string_view part(buffer.data(), static_cast<size_t>(file.gcount()));
    if (first) measured.is_script = part.starts_with("#!");
    first = false;
    KC_CHECK_OK(hasher.Update(AsBytes(part)));
  }
  if (file.bad()) return Fail(Code::kIo, measured.path);
  KC_ASSIGN(const Bytes digest, hasher.Finish());
  measured.measurement = ToHex(digest);
  return measured;
}

Result<int> MeasureAll(std::vector<std::string> paths, bool self, bool json) {
  if (self) paths.insert(paths.begin(), "/proc/self/exe");
  if (paths.empty()) return Fail(Code::kInvalidArgument, "name a program, or say --self");
  Json list = Json::array();
  std::string text;
  for (const std::string& path : paths) {
    KC_ASSIGN(const Measured measured, Measure(path));
    list.push_back({{"path", measured.path}, {"measurement", measured.measurement}});
    text += measured.measurement + "  " + Harmless(measured.path) + "\n";
    if (measured.is_script) {
      PrintNote("keyclave: " + Harmless(measured.path) +
                " is a script: as a caller its interpreter is what is measured\n");
    }
  }
  if (json) {
    PrintJson({{"tee", "simulated"}, {"programs", list}});
  } else {
    Print(text);
  }
  return kExitOk;
}

int PrintClaims(const attest::ClaimSet& claims, bool json) {
  if (json) {
    Json list = Json::array();
    for (const auto& [name, claim] : claims) {
      list.push_back({{"name", name},
                      {"value", attest::ToText(claim.value)},
                      {"attested", claim.origin == attest::Origin::kAttested}});
    }
    PrintJson({{"claims", list}});
    return kExitOk;
  }
  Table table({"CLAIM", "VALUE", "ATTESTED"});
  for (const auto& [name, claim] : claims) {
    table.Add({Harmless(name), Harmless(attest::ToText(claim.value)),
               claim.origin == attest::Origin::kAttested ? "yes" : "no"});
  }
  Print(table.Text());
  return kExitOk;
}

// Makes evidence as a caller would, and verifies it as the enclave would.
Result<attest::ClaimSet> OwnClaims(const client::ClientConfig& config) {
  if (config.evidence_type.empty()) {
    return Fail(Code::kEvidenceUnavailable, config.source + " says evidence: none");
  }
  const attest::TeeType* type = attest::FindTeeType(config.evidence_type);
  if (type == nullptr) return Fail(Code::kEvidenceUnknownType, config.evidence_type);
  const UnixTime now = SystemClock().Now();
  const attest::ReportData report_data = RandomArray<64>();
  KC_ASSIGN(const Bytes evidence, type->produce(report_data, config.producer, now));
  KC_ASSIGN(const attest::Unverified parsed, attest::ParseEvidence(config.evidence_type, evidence));
  KC_ASSIGN(const attest::Verified verified,
            attest::VerifyEvidence(parsed, {config.trust, now, report_data}));
  return verified.claims();
}

Result<int> Show(bool self, const std::string& path, const Globals& globals) {
  if (!path.empty()) return ShowEvidence(path, globals.json);
  if (self) {
    KC_ASSIGN(const client::ClientConfig config, client::LoadClientConfig(globals.config));
    KC_ASSIGN(const attest::ClaimSet claims, OwnClaims(config));
    return PrintClaims(claims, globals.json);
  }
  KC_ASSIGN(const auto enclave, Enclave::Open(globals));
  KC_ASSIGN(const attest::ClaimSet claims, enclave->client().EnclaveClaims());
  return PrintClaims(claims, globals.json);
}

}  // namespace

void AddEvidence(CLI::App& app, Invocation& invocation) {
  CLI::App* group = app.add_subcommand("evidence", "what programs and the enclave can prove");
  group->require_subcommand(1);

  auto show_self = std::make_shared<bool>(false);
  auto show_path = std::make_shared<std::string>();
  CLI::App* show = group->add_subcommand("show", "show the enclave's claims, or what a file says");
  show->add_flag("--self", *show_self, "claims of this process (keyclave itself) instead");
  show->add_option("path", *show_path, "every field of the evidence in this file or folder instead")
      ->excludes("--self");
  show->callback([show_self, show_path, &invocation] {
    invocation.action = [show_self, show_path, &invocation] {
      return Show(*show_self, *show_path, invocation.globals);
    };
  });
  AddEvidenceVerify(*group, invocation);
  AddEvidenceCollect(*group, invocation);
  AddEvidenceEnrollTpm(*group, invocation);
  AddEvidenceCollateral(*group, invocation);

  auto paths = std::make_shared<std::vector<std::string>>();
  auto self = std::make_shared<bool>(false);
  CLI::App* measure = group->add_subcommand("measure", "print the measurement of programs");
  measure->add_option("program", *paths, "executables")->type_name("PATH…");
  measure->add_flag("--self", *self, "of keyclave itself");
  measure->footer(
      "The SHA-256 of an executable is its `measurement` in simulated evidence. For a policy:\n"
      "  when: {all: [{tee: {is: simulated}}, {measurement: {is: \"…\"}}]}");
  measure->callback([paths, self, &invocation] {
    invocation.action = [paths, self, &invocation] {
      return MeasureAll(*paths, *self, invocation.globals.json);
    };
  });
}

}  // namespace keyclave::ctl
