// Policies: applying, listing, showing, explaining; and reading the audit log.

#include "enclave/ops/handlers.h"

namespace keyclave::ops {
namespace {

constexpr size_t kMaxPolicyText = size_t{256} << 10;  // bytes
constexpr size_t kMaxAuditLines = 1000;

wire::PolicyInfo Describe(const Call& call, const keys::Token& token,
                          const keys::PolicyText& policy) {
  wire::PolicyInfo info;
  info.name = policy.name;
  info.version = policy.version;
  info.digest = ToBytes(policy.digest);
  info.objects = call.service.store.CountUnderPolicy(token.id, policy.name);
  info.is_default = token.default_policy == policy.name;
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

}  // namespace

ReplyOf<Op::kApplyPolicy> ApplyPolicy(Call& call, const wire::ApplyPolicyRequest& request,
                                      const AuthorizedToken& proof) {
  if (request.text.size() > kMaxPolicyText)
    return Fail(Code::kTooLarge, "a policy has at most 256 KiB");
  KC_ASSIGN(const authz::Policy policy, authz::Policy::Parse(request.text, "policy"));
  const keys::PolicyText text{policy.name(), policy.version(), request.text, policy.digest()};
  KC_CHECK_OK(call.service.store.PutPolicy(request.token, text));
  keys::Token token = proof.token();
  if (request.make_default && token.default_policy != policy.name()) {
    KC_ASSIGN(token, call.service.store.FindToken(request.token));
    token.default_policy = policy.name();
    KC_CHECK_OK(call.service.store.UpdateToken(token));
  }
  call.audit_fields = {{"token", token.Serial()},
                       {"policy", policy.name()},
                       {"version", std::to_string(policy.version())},
                       {"digest", ToHex(policy.digest())}};
  return wire::ApplyPolicyReply{Describe(call, token, text), policy.Warnings()};
}

ReplyOf<Op::kListPolicies> ListPolicies(Call& call, const wire::ListPoliciesRequest& request,
                                        const AuthorizedToken& proof) {
  wire::ListPoliciesReply reply;
  for (const keys::PolicyText& policy : call.service.store.Policies(request.token)) {
    reply.policies.push_back(Describe(call, proof.token(), policy));
  }
  return reply;
}

ReplyOf<Op::kShowPolicy> ShowPolicy(Call& call, const wire::ShowPolicyRequest& request,
                                    const AuthorizedToken& proof) {
  const std::string& name = request.name.empty() ? proof.token().default_policy : request.name;
  KC_ASSIGN(const keys::PolicyText policy, call.service.store.FindPolicy(request.token, name));
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
  Denial subject{0,
                 operation.value_or(authz::Operation::kSign),
                 {},
                 CallerName(call),
                 call.session.identity()};
  if (!request.self) {
    auto last = call.service.denials.Last(key.object().id, operation);
    if (!last) return reply;  // `when` stays 0: no denial was seen
    subject = *std::move(last);
    reply.when = subject.when;
  }
  KC_ASSIGN(const auto policy, call.service.policies.OfObject(call.service.store, key.object()));
  reply.caller = subject.caller;
  reply.claims = ClaimTexts(subject.identity->claims);
  const UnixTime at = request.self ? call.now : subject.when;
  for (const authz::PermitVerdict& verdict :
       authz::Explain(*policy, subject.identity->claims, subject.identity->verified_at, at,
                      subject.operation, subject.family)) {
    reply.allowed = reply.allowed || verdict.term.empty();
    reply.permits.push_back(ToWire(verdict));
  }
  return reply;
}

ReplyOf<Op::kReadAudit> ReadAudit(Call& call, const wire::ReadAuditRequest& request,
                                  const OperatorOnly::Proof& /*proof*/) {
  const size_t limit = std::clamp<size_t>(request.limit, 1, kMaxAuditLines);
  wire::ReadAuditReply reply;
  KC_ASSIGN(reply.lines, call.service.audit.Read(request.from, limit + 1));
  reply.more = reply.lines.size() > limit;
  if (reply.more) reply.lines.pop_back();
  return reply;
}

}  // namespace keyclave::ops
