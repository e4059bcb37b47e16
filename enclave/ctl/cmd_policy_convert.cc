// keyclave policy convert: policies of other systems, rewritten.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "enclave/base/file.h"
#include "enclave/ctl/cmd_policy.h"
#include "enclave/ctl/convert/conversion.h"
#include "enclave/ctl/output.h"

namespace keyclave::ctl {
namespace {

namespace fs = std::filesystem;
using convert::Converted;
using convert::Finding;

struct ConvertOptions {
  std::string from;
  std::string file;
  std::string output;
  bool strict = false;
  std::vector<std::string> parties;
  std::vector<std::string> operation_names;
  convert::Options options;
};

std::vector<std::string> SplitAt(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const size_t at = text.find(separator);
    parts.emplace_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

// ID=CLAIM=TEXT and NAME=OPERATION,OPERATION.
Result<convert::Options> ReadOptions(const ConvertOptions& given) {
  convert::Options options = given.options;
  for (const std::string& text : given.parties) {
    const size_t first = text.find('=');
    const size_t second = first == std::string::npos ? first : text.find('=', first + 1);
    if (second == std::string::npos)
      return Fail(Code::kInvalidArgument, "--party " + text + ": wanted ID=tls.san=NAME");
    const std::string claim = text.substr(first + 1, second - first - 1);
    options.parties[text.substr(0, first)] = {claim, text.substr(second + 1)};
  }
  for (const std::string& text : given.operation_names) {
    const size_t at = text.rfind('=');
    if (at == std::string::npos)
      return Fail(Code::kInvalidArgument, "--op " + text + ": wanted NAME=OPERATION[,OPERATION]");
    options.operation_names[text.substr(0, at)] = SplitAt(text.substr(at + 1), ',');
  }
  return options;
}

Json ToJson(const ConvertOptions& options, const std::vector<Converted>& policies) {
  Json list = Json::array();
  for (const Converted& policy : policies) {
    Json findings = Json::array();
    for (const Finding& finding : policy.findings) {
      findings.push_back({{"kind", convert::FindingName(finding.kind)},
                          {"where", finding.where},
                          {"what", finding.what}});
    }
    Json entry = {{"policy", policy.name}};
    entry["text"] = policy.text.has_value() ? Json(*policy.text) : Json(nullptr);
    entry["findings"] = std::move(findings);
    list.push_back(std::move(entry));
  }
  return {{"from", options.from}, {"file", options.file}, {"policies", std::move(list)}};
}

void PrintFindings(const std::vector<Converted>& policies) {
  for (const Converted& policy : policies) {
    for (const Finding& finding : policy.findings) {
      const std::string where = finding.where.empty() ? policy.name : finding.where;
      PrintNote(std::string(convert::FindingName(finding.kind)) + ": " + Harmless(where) + ": " +
                Harmless(finding.what) + "\n");
    }
    if (!policy.text.has_value()) {
      PrintNote("keyclave: nothing of " + Harmless(policy.name) +
                " could be carried over: no policy is better than a more generous one\n");
    }
  }
}

// One policy into a new file, several into a folder under their names.
Status Write(const ConvertOptions& options, const std::vector<Converted>& policies) {
  std::error_code error;
  const bool folder = fs::is_directory(options.output, error);
  if (!folder && policies.size() > 1) {
    return Fail(Code::kInvalidArgument, options.file + " holds " + std::to_string(policies.size()) +
                                            " policies: name a folder with --output");
  }
  for (const Converted& policy : policies) {
    const std::string path =
        folder ? (fs::path(options.output) / (policy.name + ".yaml")).string() : options.output;
    KC_CHECK_OK(WriteNewFile(path, AsBytes(*policy.text), 0644));
  }
  return Done{};
}

int ExitCode(const std::vector<Converted>& policies, bool strict) {
  for (const Converted& policy : policies) {
    if (!policy.text.has_value()) return kExitRefused;
    for (const Finding& finding : policy.findings) {
      if (strict && finding.kind != Finding::Kind::kNote) return kExitRefused;
    }
  }
  return kExitOk;
}

Result<int> Convert(const ConvertOptions& options, bool json) {
  KC_ASSIGN(const convert::Options read, ReadOptions(options));
  KC_ASSIGN(const Bytes source, ReadFile(options.file, convert::kMaxSource));
  KC_ASSIGN(const std::vector<Converted> policies,
            convert::Convert(options.from, AsText(source), options.file, read));
  if (!json) PrintFindings(policies);
  const bool whole = ExitCode(policies, false) == kExitOk;
  if (whole && !options.output.empty()) {
    KC_CHECK_OK(Write(options, policies));
  } else if (whole && !json) {
    if (policies.size() > 1) {
      return Fail(Code::kInvalidArgument, options.file + " holds " +
                                              std::to_string(policies.size()) +
                                              " policies: name a folder with --output");
    }
    Print(*policies.front().text);
  }
  if (json) PrintJson(ToJson(options, policies));
  return ExitCode(policies, options.strict);
}

}  // namespace

void AddPolicyConvert(CLI::App& group, Invocation& invocation) {
  auto options = std::make_shared<ConvertOptions>();
  CLI::App* command = group.add_subcommand("convert", "rewrite a policy of another system");
  command->add_option("--from", options->from, "which: " + convert::KnownDialects())
      ->required()
      ->type_name("SYSTEM");
  command->add_option("file", options->file)->required()->type_name("FILE");
  command->add_option("-o,--output", options->output,
                      "a new file, or a folder for several policies (default: standard output)");
  command->add_option("--name", options->options.name, "the policy's name");
  command
      ->add_option("--operations", options->options.operations,
                   "what callers may do (default: what they may there, which mostly is release)")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("LIST");
  command->add_flag("--allow-unattested", options->options.allow_unattested,
                    "write permits that name no workload, too");
  command->add_flag("--strict", options->strict,
                    "fail if anything was left out or needs attention");
  command->add_option("--issuer", options->options.issuer, "trustee: whose tokens count");
  command->add_option("--resource", options->options.resource,
                      "trustee: the resource that becomes the key: repository/type/tag");
  command->add_flag("--raw-evidence", options->options.raw_evidence,
                    "trustee: for callers of `keyclave kbs`, who show evidence and no token");
  command
      ->add_option("--party", options->parties,
                   "capsulemanager: by which certificate a party is known: ID=tls.san=NAME")
      ->allow_extra_args(false)
      ->type_name("ID=CLAIM=TEXT");
  command
      ->add_option("--op", options->operation_names,
                   "capsulemanager: what an application's operation stands for: OP_PSI=decrypt")
      ->allow_extra_args(false)
      ->type_name("NAME=LIST");
  command->footer(
      "The result lets in nobody whom the source keeps out. What cannot be carried over is told "
      "on\n"
      "standard error with its place; the permit that needs it is left out. docs/policy.md has "
      "the\n"
      "subsets that are read. Example:\n"
      "  keyclave policy convert --from azure-skr release-policy.json -o edge.yaml");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] {
      return Convert(*options, invocation.globals.json);
    };
  });
}

}  // namespace keyclave::ctl
