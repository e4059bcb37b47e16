// keyclave status: is the enclave there, what is it, what has it done.
#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>

#include "enclave/base/clock.h"
#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/endpoint_choice.h"
#include "enclave/ctl/output.h"

namespace keyclave::ctl {
namespace {

Json RecoveryJson(const wire::StatusReply& status) {
  if (!status.recovery.has_value()) return "none";
  Json keys = Json::object();
  for (const wire::RecoveryKey& key : status.recovery->keys)
    keys[key.name] = ToHex(key.fingerprint);
  return {{"threshold", status.recovery->threshold}, {"keys", keys}};
}

// Fingerprints in full: whoever compares half of one has compared nothing.
std::string RecoveryText(const wire::StatusReply& status) {
  if (!status.recovery.has_value()) return "none: backups open on this platform only";
  std::string text = std::to_string(status.recovery->threshold) + " of";
  for (const wire::RecoveryKey& key : status.recovery->keys)
    text += " " + key.name + " (" + ToHex(key.fingerprint) + ")";
  return text;
}

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
  Json document = {{"endpoint", config.EndpointsText()},     {"version", status.version},
                   {"enclave", status.enclave_id},           {"tee", status.tee},
                   {"simulated", status.simulated},          {"warnings", status.warnings},
                   {"audit_key", ToBase64(status.audit_key)}};
  document["recovery"] = RecoveryJson(status);
  if (status.started != 0) {  // what operators are told
    document["draining"] = status.draining.has_value();
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

void PrintStatus(const wire::StatusReply& status, const client::ClientConfig& config) {
  if (status.simulated) PrintSimulated();
  const bool for_operator = status.started != 0;
  Fields fields;
  fields.Add("endpoint", config.EndpointsText());
  fields.Add("enclave", status.enclave_id);
  fields.Add("version", status.version);
  fields.Add("evidence type", status.tee);
  fields.Add("recovery", RecoveryText(status));
  if (for_operator) {
    fields.Add("started", FormatTime(status.started));
    fields.Add("tokens", std::to_string(status.tokens));
    fields.Add("objects", std::to_string(status.objects));
    fields.Add("connections", std::to_string(status.connections));
    fields.Add("attested sessions", std::to_string(status.sessions));
    if (status.draining.has_value())
      fields.Add("draining", std::to_string(*status.draining) + " connections are to go elsewhere");
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
}

Result<wire::StatusReply> Ask(const client::ClientConfig& config) {
  KC_ASSIGN(const auto enclave, Enclave::Open(config, {}));
  return enclave->Call<wire::Op::kStatus>({});
}

// Each endpoint by itself: one that does not answer keeps nobody from seeing the others.
int ShowEach(const std::vector<client::ClientConfig>& each, bool json) {
  Json all = Json::array();
  int exit_code = kExitOk;
  for (const client::ClientConfig& config : each) {
    const auto status = Ask(config);
    const std::string where = config.EndpointsText();
    if (!status.ok()) {
      if (exit_code == kExitOk) exit_code = ExitCodeOf(status.code());
      all.push_back({{"endpoint", where}, {"error", status.error().Text()}});
      if (!json) Print(where + ": " + Paint(Colour::kBad, Harmless(status.error().Text())) + "\n");
    } else if (json) {
      all.push_back(StatusJson(*status, config));
    } else {
      PrintStatus(*status, config);
    }
    if (!json) Print("\n");
  }
  if (json) PrintJson({{"endpoints", all}});
  return exit_code;
}

Result<int> Status(const std::string& endpoint, const Globals& globals) {
  KC_ASSIGN(const std::vector<client::ClientConfig> each, EachEndpoint(globals, endpoint));
  if (each.size() > 1) return ShowEach(each, globals.json);
  KC_ASSIGN(const wire::StatusReply status, Ask(each.front()));
  if (globals.json) {
    PrintJson(StatusJson(status, each.front()));
  } else {
    PrintStatus(status, each.front());
  }
  return kExitOk;
}

}  // namespace

void AddStatus(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("status", "what the enclave is and does");
  const auto endpoint = std::make_shared<std::string>();
  AddEndpointOption(*command, *endpoint);
  command->footer(
      "Operators (keyclaved.yaml) are told everything, others what the handshake tells anyway.\n"
      "Of a fleet each member is asked; --json then has them as \"endpoints\".\n"
      "Example: keyclave status --json | jq .operations");
  command->callback([endpoint, &invocation] {
    invocation.action = [endpoint, &invocation] { return Status(*endpoint, invocation.globals); };
  });
}

}  // namespace keyclave::ctl
