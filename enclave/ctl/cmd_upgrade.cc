// keyclave upgrade: what owners say about the enclave builds that may have the keys.
#include <CLI/CLI.hpp>
#include <memory>

#include "enclave/authz/policy.h"
#include "enclave/ctl/cmd_set.h"
#include "enclave/ctl/output.h"

namespace keyclave::ctl {
namespace {

struct Options {
  TokenChoice token;
  std::string measurement;
  std::string reason;
  std::string set;
  uint64_t svn = 0;
};

// The token of the object whose policy says who may join.
Result<wire::TokenInfo> FleetToken(Enclave& enclave, const std::string& label) {
  KC_ASSIGN(const wire::ListMembersReply members, enclave.Call<wire::Op::kListMembers>({}));
  if (!members.object.has_value())
    return Fail(
        Code::kWrongState,
        "no fleet was founded, so no policy says which enclaves may have the keys: keyclave "
        "replica found");
  return enclave.Token(label);
}

// The reference-value set by which the join policy knows measurements.
Result<std::string> SetOf(Enclave& enclave, const wire::TokenInfo& token,
                          const std::string& named) {
  if (!named.empty()) return named;
  KC_ASSIGN(const wire::ShowPolicyReply policy,
            enclave.Call<wire::Op::kShowPolicy>({token.id, token.default_policy}));
  KC_ASSIGN(const authz::Policy parsed, authz::Policy::Parse(policy.text, "the join policy"));
  if (parsed.set_names().size() == 1) return *parsed.set_names().begin();
  return Fail(Code::kInvalidArgument,
              parsed.set_names().empty()
                  ? "the join policy names measurements itself: apply its next version (keyclave "
                    "policy apply), best with measurement: {in-set: NAME}"
                  : "the join policy uses several sets: say which with --set");
}

Result<int> Authorize(const Options& options, const Globals& globals) {
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const wire::TokenInfo token, FleetToken(*enclave, options.token.label));
  KC_ASSIGN(const std::string set, SetOf(*enclave, token, options.set));
  return AddToSet(*enclave, token, set,
                  {.value = options.measurement,
                   .not_before = {},
                   .not_after = {},
                   .reason = options.reason,
                   .line = 0},
                  globals);
}

Result<int> Require(const Options& options, const Globals& globals) {
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const wire::TokenInfo token, FleetToken(*enclave, options.token.label));
  KC_ASSIGN(const auto reply, enclave->Change<wire::Op::kRequireVersion>({token.id, options.svn}));
  if (!reply) return enclave->WriteRequests(globals.json);
  if (globals.json) {
    PrintJson({{"svn", options.svn}});
  } else {
    Print("From now on no enclave below version " + std::to_string(options.svn) +
          " has the keys.\n");
  }
  return kExitOk;
}

}  // namespace

void AddUpgrade(CLI::App& app, Invocation& invocation) {
  CLI::App* group = app.add_subcommand("upgrade", "which builds of the enclave may have the keys");
  group->require_subcommand(1);

  auto options = std::make_shared<Options>();
  CLI::App* authorize = group->add_subcommand(
      "authorize", "let enclaves of this measurement join: signed by the fleet's owners");
  AddTokenOptions(*authorize, options->token);
  AddChangeOptions(*authorize, options->token.owner);
  authorize->add_option("measurement", options->measurement, "of the new build, hexadecimal")
      ->required();
  authorize->add_option("--reason", options->reason, "why: which release it is")->required();
  authorize->add_option("--set", options->set, "the set to add it to, if the policy uses several");
  authorize->footer(
      "Adds the measurement to the set that the join policy compares with. The new build then\n"
      "gets the keys by `keyclaved --join`, or out of a backup (docs/operations.md).\n"
      "Example: keyclave upgrade authorize 5f1c… --token fleet --reason 'release 4.2' \\\n"
      "  --owner ann=ann.pem --owner bob=bob.pem");
  authorize->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Authorize(*options, invocation.globals); };
  });

  CLI::App* require = group->add_subcommand(
      "require", "no enclave below this security version has the keys any more; it never falls");
  AddTokenOptions(*require, options->token);
  AddChangeOptions(*require, options->token.owner);
  require->add_option("svn", options->svn, "the least security version number (claim `svn`)")
      ->required();
  require->footer(
      "For when every machine runs the new build: an older one does not start, join or restore\n"
      "from then on. Example: keyclave upgrade require 5 --token fleet --owner ann=ann.pem …");
  require->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Require(*options, invocation.globals); };
  });
}

}  // namespace keyclave::ctl
