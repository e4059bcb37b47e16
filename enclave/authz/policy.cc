#include "enclave/authz/policy.h"

#include <array>

#include "enclave/authz/families.h"
#include "enclave/authz/verifier_trouble.h"
#include "enclave/base/hash.h"

namespace keyclave::authz {
namespace {

using attest::Expression;

constexpr std::array<std::string_view, kOperationCount> kOperationNames = {
    "sign", "verify", "encrypt", "decrypt",     "wrap",        "unwrap", "derive", "release",
    "read", "manage", "create",  "encapsulate", "decapsulate", "issue",  "join"};

template <class List>
std::string Join(const List& list) {
  std::string text;
  for (const std::string_view item : list) text.append(text.empty() ? "" : ", ").append(item);
  return text;
}

Result<OperationSet> ParseOperations(const YamlValue& yaml) {
  KC_ASSIGN(const std::vector<YamlValue> items, yaml.AsList());
  if (items.empty()) return yaml.Bad("a permit without operations permits nothing");
  OperationSet operations;
  for (const YamlValue& item : items) {
    KC_ASSIGN(const std::string name, item.AsText());
    const auto operation = ParseOperation(name);
    if (!operation.has_value())
      return item.Bad("no such operation (known: " + Join(kOperationNames) + ")");
    if (operations.Has(*operation)) return item.Bad("named twice");
    operations.Add(*operation);
  }
  return operations;
}

Result<std::set<std::string, std::less<>>> ParseMechanisms(const YamlValue& yaml) {
  KC_ASSIGN(const std::vector<YamlValue> items, yaml.AsList());
  if (items.empty())
    return yaml.Bad("a permit without mechanisms permits nothing; leave the key out for any");
  std::set<std::string, std::less<>> mechanisms;
  for (const YamlValue& item : items) {
    KC_ASSIGN(std::string name, item.AsText());
    if (!IsFamily(name)) return item.Bad("no such mechanism (known: " + Join(kFamilies) + ")");
    if (!mechanisms.insert(std::move(name)).second) return item.Bad("named twice");
  }
  return mechanisms;
}

Result<std::optional<UnixTime>> TakeTime(YamlMap& map, std::string_view key) {
  const auto yaml = map.Take(key);
  if (!yaml.has_value()) return std::optional<UnixTime>();
  KC_ASSIGN(const std::string text, yaml->AsText());
  const auto time = ParseTime(text);
  if (!time.ok()) return yaml->Bad(time.error().detail());
  return std::optional(*time);
}

Status ParseValid(const YamlValue& yaml, Permit& permit) {
  KC_ASSIGN(YamlMap map, yaml.AsMap());
  KC_ASSIGN(permit.valid_from, TakeTime(map, "from"));
  KC_ASSIGN(permit.valid_until, TakeTime(map, "until"));
  KC_CHECK_OK(map.Finish());
  if (!permit.valid_from.has_value() && !permit.valid_until.has_value())
    return yaml.Bad("wanted from, until or both");
  if (permit.valid_from.has_value() && permit.valid_until.has_value() &&
      *permit.valid_from >= *permit.valid_until) {
    return yaml.Bad("it ends before it begins");
  }
  return Done{};
}

Status ParseLimitsOfTime(YamlMap& map, Permit& permit) {
  if (const auto max_age = map.Take("max_age")) {
    KC_ASSIGN(permit.max_age, max_age->AsSeconds());
    if (*permit.max_age == 0) return max_age->Bad("no evidence is that young");
  }
  if (const auto valid = map.Take("valid")) KC_CHECK_OK(ParseValid(*valid, permit));
  return Done{};
}

// `bind: self`
Status ParseBinding(YamlMap& map, Permit& permit) {
  const auto bind = map.Take("bind");
  if (!bind.has_value()) return Done{};
  KC_ASSIGN(const std::string whom, bind->AsText());
  if (whom != "self") return bind->Bad("only `self` is known: the workload that made the object");
  permit.bound = true;
  return Done{};
}

// `issue` is an operation that says nothing by itself: what may be issued goes with it.
Status ParseIssue(YamlMap& map, Permit& permit) {
  const auto issue = map.Take("issue");
  const bool permitted = permit.operations.Has(Operation::kIssue);
  if (issue.has_value() && !permitted)
    return issue->Bad("it says what certificates are issued, and this permit has no `issue`");
  if (!permitted) return Done{};
  if (!issue.has_value()) {
    return Fail(Code::kConfigMissingKey,
                map.Where() +
                    ": the key issue is missing: say whose certificates, such as `issue: {dns: "
                    "[.mesh.example], usages: [server-auth], max_validity: 24h}`");
  }
  KC_ASSIGN(permit.issue, ParseIssueRule(*issue));
  return Done{};
}

// What the request itself must be, beside who asks.
Status ParseConditions(YamlMap& map, Permit& permit) {
  KC_CHECK_OK(ParseBinding(map, permit));
  if (const auto input = map.Take("input")) {
    if (!permit.operations.Has(Operation::kSign))
      return input->Bad("it says what may be signed, and this permit has no `sign`");
    KC_ASSIGN(InputRule rule, ParseInputRule(*input));
    if (!rule.Has(InputForm::kAny)) permit.input = std::move(rule);
  }
  if (const auto wrap = map.Take("wrap")) {
    if (!permit.operations.Has(Operation::kRelease))
      return wrap->Bad("it says how a key is released, and this permit has no `release`");
    KC_ASSIGN(permit.wrap, ParseWrapForms(*wrap));
  }
  KC_CHECK_OK(ParseIssue(map, permit));
  if (const auto limits = map.Take("limits")) {
    KC_ASSIGN(permit.limits, ParseLimitRule(*limits));
  }
  if (const auto approvals = map.Take("approvals")) {
    KC_ASSIGN(permit.approvals, ParseQuorum(*approvals));
  }
  if (permit.operations.Has(Operation::kCreate) && (permit.limits || permit.approvals)) {
    return Fail(Code::kPolicySyntax,
                map.Where() +
                    ": limits and approvals are about a key, and `create` has none yet: give it a "
                    "permit of its own without them");
  }
  return Done{};
}

// A permit for whoever comes, or for evidence that anybody can forge, must be meant.
Status CheckAttested(const YamlValue& when, const Permit& permit) {
  if (permit.allow_unattested) return Done{};
  std::string problem;
  if (permit.when.MentionsSimulated()) {
    problem = "simulated evidence can be forged by anybody";
  } else if (permit.when.MentionsDebug()) {
    problem = "a TEE in debug mode can be read by its host";
  } else if (permit.when.MentionsCoResident() && !permit.when.Requires("co-resident.uid")) {
    problem =
        "a co-resident process is who its user is: add `co-resident.uid: {is: …}` to what must "
        "hold";
  } else if (!permit.when.RequiresAttested() && !permit.bound) {
    problem =
        "it can be satisfied without naming the workload: add `measurement: {is: …}` (or `signer`) "
        "to what must hold";
  } else {
    return Done{};
  }
  return Fail(Code::kPolicyUnattested, when.Where() + ": " + problem +
                                           "; if that is wanted, say `allow_unattested: true` in "
                                           "this permit");
}

Result<Permit> ParsePermit(const YamlValue& yaml) {
  KC_ASSIGN(YamlMap map, yaml.AsMap());
  KC_ASSIGN(const YamlValue operations, map.Require("operations"));
  const auto mechanisms = map.Take("mechanisms");
  if (!map.Take("when").has_value()) {
    return Fail(Code::kConfigMissingKey,
                map.Where() +
                    ": the key when is missing: a permit says whom it is for, such as "
                    "`when: {measurement: {is: …}}`");
  }
  KC_ASSIGN(const YamlValue when, map.Require("when"));
  KC_ASSIGN(Expression expression, Expression::Parse(when, Expression::Sets::kAllowed));
  Permit permit{.operations = {},
                .mechanisms = std::nullopt,
                .when = std::move(expression),
                .max_age = std::nullopt,
                .valid_from = std::nullopt,
                .valid_until = std::nullopt,
                .input = std::nullopt,
                .issue = std::nullopt,
                .limits = std::nullopt,
                .approvals = std::nullopt,
                .line = yaml.Line()};
  KC_ASSIGN(permit.operations, ParseOperations(operations));
  if (mechanisms.has_value()) {
    KC_ASSIGN(permit.mechanisms, ParseMechanisms(*mechanisms));
  }
  KC_CHECK_OK(ParseLimitsOfTime(map, permit));
  if (const auto allow = map.Take("allow_unattested")) {
    KC_ASSIGN(permit.allow_unattested, allow->AsBool());
  }
  KC_CHECK_OK(ParseConditions(map, permit));
  KC_CHECK_OK(map.Finish());
  KC_CHECK_OK(CheckAttested(when, permit));
  return permit;
}

// Whether what it lets sign has to have a form.
bool IsGuarded(const Permit& permit) {
  return permit.operations.Has(Operation::kSign) && permit.input.has_value() &&
         !permit.input->Has(InputForm::kAny);
}

bool SignsCertificates(const Permit& permit) {
  return permit.operations.Has(Operation::kSign) &&
         (!IsGuarded(permit) || permit.input->Has(InputForm::kX509Tbs) ||
          permit.input->Has(InputForm::kDigest));
}

bool PermitsBareRsa(const Permit& permit) {
  const bool opens = permit.operations.Has(Operation::kDecrypt) ||
                     permit.operations.Has(Operation::kUnwrap) ||
                     permit.operations.Has(Operation::kDecapsulate);
  return opens && (!permit.mechanisms.has_value() || permit.mechanisms->contains("rsa-x509"));
}

}  // namespace

std::string_view OperationName(Operation operation) {
  return kOperationNames.at(static_cast<size_t>(operation));
}

std::optional<Operation> ParseOperation(std::string_view name) {
  const auto found = std::find(kOperationNames.begin(), kOperationNames.end(), name);
  if (found == kOperationNames.end()) return std::nullopt;
  return static_cast<Operation>(found - kOperationNames.begin());
}

std::string OperationSet::Text() const {
  std::vector<std::string_view> names;
  for (size_t i = 0; i < kOperationCount; ++i) {
    if (Has(static_cast<Operation>(i))) names.push_back(kOperationNames.at(i));
  }
  return Join(names);
}

Result<Policy> Policy::Parse(std::string_view text, std::string_view file_name) {
  KC_ASSIGN(const YamlValue root, ParseYaml(text, file_name));
  KC_ASSIGN(YamlMap map, root.AsMap());
  Policy policy;
  policy.digest_ = Sha256(AsBytes(text));
  KC_ASSIGN(const YamlValue name, map.Require("policy"));
  KC_ASSIGN(policy.name_, ParseName(name));
  KC_ASSIGN(const YamlValue version, map.Require("version"));
  KC_ASSIGN(policy.version_, ParseVersion(version));
  if (const auto change = map.Take("change")) {
    KC_ASSIGN(policy.change_, ParseQuorum(*change));
  }
  if (const auto locked = map.Take("locked")) {
    KC_ASSIGN(policy.locked_, locked->AsBool());
    if (policy.locked_ && policy.change_.has_value())
      return locked->Bad("nobody changes what is locked: leave `change` out");
  }
  if (const auto trouble = map.Take("on_verifier_trouble")) {
    KC_ASSIGN(policy.collateral_grace_, ParseVerifierTrouble(*trouble));
  }
  KC_ASSIGN(const YamlValue permit, map.Require("permit"));
  KC_CHECK_OK(map.Finish());
  KC_CHECK_OK(policy.ParsePermits(permit));
  return policy;
}

Status Policy::ParsePermits(const YamlValue& yaml) {
  KC_ASSIGN(const std::vector<YamlValue> items, yaml.AsList());
  if (items.empty()) return yaml.Bad("a policy without permits permits nothing to anybody");
  if (items.size() > kMaxPermits)
    return yaml.Bad("more than " + std::to_string(kMaxPermits) + " permits");
  size_t terms = 0;
  for (const YamlValue& item : items) {
    KC_ASSIGN(Permit parsed, ParsePermit(item));
    terms += parsed.when.size();
    if (terms > kMaxPolicyTerms)
      return item.Bad("with it the policy has more than " + std::to_string(kMaxPolicyTerms) +
                      " terms");
    set_names_.merge(parsed.when.SetNames());
    permits_.push_back(std::move(parsed));
  }
  return Done{};
}

bool Policy::Permits(Operation operation) const {
  return std::any_of(permits_.begin(), permits_.end(),
                     [&](const Permit& permit) { return permit.operations.Has(operation); });
}

std::vector<std::string> Policy::Warnings() const {
  const bool guarded = std::any_of(permits_.begin(), permits_.end(), IsGuarded);
  const bool issues = Permits(Operation::kIssue);
  std::vector<std::string> warnings;
  for (size_t i = 0; i < permits_.size(); ++i) {
    const Permit& permit = permits_[i];
    const auto warn = [&](std::string_view what) {
      warnings.push_back("permit " + std::to_string(i + 1) + " (line " +
                         std::to_string(permit.line) + "): " + std::string(what));
    };
    const bool simulated = permit.when.MentionsSimulated();
    const bool debug = permit.when.MentionsDebug();
    if (simulated) warn("simulated evidence can be forged by anybody on the caller's machine");
    if (debug) warn("a TEE in debug mode can be read by its host");
    if (!permit.when.RequiresAttested() && !permit.bound) {
      warn("it does not name the workload: any program that fits the rest may use the key");
    } else if (permit.allow_unattested && !simulated && !debug) {
      warn("allow_unattested lets simulated and debug evidence in, and is not needed here");
    }
    if (!permit.mechanisms.has_value())
      warn("it permits every mechanism: name those that are used");
    if (guarded && PermitsBareRsa(permit))
      warn(
          "bare RSA (rsa-x509) decrypts what it could sign, and no input guards that: name the "
          "mechanisms of decrypt and unwrap without it");
    if (permit.operations.Has(Operation::kManage))
      warn(guarded ? "manage lets the caller make, change and delete keys, and have requests and "
                     "certificates signed that no input guards"
                   : "manage lets the caller make, change and delete keys");
    if (issues && SignsCertificates(permit))
      warn("sign makes certificates that `issue` would refuse: give it an input without x509-tbs");
    if (permit.operations.Has(Operation::kRelease)) warn("release lets the key leave the enclave");
    if (permit.wrap.Has(WrapForm::kTokenKey) && permit.operations.Has(Operation::kRelease))
      warn("token-key: whoever may unwrap with that other key has this one, too");
  }
  return warnings;
}

}  // namespace keyclave::authz
