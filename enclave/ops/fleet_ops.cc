// Who is a member of the fleet, and how one becomes it.
//
// The root secret leaves by one operation only: to a caller whose evidence satisfies the policy of
// the fleet's object, over the channel that the evidence is bound to. That policy is like any
// other: owners sign its changes, it may ask for approvals and count how many join, and each
// refusal can be explained.
#include <algorithm>

#include "enclave/keys/member_key.h"
#include "enclave/keys/object_records.h"
#include "enclave/ops/audit_fields.h"
#include "enclave/ops/handlers.h"
#include "enclave/ops/version_floor.h"

namespace keyclave::ops {
namespace {

constexpr size_t kMaxName = 64;
constexpr size_t kMaxMembers = 1024;

bool IsName(std::string_view text) {
  const auto fits = [](char one) {
    return (one >= 'a' && one <= 'z') || (one >= 'A' && one <= 'Z') || (one >= '0' && one <= '9') ||
           one == '.' || one == '_' || one == '-';
  };
  return !text.empty() && text.size() <= kMaxName && std::all_of(text.begin(), text.end(), fits);
}

std::vector<wire::ClaimText> ClaimsOf(const attest::ClaimSet& claims) {
  std::vector<wire::ClaimText> texts;
  for (const auto& [name, claim] : claims)
    texts.push_back({name, attest::ToText(claim.value), claim.origin == attest::Origin::kAttested});
  return texts;
}

}  // namespace

// Owners decide who gets every key, so there have to be some: an operator is of the host. The
// object stands for the root secret: it holds nothing, and is what policy, limits, approvals and
// refusals are about.
ReplyOf<Op::kFoundFleet> FoundFleet(Call& call, const wire::FoundFleetRequest& request,
                                    const OperatorOnly::Proof& /*proof*/) {
  if (call.service.fleet == nullptr)
    return Fail(Code::kWrongState, "keyclaved.yaml has no fleet: nobody could share the store");
  KC_ASSIGN(const keys::Token token, call.service.store.FindToken(request.token));
  if (!token.HasOwners())
    return Fail(Code::kOwnersOnly, "the fleet's token needs owners: they decide who may join");
  keys::NewObject object;
  object.object.token = token.id;
  wire::AttributeList& attributes = object.object.attributes;
  attributes.SetUlong(CKA_CLASS, CKO_DATA);
  attributes.SetText(CKA_LABEL, "fleet");
  attributes.SetText(CKA_APPLICATION, "keyclave");
  attributes.SetBool(CKA_PRIVATE, false);
  attributes.SetBool(CKA_MODIFIABLE, false);
  attributes.SetBool(CKA_DESTROYABLE, false);
  KC_ASSIGN(Bytes key, call.service.store.MemberPublicKey());
  const wire::FleetMember first{call.service.fleet->Status().member, call.now, call.service.claims,
                                std::move(key)};
  KC_ASSIGN(const keys::ObjectPtr made,
            call.service.store.FoundFleet(std::move(object), keys::MemberRecord(first)));
  call.audit_fields = {{"object", ToHex(made->id)}, {"token", token.Serial()}};
  return wire::Empty{};
}

// The record comes first: nobody has the secret whom the members do not know.
ReplyOf<Op::kJoinFleet> JoinFleet(Call& call, const wire::JoinFleetRequest& request,
                                  const JoinTheFleet::Proof& proof) {
  if (!IsName(request.member))
    return Fail(Code::kInvalidArgument,
                "a member's name is of letters, digits, dots, hyphens and underscores");
  KC_CHECK_OK(CheckVersion(call.service.store, call.identity->claims));
  if (request.key.has_value()) KC_CHECK_OK(keys::CheckMemberPublicKey(*request.key));
  KC_ASSIGN(const std::vector<wire::FleetMember> members, call.service.store.Members());
  const bool is_new = std::none_of(members.begin(), members.end(), [&](const auto& member) {
    return member.name == request.member;
  });
  if (is_new && members.size() >= kMaxMembers)
    return Fail(Code::kObjectLimit, "1024 members at most");
  const wire::FleetMember joining{request.member, call.now, ClaimsOf(call.identity->claims),
                                  request.key};
  KC_CHECK_OK(call.service.store.ForgetAuditMark(request.member));
  KC_CHECK_OK(call.service.store.PutMember(joining));
  keys::Vault::HandOver given = call.service.store.GiveHandOver();
  call.audit_fields = {{"what", "root secret"},
                       {"member", request.member},
                       {"permit", std::to_string(proof.permit())}};
  wire::JoinFleetReply reply{.root_secret = given.keyring.first().Clone(),
                             .epoch = given.mark.epoch,
                             .head_digest = given.mark.head_digest};
  if (given.keyring.newest() == keys::kFirstGeneration) return reply;
  reply.oldest = given.keyring.oldest;
  reply.generations.emplace();
  for (auto& [number, secret] : given.keyring.secrets) {
    if (number != keys::kFirstGeneration) reply.generations->push_back({number, std::move(secret)});
  }
  return reply;
}

// Who is to leave does not decide about it, and neither does an operator: the fleet's owners sign.
ReplyOf<Op::kRemoveMember> RemoveMember(Call& call, const wire::RemoveMemberRequest& request,
                                        const AuthorizedToken& proof) {
  const keys::Token& token = proof.token();
  const auto id = call.service.store.fleet_object();
  if (!id.has_value() || call.service.fleet == nullptr)
    return Fail(Code::kWrongState, "this enclave is no member of a fleet that was founded");
  KC_ASSIGN(const keys::ObjectPtr object, call.service.store.Get(*id));
  if (object->token != token.id)
    return Fail(Code::kInvalidArgument, token.label +
                                            " is not the token that the fleet was founded "
                                            "with");
  KC_CHECK_OK(RequireHighestQuorum(call, token));
  KC_ASSIGN(const auto count, call.service.store.RemoveMember(request.member));
  call.audit_fields = {{"token", token.Serial()},
                       {"member", request.member},
                       {"generation", std::to_string(count.generation)}};
  return wire::RemoveMemberReply{.generation = count.generation, .older_rows = count.older_rows};
}

ReplyOf<Op::kListMembers> ListMembers(Call& call, const wire::ListMembersRequest& /*request*/,
                                      const AuditReader::Proof& /*proof*/) {
  KC_ASSIGN(std::vector<wire::FleetMember> members, call.service.store.Members());
  const auto count = call.service.store.generation();
  return wire::ListMembersReply{.object = call.service.store.fleet_object(),
                                .members = std::move(members),
                                .generation = count.generation,
                                .older_rows = count.older_rows};
}

}  // namespace keyclave::ops
