// A table of what a policy must say: callers, operations and expected verdicts, for CI jobs
// (docs/policy.md, "Testing a policy"). Nothing of it needs an enclave.
//
//   policy: edge.yaml
//   time: 2026-12-01T08:00:00Z
//   sets: [edge-prod.yaml]                             # reference-value sets that it compares with
//   trust: {collateral: /etc/keyclave/collateral}     # as in keyclaved.yaml
//   trust_files: [lab-root.pem]                        # as evidence verify --trust
//   collateral: collateral                             # and --collateral
//   tests:
//     - name: the web server signs
//       evidence: machines/web
//       operation: sign
//       mechanism: ecdsa
//       expect: allow
//     - name: not in debug mode
//       claims: {tee: tdx, measurement: aa…, debug: true}
//       operation: sign
//       expect: deny
//       term: debug
#pragma once

#include "enclave/authz/authorize.h"
#include "enclave/ctl/offline_caller.h"

namespace keyclave::ctl {

struct TableTest {
  std::string name;
  int line = 0;
  std::string evidence;     // a path; empty: `claims` say it all
  attest::ClaimSet claims;  // beside evidence what the channel tells
  authz::Operation operation{};
  std::string mechanism;  // empty: any
  bool allow = false;
  std::string term;  // empty: whichever
  uint64_t age = 0;  // seconds since the evidence was verified
};

struct PolicyTable {
  std::string policy_file;
  std::optional<UnixTime> time;
  authz::TokenRules rules;  // its sets
  TrustOptions options;
  attest::Trust trust;
  std::vector<TableTest> tests;
};

// Paths in it are relative to its folder. kConfig… with the line.
Result<PolicyTable> ReadPolicyTable(const std::string& path);

struct TestResult {
  std::string name;
  int line = 0;
  bool passed = false;
  bool wanted = false;  // allow
  bool allowed = false;
  std::string wanted_term;
  // What decided: the permit that allows it; else the first that names the operation, and its term.
  size_t permit = 0;  // from 1; 0: no permit was asked
  std::string term;   // `evidence` if that was not genuine
  std::string term_wanted;
  std::string term_got;
  std::string origin;  // of the claim
};

Result<std::vector<TestResult>> RunTable(const PolicyTable& table, const authz::Policy& policy,
                                         UnixTime now);

// The same as JUnit's XML, as CI systems read it.
std::string JUnitXml(const std::string& suite, const std::vector<TestResult>& results);

}  // namespace keyclave::ctl
