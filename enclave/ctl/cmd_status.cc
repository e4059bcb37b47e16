// keyclave status: is the enclave there, what is it, what has it done.
#include <CLI/CLI.hpp>
#include <chrono>

#include "enclave/base/clock.h"
#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/output.h"

namespace keyclave::ctl {
namespace {

Json StatusJson(const wire::StatusReply& status, const client::ClientConfig& config) {
  Json operations = Json::object();
  for (const wire::NameCount& operation : status.operations) {
    operations[operation.name] = operation.count;
  }
  Json evidence = Json::array();
  for (const wire::ClaimText& claim : status.evidence) {
    evidence.push_back(
        {{"name", claim.name}, {"value", claim.value}, {"attested", claim.attested}});
  }
  Json groups = Json::object();
  for (const wire::NameCount& group : status.groups) groups[group.name] = group.count;
  Json document = {{"endpoint", config.endpoint.Text()},     {"version", status.version},
                   {"enclave", status.enclave_id},           {"tee", status.tee},
                   {"simulated", status.simulated},          {"warnings", status.warnings},
                   {"audit_key", ToBase64(status.audit_key)}};
  if (status.started != 0) {  // what operators are told
    document["started"] = FormatTime(status.started);
    document["tokens"] = status.tokens;
    document["objects"] = status.objects;
    document["connections"] = status.connections;
    document["sessions"] = status.sessions;
    document["epoch"] = status.epoch;
    document["sealing"] = status.sealing;
    document["signing"] = {{"by", status.signing}, {"groups", groups}};
    if (status.fleet.has_value())
      document["fleet"] = {{"member", status.fleet->member},
                           {"contact", FormatTime(status.fleet->contact)},
                           {"offline", status.fleet->offline},
                           {"stale", status.fleet->stale},
                           {"trouble", status.fleet->trouble}};
    document["operations"] = operations;
    document["evidence"] = evidence;
  }
  return document;
}

void PrintSimulated() {
  Print(Paint(Colour::kBad,
              "*** SIMULATED ENCLAVE: it protects no key from root on its machine. ***") +
        "\n*** For trying Keyclave out, never for keys that matter.             ***\n\n");
}

void PrintOperatorPart(const wire::StatusReply& status) {
  Print("\nWhat it proved on this channel:\n");
  Table claims({"CLAIM", "VALUE", "ATTESTED"});
  for (const wire::ClaimText& claim : status.evidence) {
    claims.Add({Harmless(claim.name), Harmless(claim.value), claim.attested ? "yes" : "no"});
  }
  Print(claims.Text());
  Print("\nAnswered since it started:\n");
  Table operations({"OPERATION", "COUNT"});
  for (const wire::NameCount& operation : status.operations) {
    operations.Add({Harmless(operation.name), std::to_string(operation.count)});
  }
  Print(operations.Text());
}

Result<int> Status(const Globals& globals) {
  KC_ASSIGN(const auto enclave, Enclave::Open(globals));
  KC_ASSIGN(const wire::StatusReply status, enclave->Call<wire::Op::kStatus>({}));
  const client::ClientConfig& config = enclave->client().config();
  if (globals.json) {
    PrintJson(StatusJson(status, config));
    return kExitOk;
  }
  if (status.simulated) PrintSimulated();
  const bool for_operator = status.started != 0;
  Fields fields;
  fields.Add("endpoint", config.endpoint.Text());
  fields.Add("enclave", status.enclave_id);
  fields.Add("version", status.version);
  fields.Add("evidence type", status.tee);
  if (for_operator) {
    fields.Add("started", FormatTime(status.started));
    fields.Add("tokens", std::to_string(status.tokens));
    fields.Add("objects", std::to_string(status.objects));
    fields.Add("connections", std::to_string(status.connections));
    fields.Add("attested sessions", std::to_string(status.sessions));
    fields.Add("epoch", std::to_string(status.epoch));
    fields.Add("root secret kept by", Harmless(status.sealing));
    fields.Add("signatures made by", Harmless(status.signing));
    if (status.fleet.has_value())
      fields.Add("member of the fleet", Harmless(status.fleet->member) + ", up to date at " +
                                            FormatTime(status.fleet->contact));
  }
  Print(fields.Text());
  for (const std::string& warning : status.warnings) {
    Print(Paint(Colour::kWarn, "warning") + ": " + Harmless(warning) + "\n");
  }
  if (status.fleet.has_value() && !status.fleet->trouble.empty()) {
    Print(Paint(Colour::kWarn, "warning") + ": " + Harmless(status.fleet->trouble) +
          (status.fleet->stale ? "; keys are not used any more until it is back\n"
                               : "; keys are used until " +
                                     FormatTime(status.fleet->contact +
                                                static_cast<UnixTime>(status.fleet->offline)) +
                                     "\n"));
  }
  if (for_operator) {
    PrintOperatorPart(status);
  } else {
    Print("(Operators are shown more: keyclaved.yaml, operators.)\n");
  }
  return kExitOk;
}

}  // namespace

void AddStatus(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("status", "what the enclave is and does");
  command->footer(
      "Operators (keyclaved.yaml) are told everything, others what the handshake tells anyway.\n"
      "Example: keyclave status --json | jq .operations");
  command->callback(
      [&invocation] { invocation.action = [&invocation] { return Status(invocation.globals); }; });
}

}  // namespace keyclave::ctl
