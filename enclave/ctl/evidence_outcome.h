// What came of looking at evidence: a verdict, the claims, and where it failed.
#pragma once

#include <string>

#include "attest/expression.h"
#include "enclave/ctl/output.h"

namespace keyclave::ctl {

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
  Json key = nullptr;  // what a key attestation's document says
};

Outcome Rejected(std::string step, std::string_view tee, const Error& error);
// Genuine evidence, by what the user expects; without it, by the default policy.
Outcome Judged(std::string_view tee, attest::ClaimSet claims,
               const std::optional<attest::Expression>& expect, UnixTime now);

// Prints it; the exit code.
int Report(const Outcome& outcome, bool json);

}  // namespace keyclave::ctl
