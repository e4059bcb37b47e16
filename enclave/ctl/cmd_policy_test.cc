// keyclave policy test: a table of callers and expected verdicts, for CI jobs.
#include "enclave/ctl/cmd_policy.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "enclave/base/file.h"
#include "enclave/ctl/output.h"
#include "enclave/ctl/policy_table.h"

namespace keyclave::ctl {
namespace {

struct TestOptions {
  std::string table;
  std::string junit;
};

std::string_view Word(bool allow) { return allow ? "allow" : "deny"; }

Json ToJson(const authz::Policy& policy, const std::vector<TestResult>& results) {
  Json list = Json::array();
  for (const TestResult& result : results) {
    Json entry = {{"name", result.name},         {"line", result.line},
                  {"passed", result.passed},     {"wanted", Word(result.wanted)},
                  {"got", Word(result.allowed)}, {"permit", result.permit}};
    if (!result.wanted_term.empty()) entry["wanted_term"] = result.wanted_term;
    if (!result.allowed) {
      entry["failed"] = {{"term", result.term},
                         {"wanted", result.term_wanted},
                         {"got", result.term_got},
                         {"from", result.origin}};
    }
    list.push_back(std::move(entry));
  }
  return {{"policy", policy.name()},
          {"version", policy.version()},
          {"digest", ToHex(policy.digest())},
          {"tests", std::move(list)}};
}

void PrintDifferences(const std::vector<TestResult>& results) {
  Table table({"LINE", "TEST", "WANTED", "GOT", "PERMIT", "TERM", "WANTED", "GOT"});
  for (const TestResult& result : results) {
    if (result.passed) continue;
    const std::string by = result.wanted_term.empty() ? "" : " by " + result.wanted_term;
    table.Add({std::to_string(result.line), Harmless(result.name),
               std::string(Word(result.wanted)) + Harmless(by),
               Paint(Colour::kBad, Word(result.allowed)), std::to_string(result.permit),
               Harmless(result.term), Harmless(result.term_wanted), Harmless(result.term_got)});
  }
  if (!table.empty()) Print(table.Text() + "\n");
}

Result<int> Test(const TestOptions& options, bool json) {
  KC_ASSIGN(const PolicyTable table, ReadPolicyTable(options.table));
  KC_ASSIGN(const Bytes text, ReadFile(table.policy_file, kMaxPolicyText));
  KC_ASSIGN(const authz::Policy policy, authz::Policy::Parse(AsText(text), table.policy_file));
  const UnixTime now = table.time.value_or(SystemClock().Now());
  KC_ASSIGN(const std::vector<TestResult> results, RunTable(table, policy, now));
  const auto failed = std::count_if(results.begin(), results.end(),
                                    [](const TestResult& result) { return !result.passed; });
  if (!options.junit.empty())
    KC_CHECK_OK(ReplaceFile(options.junit, AsBytes(JUnitXml(policy.name(), results)), 0644));
  if (json) {
    PrintJson(ToJson(policy, results));
  } else {
    PrintDifferences(results);
    Print("Policy " + Harmless(policy.name()) + " version " + std::to_string(policy.version()) +
          ": " + std::to_string(results.size()) + " tests, " +
          (failed == 0 ? Paint(Colour::kGood, "all as expected")
                       : Paint(Colour::kBad, std::to_string(failed) + " not as expected")) +
          ".\n");
  }
  return failed == 0 ? kExitOk : kExitRefused;
}

}  // namespace

void AddPolicyTest(CLI::App& group, Invocation& invocation) {
  auto options = std::make_shared<TestOptions>();
  CLI::App* command = group.add_subcommand("test", "check a policy against a table of callers");
  command->add_option("table", options->table)->required()->type_name("TABLE.yaml");
  command->add_option("--junit", options->junit, "write the results as JUnit XML, too")
      ->type_name("FILE");
  command->footer(
      "Offline, for CI jobs: each test names evidence (a file or folder of `keyclave evidence\n"
      "collect`) or claims, an operation, and whether it must be allowed. The exit code is 1 if\n"
      "one differs. docs/policy.md has the table's form. Example:\n"
      "  keyclave policy test edge-tests.yaml --junit results.xml");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Test(*options, invocation.globals.json); };
  });
}

}  // namespace keyclave::ctl
