#include "enclave/ctl/policy_table.h"

#include <filesystem>

#include "attest/trust_config.h"
#include "enclave/authz/families.h"

namespace keyclave::ctl {
namespace {

namespace fs = std::filesystem;

std::string Beside(const std::string& table, const std::string& path) {
  return (fs::path(table).parent_path() / path).string();  // an absolute path stays as it is
}

Result<std::string> PathIn(const YamlValue& yaml, const std::string& table) {
  KC_ASSIGN(const std::string path, yaml.AsText());
  if (path.empty()) return yaml.Bad("wanted a path");
  return Beside(table, path);
}

Status ReadUse(YamlMap& map, TableTest& test) {
  KC_ASSIGN(const YamlValue operation, map.Require("operation"));
  KC_ASSIGN(const std::string name, operation.AsText());
  const auto parsed = authz::ParseOperation(name);
  if (!parsed.has_value()) return operation.Bad("no such operation");
  test.operation = *parsed;
  const auto mechanism = map.Take("mechanism");
  if (!mechanism.has_value()) return Done{};
  KC_ASSIGN(test.mechanism, mechanism->AsText());
  if (!authz::IsFamily(test.mechanism)) return mechanism->Bad("no such mechanism");
  return Done{};
}

Status ReadExpectation(YamlMap& map, TableTest& test) {
  KC_ASSIGN(const YamlValue expect, map.Require("expect"));
  KC_ASSIGN(const std::string verdict, expect.AsText());
  if (verdict != "allow" && verdict != "deny") return expect.Bad("wanted allow or deny");
  test.allow = verdict == "allow";
  const auto term = map.Take("term");
  if (!term.has_value()) return Done{};
  if (test.allow) return term->Bad("nothing fails where it is allowed");
  KC_ASSIGN(test.term, term->AsText());
  if (test.term.empty()) return term->Bad("wanted a term, or the claim of one");
  return Done{};
}

Result<TableTest> ReadTest(const YamlValue& yaml, const std::string& table) {
  TableTest test;
  KC_ASSIGN(YamlMap map, yaml.AsMap());
  test.line = yaml.Line();
  KC_ASSIGN(const YamlValue name, map.Require("name"));
  KC_ASSIGN(test.name, name.AsText());
  const auto evidence = map.Take("evidence");
  const auto claims = map.Take("claims");
  if (!evidence.has_value() && !claims.has_value())
    return yaml.Bad("wanted evidence (a path), or claims");
  if (evidence.has_value()) {
    KC_ASSIGN(test.evidence, PathIn(*evidence, table));
  }
  if (claims.has_value()) {
    KC_ASSIGN(test.claims, ReadClaims(*claims));
  }
  KC_CHECK_OK(ReadUse(map, test));
  KC_CHECK_OK(ReadExpectation(map, test));
  if (const auto age = map.Take("age")) {
    KC_ASSIGN(test.age, age->AsSeconds());
  }
  KC_CHECK_OK(map.Finish());
  return test;
}

Status ReadTrustOf(YamlMap& map, const std::string& path, PolicyTable& table) {
  KC_CHECK_OK(attest::ReadTrust(map, table.trust));
  if (const auto collateral = map.Take("collateral")) {
    KC_ASSIGN(table.options.collateral, PathIn(*collateral, path));
  }
  const auto files = map.Take("trust_files");
  if (!files.has_value()) return Done{};
  KC_ASSIGN(const std::vector<YamlValue> list, files->AsList());
  for (const YamlValue& file : list) {
    KC_ASSIGN(table.options.files.emplace_back(), PathIn(file, path));
  }
  return Done{};
}

Status ReadSetsOf(YamlMap& map, const std::string& path, PolicyTable& table) {
  const auto sets = map.Take("sets");
  if (!sets.has_value()) return Done{};
  KC_ASSIGN(const std::vector<YamlValue> list, sets->AsList());
  std::vector<std::string> files;
  for (const YamlValue& file : list) {
    KC_ASSIGN(files.emplace_back(), PathIn(file, path));
  }
  KC_ASSIGN(table.rules, ReadSets(files));
  return Done{};
}

// Whether this is the term that the table expects: as it is printed, or by its claim's name.
bool Matches(const std::string& expected, const std::string& term) {
  return expected == term || expected == ClaimOfTerm(term);
}

TestResult Judge(const TableTest& test, const OfflineCaller& caller, const authz::Policy& policy,
                 const authz::TokenRules& rules, UnixTime now) {
  TestResult result{.name = test.name,
                    .line = test.line,
                    .wanted = test.allow,
                    .wanted_term = test.term,
                    .term = {},
                    .term_wanted = {},
                    .term_got = {},
                    .origin = {}};
  const auto attested_at = now - static_cast<UnixTime>(test.age);
  bool term_seen = test.term.empty();
  for (const authz::PermitVerdict& verdict : authz::Explain(
           policy, caller.claims, attested_at, now, test.operation, test.mechanism, rules)) {
    result.allowed |= verdict.term.empty();
    term_seen |= Matches(test.term, verdict.term);
    const bool names_it = verdict.operations.Has(test.operation);
    if (verdict.term.empty() || result.permit == 0 || (names_it && result.term == "operations")) {
      result.permit = verdict.permit;
      result.term = verdict.term;
      result.term_wanted = verdict.wanted;
      result.term_got = verdict.got;
      result.origin = OriginOfTerm(caller, verdict.term);
    }
    if (verdict.term.empty()) break;
  }
  result.passed = result.allowed == test.allow && (test.allow || term_seen);
  return result;
}

// Evidence that is not genuine makes no caller, and so is refused whatever the policy says.
TestResult Refused(const TableTest& test, const Error& error) {
  return {.name = test.name,
          .line = test.line,
          .passed = !test.allow && (test.term.empty() || test.term == "evidence"),
          .wanted = test.allow,
          .wanted_term = test.term,
          .term = "evidence",
          .term_wanted = "genuine",
          .term_got = error.Text(),
          .origin = {}};
}

// What CI systems take in an attribute: no control characters, none of XML's own.
std::string Xml(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&': escaped += "&amp;"; break;
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      case '"': escaped += "&quot;"; break;
      default: escaped += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    }
  }
  return escaped;
}

