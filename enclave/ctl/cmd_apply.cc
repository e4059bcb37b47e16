// keyclave apply: what a file says that a token is to have, at once or not at all.
#include <CLI/CLI.hpp>
#include <memory>

#include "enclave/base/file.h"
#include "enclave/ctl/new_objects.h"
#include "enclave/ctl/output.h"
#include "enclave/ctl/weakening.h"

namespace keyclave::ctl {
namespace {

using Action = PolicyStep::Action;

constexpr size_t kMaxFile = size_t{1} << 20;  // bytes

struct ApplyOptions {
  TokenChoice token;
  std::string file;
  bool dry_run = false;
  bool yes = false;
};

Result<SecretsFile> ReadSecretsFile(const ApplyOptions& options) {
  KC_ASSIGN(const Bytes text, ReadFile(options.file, kMaxFile));
  KC_ASSIGN(SecretsFile file, ParseSecretsFile(AsText(text), options.file));
  KC_CHECK_OK(ReadNamedFiles(file, options.file));
  const std::string& chosen = options.token.label;
  if (file.suggests_token && !chosen.empty()) file.token = chosen;
  if (!file.token.empty() && !chosen.empty() && file.token != chosen)
    return Fail(Code::kInvalidArgument, options.file + " is for token " + file.token +
                                            ", and --token (or KEYCLAVE_TOKEN) says " + chosen);
  if (file.token.empty()) file.token = chosen;
  return file;
}

// The token that is there; nullopt if the file makes it.
Result<std::optional<wire::TokenInfo>> FindToken(Enclave& enclave, const SecretsFile& file) {
  auto token = enclave.Token(file.token);
  if (token.ok()) return std::optional(*std::move(token));
  if (token.code() == Code::kTokenNotFound && file.creates_token && !file.token.empty())
    return std::optional<wire::TokenInfo>();
  return token.error();
}

Status LookAtPolicy(Enclave& enclave, const wire::TokenInfo& token, const std::string& name,
                    Present& present) {
  auto reply = enclave.Call<wire::Op::kShowPolicy>({token.id, name});
  if (reply.ok()) {
    present.policies[name] = std::move(reply->text);
  } else if (reply.code() == Code::kPolicyNotFound) {
    present.absent.insert(name);
  } else {
    return reply.error();
  }
  return Done{};
}

Result<Present> Look(Enclave& enclave, const SecretsFile& file,
                     const std::optional<wire::TokenInfo>& token) {
  Present present;
  present.token = token;
  KC_ASSIGN(const PolicyNames names, PolicyNamesOf(file));
  if (!token.has_value()) return present;
  for (const std::string& name : names.put) {
    const Status looked = LookAtPolicy(enclave, *token, name, present);
    if (!looked.ok()) return looked.error();
  }
  // Who may only make secrets does not see policies: the enclave decides about those then.
  for (const std::string& name : names.used)
    static_cast<void>(LookAtPolicy(enclave, *token, name, present).ok());
  for (const WantedSecret& secret : file.secrets) {
    wire::AttributeList match;
    match.SetText(CKA_LABEL, secret.name);
    KC_ASSIGN(present.objects[secret.name], enclave.Objects(token->id, match));
  }
  // What is not seen would be made a second time.
  KC_CHECK_OK(enclave.SawAll());
  return present;
}

// All of it happens in the last request.
Error NothingDone(const Error& error) { return error.In("nothing was changed"); }
Error NotKept(const Error& error) {
  const bool is_unknown = error.code() == Code::kChannelClosed || error.code() == Code::kDeadline;
  if (is_unknown) return error.In("all of it was done, or nothing: once more tells");
  return NothingDone(error);
}

// The token, with its first policy.
Result<wire::TokenInfo> MakeToken(Enclave& enclave, const SecretsFile& file, const Plan& plan) {
  wire::CreateTokenRequest request;
  request.label = file.token;
  for (const PolicyStep& step : plan.policies) {
    if (step.name == file.default_policy) request.policy = step.text;
  }
  KC_ASSIGN(const wire::CreateTokenReply reply, enclave.Call<wire::Op::kCreateToken>(request));
  return enclave.Token(reply.token.label);
}

Result<wire::KeepObjectsReply> CarryOut(Enclave& enclave, const wire::TokenInfo& token,
                                        const Plan& plan) {
  NewObjects objects(enclave, token);
  for (const SecretStep& step : plan.secrets) {
    if (!step.creates) continue;
    const Status made = objects.Make(step);
    if (!made.ok()) return NothingDone(made.error().In(step.wanted->where));
  }
  auto kept = objects.Keep(plan);
  if (!kept.ok()) return NotKept(kept.error());
  return kept;
}

// What weakens a policy is told and asked about, as keyclave policy apply does.
Result<bool> AcceptChanges(const Present& present, const Plan& plan, bool yes) {
  for (const PolicyStep& step : plan.policies) {
    if (step.action != Action::kChange) continue;
    KC_ASSIGN(const auto before,
              authz::Policy::Parse(present.policies.at(step.name), "present version"));
    KC_ASSIGN(const auto after, authz::Policy::Parse(step.text, step.name));
    KC_ASSIGN(const bool accepted,
              AcceptWeakening("policy " + step.name, Weakenings(before, after), yes));
    if (!accepted) return false;
  }
  return true;
}

std::string PolicyText(const PolicyStep& step) {
  const std::string name = "policy " + Harmless(step.name);
  if (step.action == Action::kCreate) return name + ", version " + std::to_string(step.after);
  if (step.action == Action::kNothing) return name + ", version " + std::to_string(step.before);
  return name + ", version " + std::to_string(step.before) + " -> " + std::to_string(step.after);
}

const char* ActionText(Action action) {
  switch (action) {
    case Action::kNothing: return "unchanged";
    case Action::kCreate: return "create";
    case Action::kChange: return "change";
  }
  return "";
}

void PrintPlan(const SecretsFile& file, const Present& present, const Plan& plan) {
  for (const std::string& note : file.notes) PrintNote("keyclave: " + Harmless(note) + "\n");
  if (!present.token.has_value())
    Print(Paint(Colour::kGood, "create") + "     token " + Harmless(file.token) + "\n");
  for (const PolicyStep& step : plan.policies) {
    const Colour colour = step.action == Action::kNothing  ? Colour::kDim
                          : step.action == Action::kCreate ? Colour::kGood
                                                           : Colour::kWarn;
    std::string action = ActionText(step.action);
    action.resize(9, ' ');
    Print(Paint(colour, action) + "  " + PolicyText(step) + "\n");
    for (const authz::PolicyChange& change : step.changes)
      Print("             " + std::string(authz::ChangeName(change.verdict)) + "  " +
            Harmless(change.what) + "\n");
  }
  for (const SecretStep& step : plan.secrets) {
    const WantedSecret& wanted = *step.wanted;
    const std::string policy =
        wanted.policy.empty() ? "the token's default policy" : "policy " + wanted.policy;
    Print(Paint(step.creates ? Colour::kGood : Colour::kDim,
                step.creates ? "create   " : "unchanged") +
          "  " + Harmless(wanted.name) + ", " + std::string(KindText(wanted)) + ", under " +
          Harmless(policy) + (step.note.empty() ? "" : " (" + step.note + ")") + "\n");
  }
}

Json PlanJson(const SecretsFile& file, const Present& present, const Plan& plan, bool done) {
  Json document = {{"token", file.token},
                   {"creates_token", !present.token.has_value()},
                   {"done", done},
                   {"policies", Json::array()},
                   {"secrets", Json::array()},
                   {"conflicts", plan.conflicts},
                   {"notes", file.notes}};
  for (const PolicyStep& step : plan.policies) {
    Json changes = Json::array();
    for (const authz::PolicyChange& change : step.changes)
      changes.push_back({{"verdict", authz::ChangeName(change.verdict)}, {"what", change.what}});
    document["policies"].push_back({{"policy", step.name},
                                    {"action", ActionText(step.action)},
                                    {"before", step.before},
                                    {"after", step.after},
                                    {"changes", std::move(changes)}});
  }
  for (const SecretStep& step : plan.secrets) {
    document["secrets"].push_back({{"name", step.wanted->name},
                                   {"type", KindText(*step.wanted)},
                                   {"action", step.creates ? "create" : "unchanged"},
                                   {"policy", step.wanted->policy},
                                   {"note", step.note}});
  }
  return document;
}

// What was made, with the token if that is new: one that this command made goes again where the
// rest cannot be done.
Result<wire::KeepObjectsReply> DoAll(Enclave& enclave, const SecretsFile& file,
                                     const Present& present, const Plan& plan) {
  if (present.token.has_value()) return CarryOut(enclave, *present.token, plan);
  KC_ASSIGN(const wire::TokenInfo token, MakeToken(enclave, file, plan));
  const auto reply = [&]() -> Result<wire::KeepObjectsReply> {
    // It has its first policy already.
    KC_ASSIGN(const Present now, Look(enclave, file, token));
    KC_ASSIGN(const Plan rest, MakePlan(file, now));
    if (!rest.conflicts.empty())
      return Fail(Code::kConfigBadValue, "nothing was changed: " + rest.conflicts.front());
    if (rest.IsDone()) return wire::KeepObjectsReply();
    return CarryOut(enclave, token, rest);
  }();
  if (reply.ok()) return reply;
  const auto removed = enclave.Call<wire::Op::kDeleteToken>({token.id});
  if (!removed.ok())
    PrintNote("keyclave: token " + Harmless(file.token) +
              " was made, is empty, and stays: " + Harmless(removed.error().Text()) + "\n");
  return reply;
}

Result<int> Apply(const ApplyOptions& options, const Globals& globals) {
  KC_ASSIGN(const SecretsFile file, ReadSecretsFile(options));
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const std::optional<wire::TokenInfo> token, FindToken(*enclave, file));
  KC_ASSIGN(const Present present, Look(*enclave, file, token));
  KC_ASSIGN(const Plan plan, MakePlan(file, present));
  if (!globals.json) PrintPlan(file, present, plan);
  const bool does_nothing = present.token.has_value() && plan.IsDone();
  if (!plan.conflicts.empty() || options.dry_run || does_nothing) {
    if (globals.json) PrintJson(PlanJson(file, present, plan, false));
    for (const std::string& conflict : plan.conflicts)
      PrintNote("keyclave: " + Harmless(conflict) + "\n");
    if (!plan.conflicts.empty()) PrintNote("Nothing was changed: nothing is ever replaced.\n");
    return plan.conflicts.empty() ? kExitOk : kExitRefused;
  }
  KC_ASSIGN(const bool accepted, AcceptChanges(present, plan, options.yes));
  if (!accepted) {
    PrintNote("Nothing was changed.\n");
    return kExitRefused;
  }
  KC_ASSIGN(const wire::KeepObjectsReply reply, DoAll(*enclave, file, present, plan));
  if (globals.json) {
    PrintJson(PlanJson(file, present, plan, true));
    return kExitOk;
  }
  for (const std::string& warning : reply.warnings)
    Print(Paint(Colour::kWarn, "warning") + ": " + Harmless(warning) + "\n");
  Print("Done: token " + Harmless(file.token) + " has it all.\n");
  return kExitOk;
}

}  // namespace

void AddApply(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<ApplyOptions>();
  CLI::App* command =
      app.add_subcommand("apply", "bring a token's policies and secrets to what a file says");
  command
      ->add_option("-f,--file", options->file,
                   "what the token is to have (docs/apply.md), or "
                   "AECS's file of secrets")
      ->required()
      ->type_name("FILE");
  AddTokenOptions(*command, options->token);
  command->add_flag("--dry-run", options->dry_run, "say what would be done, and do nothing");
  command->add_flag("--yes", options->yes, "do not ask, also where a policy becomes weaker");
  command->footer(
      "Everything is done at once, or nothing. Nothing is ever replaced or deleted: what is there "
      "and\n"
      "differs is an error (exit code 1). Once more changes nothing. Examples:\n"
      "  keyclave apply -f secrets.yaml --dry-run\n"
      "  keyclave apply -f secrets.yaml --owner ops=ops.pem --owner security=sec.pem");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Apply(*options, invocation.globals); };
  });
}

}  // namespace keyclave::ctl
