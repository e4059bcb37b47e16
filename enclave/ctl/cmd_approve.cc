// keyclave approve: an owner's word that one caller may do one thing with one key, for a while.
#include <CLI/CLI.hpp>
#include <memory>

#include "enclave/authz/policy.h"
#include "enclave/base/clock.h"
#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/evidence_file.h"
#include "enclave/ctl/output.h"

namespace keyclave::ctl {
namespace {

struct Options {
  TokenChoice token;
  std::string key;
  std::string operation;
  std::string tee;
  std::string measurement;
  std::string evidence;  // a file with both
  bool last_denied = false;
  std::string lifetime = "1h";
  std::string reason;
};

struct Caller {
  std::string tee;
  std::string measurement;
};

std::string ClaimText(const attest::ClaimSet& claims, std::string_view name) {
  const attest::Claim* claim = claims.Find(name);
  return claim == nullptr ? std::string() : attest::ToText(claim->value);
}

// What genuine evidence says: an approval names nobody on a file's mere word.
Result<Caller> CallerInEvidence(const std::string& path, const attest::Trust& base) {
  KC_ASSIGN(const EvidenceFile file, ReadEvidence(path));
  attest::Trust trust = base;
  attest::Collateral collateral = *base.collateral;
  collateral.AddAll(file.collateral);
  trust.collateral = std::make_shared<const attest::Collateral>(std::move(collateral));
  const attest::ExpectedBinding binding =
      file.nonce ? attest::ExpectedBinding::Nonce(*file.nonce) : attest::ExpectedBinding::None();
  KC_ASSIGN(const attest::Unverified parsed, attest::ParseEvidence(file.type->name, file.bytes));
  const auto claims = attest::ExamineEvidence(parsed, {trust, SystemClock().Now(), binding});
  if (!claims.ok()) return claims.error().In(path);
  return Caller{ClaimText(*claims, "tee"), ClaimText(*claims, "measurement")};
}

Result<Caller> LastDenied(Enclave& enclave, const wire::ObjectInfo& key,
                          const std::string& operation) {
  KC_ASSIGN(const wire::ExplainReply reply,
            enclave.Call<wire::Op::kExplain>({RefTo(key), operation, false}));
  if (reply.when == 0)
    return Fail(Code::kNotFound, "the key has denied " + operation + " to nobody of late");
  Caller caller;
  for (const wire::ClaimText& claim : reply.claims) {
    if (claim.attested && claim.name == "tee") caller.tee = claim.value;
    if (claim.attested && claim.name == "measurement") caller.measurement = claim.value;
  }
  return caller;
}

Result<Caller> WhoIsMeant(Enclave& enclave, const wire::ObjectInfo& key, const Options& options) {
  if (options.last_denied) return LastDenied(enclave, key, options.operation);
  if (!options.evidence.empty())
    return CallerInEvidence(options.evidence, enclave.client().config().trust);
  return Caller{options.tee, options.measurement};
}

Result<int> Approve(const Options& options, const Globals& globals) {
  if (!authz::ParseOperation(options.operation))
    return Fail(Code::kInvalidArgument, "--operation " + options.operation + " is not known");
  KC_ASSIGN(const uint64_t lifetime, ParseDuration(options.lifetime, "--for"));
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const wire::ObjectInfo key, enclave->Object(options.key, options.token.label));
  KC_ASSIGN(const Caller caller, WhoIsMeant(*enclave, key, options));
  if (caller.tee.empty() || caller.measurement.empty())
    return Fail(Code::kInvalidArgument,
                "say whom: --tee and --measurement, --from-evidence FILE, or --last-denied");
  const wire::ApproveRequest request{
      .token = key.token,
      .object = key.id,
      .operation = options.operation,
      .tee = caller.tee,
      .measurement = caller.measurement,
      .expires = SystemClock().Now() + static_cast<int64_t>(lifetime),
      .reason = options.reason};
  KC_ASSIGN(const auto reply, enclave->Change<wire::Op::kApprove>(request));
  if (!reply) return enclave->WriteRequests(globals.json);
  if (globals.json) {
    PrintJson({{"object", ToHex(key.id)},
               {"operation", request.operation},
               {"tee", request.tee},
               {"measurement", request.measurement},
               {"expires", FormatTime(request.expires)}});
    return kExitOk;
  }
  Print("Approved: " + request.operation + " with " + Harmless(options.key) + " for " +
        Harmless(request.tee) + " " + Harmless(request.measurement) + " until " +
        FormatTime(request.expires) + ".\n");
  return kExitOk;
}

}  // namespace

void AddApprove(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("approve", "approve one use of a key by one workload");
  command->add_option("key", options->key, "a label, or a URI: pkcs11:token=edge;object=www")
      ->required()
      ->type_name("KEY");
  AddTokenOptions(*command, options->token);
  AddChangeOptions(*command, options->token.owner);
  command->add_option("--operation", options->operation, "release, decrypt, sign …")->required();
  CLI::Option* tee = command->add_option("--tee", options->tee, "the caller's type of evidence");
  CLI::Option* measurement =
      command->add_option("--measurement", options->measurement, "the caller's code")
          ->type_name("HEX");
  CLI::Option* evidence = command
                              ->add_option("--from-evidence", options->evidence,
                                           "take both from this, if it is genuine")
                              ->type_name("FILE")
                              ->excludes(tee)
                              ->excludes(measurement);
  command
      ->add_flag("--last-denied", options->last_denied,
                 "take both from the key's latest denial of the operation")
      ->excludes(tee)
      ->excludes(measurement)
      ->excludes(evidence);
  command->add_option("--for", options->lifetime, "how long, at most 90d")
      ->capture_default_str()
      ->type_name("DURATION");
  command->add_option("--reason", options->reason, "why; it is kept and audited")->required();
  command->footer(
      "How many owners must approve is the policy's word (approvals). Example:\n"
      "  keyclave approve backup --token edge --operation release --last-denied --for 1h \\\n"
      "    --reason 'restore drill' --owner ops=ops.pem");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Approve(*options, invocation.globals); };
  });
}

}  // namespace keyclave::ctl