std::string Said(bool allowed, const std::string& term) {
  return (allowed ? "allow" : "deny") + (term.empty() ? std::string() : " by " + term);
}

}  // namespace

Result<PolicyTable> ReadPolicyTable(const std::string& path) {
  PolicyTable table;
  KC_ASSIGN(const YamlValue document, ParseYamlFile(path));
  KC_ASSIGN(YamlMap map, document.AsMap());
  KC_ASSIGN(const YamlValue policy, map.Require("policy"));
  KC_ASSIGN(table.policy_file, PathIn(policy, path));
  if (const auto time = map.Take("time")) {
    KC_ASSIGN(const std::string text, time->AsText());
    const auto parsed = ParseTime(text);
    if (!parsed.ok()) return time->Bad(parsed.error().detail());
    table.time = *parsed;
  }
  KC_CHECK_OK(ReadTrustOf(map, path, table));
  KC_CHECK_OK(ReadSetsOf(map, path, table));
  KC_ASSIGN(const YamlValue tests, map.Require("tests"));
  KC_CHECK_OK(map.Finish());
  KC_ASSIGN(const std::vector<YamlValue> list, tests.AsList());
  if (list.empty()) return tests.Bad("a table without tests tests nothing");
  for (const YamlValue& one : list) {
    KC_ASSIGN(TableTest test, ReadTest(one, path));
    table.tests.push_back(std::move(test));
  }
  return table;
}

Result<std::vector<TestResult>> RunTable(const PolicyTable& table, const authz::Policy& policy,
                                         UnixTime now) {
  KC_CHECK_OK(CheckSets(policy, table.rules));
  std::vector<TestResult> results;
  for (const TableTest& test : table.tests) {
    if (test.evidence.empty()) {
      results.push_back(Judge(test, CallerOf(test.claims), policy, table.rules, now));
      continue;
    }
    const auto caller = CallerOf(test.evidence, table.options, table.trust, test.claims, now);
    if (caller.ok()) {
      results.push_back(Judge(test, *caller, policy, table.rules, now));
      continue;
    }
    // A file that is not there, or claims that cannot stand beside evidence, are the table's fault.
    const Code code = caller.code();
    if (code == Code::kNotFound || code == Code::kPermissionDenied ||
        code == Code::kInvalidArgument)
      return caller.error().In("line " + std::to_string(test.line));
    results.push_back(Refused(test, caller.error()));
  }
  return results;
}

std::string JUnitXml(const std::string& suite, const std::vector<TestResult>& results) {
  size_t failures = 0;
  std::string cases;
  for (const TestResult& result : results) {
    cases += "    <testcase classname=\"" + Xml(suite) + "\" name=\"" + Xml(result.name) + "\"";
    if (result.passed) {
      cases += "/>\n";
      continue;
    }
    ++failures;
    const std::string got = Said(result.allowed, result.allowed ? "" : result.term);
    cases += ">\n      <failure message=\"wanted " + Xml(Said(result.wanted, result.wanted_term)) +
             ", got " + Xml(got) + "\">permit " + std::to_string(result.permit) + ": " +
             Xml(result.term) + ": wanted " + Xml(result.term_wanted) + ", got " +
             Xml(result.term_got) + "</failure>\n    </testcase>\n";
  }
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"" +
         Xml(suite) + "\" tests=\"" + std::to_string(results.size()) + "\" failures=\"" +
         std::to_string(failures) + "\">\n" + cases + "  </testsuite>\n</testsuites>\n";
}

}  // namespace keyclave::ctl
