// Policies: applying, listing, showing, explaining; and reading the audit log.

#include "enclave/ops/conditions.h"
#include "enclave/ops/documents.h"
#include "enclave/ops/handlers.h"

namespace keyclave::ops {
namespace {

wire::PolicyInfo Describe(const Call& call, const keys::Token& token,
                          const keys::Document& policy) {
  wire::PolicyInfo info;
  info.name = policy.name;
  info.version = policy.version;
  info.digest = ToBytes(policy.digest);
  info.objects = call.service.store.CountUnderPolicy(token.id, policy.name);
  info.is_default = token.default_policy == policy.name;
  info.applied = policy.applied;
  if (policy.authority) info.by = SignersOf(policy);
  return info;
}

std::vector<wire::ClaimText> ClaimTexts(const attest::ClaimSet& claims) {
  std::vector<wire::ClaimText> texts;
  for (const auto& [name, claim] : claims) {
    texts.push_back({name, attest::ToText(claim.value), claim.origin == attest::Origin::kAttested});
  }
  return texts;
}

wire::PermitText ToWire(const authz::PermitVerdict& verdict) {
  wire::PermitText text;
  text.permit = verdict.permit;
  text.line = static_cast<uint64_t>(std::max(verdict.line, 0));
  text.operations = verdict.operations.Text();
  text.term = verdict.term;
  text.wanted = verdict.wanted;
  text.got = verdict.got;
  return text;
}

// What the permit's limits have left for the subject: one that is used up does not apply.
void ExplainLimits(Call& call, const LimitKey& key, const authz::LimitRule& rule,
                   wire::PermitText& text) {
  Limits& limits = call.service.limits;
  if (rule.uses.has_value()) text.used = limits.Used(key, rule);
  if (!text.term.empty()) return;
  const Status left = limits.Check(key, rule);
  if (left.ok()) return;
  text.term = "limits";
  text.wanted = authz::Print(rule);
  text.got = left.error().detail();
}

// Each permit of each policy that has to grant; allowed if one of each does.
Status ExplainUnder(Call& call, const keys::Object& object, const Denial& subject,
                    wire::ExplainReply& reply) {
  const UseOf use{.operation = subject.operation, .family = subject.family};
  const auto rules = call.service.rules.Of(call.service.store, object.token);
  reply.allowed = !rules->objects.contains(object.id);
  std::vector<std::string> policies = {object.policy};
  policies.insert(policies.end(), object.inherited.begin(), object.inherited.end());
  for (const std::string& name : policies) {
    KC_ASSIGN(const auto policy,
              call.service.policies.Named(call.service.store, object.token, name));
    UseConditions conditions(call, object, use, name, subject.identity);
    conditions.IgnoreInput();
    bool granted = false;
    for (const authz::PermitVerdict& verdict : authz::Explain(
             *policy, subject.identity->claims, subject.identity->verified_at, subject.when,
             subject.operation, subject.family, *rules->callers, &conditions)) {
      wire::PermitText& text = reply.permits.emplace_back(ToWire(verdict));
      if (name != object.policy) text.policy = name;
      const LimitKey counted{.object = object.id,
                             .policy = name,
                             .permit = verdict.permit,
                             .caller = subject.identity->caller};
      if (const auto& limits = policy->permits().at(verdict.permit - 1).limits)
        ExplainLimits(call, counted, *limits, text);
      granted = granted || text.term.empty();
    }
    reply.allowed = reply.allowed && granted;
  }
  return Done{};
}

// New objects get the default policy, and those who change the default decide about them.
Status MakeDefault(Call& call, keys::Token& token, const std::string& name) {
  KC_ASSIGN(token, call.service.store.FindToken(token.id));
  if (token.default_policy == name) return Done{};
  token.default_policy = name;
  return call.service.store.UpdateToken(token);
}

}  // namespace

ReplyOf<Op::kApplyPolicy> ApplyPolicy(Call& call, const wire::ApplyPolicyRequest& request,
                                      const AuthorizedToken& proof) {
  keys::Token token = proof.token();
  KC_ASSIGN(PreparedPolicy prepared, PreparePolicy(call, token, request.text));
  const authz::Policy& policy = prepared.policy;
  if (request.make_default && token.default_policy != policy.name())
    KC_CHECK_OK(CheckMayReplace(call, token, token.default_policy));
  const keys::Document text = prepared.put.document;
  std::vector<keys::NewPolicy> put;
  put.push_back(std::move(prepared.put));
  const auto kept = call.service.store.Keep(token.id, std::move(put), {});
  if (!kept.ok()) return kept.error();
  if (request.make_default) KC_CHECK_OK(MakeDefault(call, token, policy.name()));
  call.audit_fields = {{"token", token.Serial()},
                       {"policy", policy.name()},
                       {"version", std::to_string(policy.version())},
                       {"digest", ToHex(policy.digest())}};
  return wire::ApplyPolicyReply{Describe(call, token, text), policy.Warnings()};
}

ReplyOf<Op::kListPolicies> ListPolicies(Call& call, const wire::ListPoliciesRequest& request,
                                        const InspectedToken& proof) {
  wire::ListPoliciesReply reply;
  for (const keys::Document& policy : call.service.store.Policies(request.token)) {
    reply.policies.push_back(Describe(call, proof.token(), policy));
  }
  return reply;
}

ReplyOf<Op::kShowPolicy> ShowPolicy(Call& call, const wire::ShowPolicyRequest& request,
                                    const InspectedToken& proof) {
  const std::string& name = request.name.empty() ? proof.token().default_policy : request.name;
  KC_ASSIGN(const keys::Document policy, call.service.store.FindPolicy(request.token, name));
  return wire::ShowPolicyReply{Describe(call, proof.token(), policy), policy.text};
}

ReplyOf<Op::kExplain> ExplainDenial(Call& call, const wire::ExplainRequest& request,
                                    const AuthorizedObject& key) {
  std::optional<authz::Operation> operation;
  if (!request.operation.empty()) {
    operation = authz::ParseOperation(request.operation);
    if (!operation) return Fail(Code::kInvalidArgument, "no such operation: " + request.operation);
  }
  wire::ExplainReply reply;
  reply.policy = key.object().policy;
  Denial subject{
      call.now, operation.value_or(authz::Operation::kSign), {}, CallerName(call), call.identity,
      {}};
  if (!request.self) {
    auto last = call.service.denials.Last(key.object().id, operation);
    if (!last) return reply;  // `when` stays 0: no denial was seen
    subject = *std::move(last);
    reply.when = subject.when;
    reply.reason = subject.reason;
  }
  reply.caller = subject.caller;
  reply.claims = ClaimTexts(subject.identity->claims);
  KC_CHECK_OK(ExplainUnder(call, key.object(), subject, reply));
  return reply;
}

}  // namespace keyclave::ops
