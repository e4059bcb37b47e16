// Policies of other systems: whatever comes in, an answer. What comes out is a policy, and gives
// nothing to a caller who shows nothing.

#include <cstdlib>

#include "enclave/authz/authorize.h"
#include "enclave/ctl/convert/conversion.h"

using keyclave::AsText;
using keyclave::FromC;
using keyclave::attest::ClaimSet;
using keyclave::authz::Evaluate;
using keyclave::authz::Policy;
using keyclave::ctl::convert::Convert;
using keyclave::ctl::convert::Converted;
using keyclave::ctl::convert::Options;

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

Options OptionsFor(std::string_view dialect) {
  Options options;
  options.allow_unattested = true;
  if (dialect == "trustee") options.resource = "night/keys/one";
  if (dialect == "capsulemanager") {
    options.parties["MILL"] = {"tls.san", "mill.example"};
    options.operation_names["OP_SQL"] = {"decrypt"};
  }
  return options;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr keyclave::UnixTime kNow = 1'790'000'000;
  for (const char* dialect : {"azure-skr", "aecs", "capsulemanager", "trustee"}) {
    const auto list = Convert(dialect, AsText(FromC(data, size)), "fuzz", OptionsFor(dialect));
    if (!list.ok()) continue;
    for (const Converted& converted : *list) {
      Require(converted.text.has_value() || !converted.findings.empty());
      if (!converted.text.has_value()) continue;
      const auto policy = Policy::Parse(*converted.text, "converted");
      Require(policy.ok());
      Require(policy->name() == converted.name);
      Require(!Evaluate(*policy, ClaimSet(), 0, kNow).AllowsAnything(kNow));
    }
  }
  return 0;
}
