// Owners of tokens: enrolling, replacing, removing, listing.

#include "enclave/authz/owner_key.h"
#include "enclave/authz/set_document.h"
#include "enclave/base/name.h"
#include "enclave/ops/documents.h"
#include "enclave/ops/handlers.h"
#include "enclave/ops/owners.h"

namespace keyclave::ops {
namespace {

Status CheckEnrolment(const Call& call, const std::string& token_label,
                      const wire::NewOwner& fresh) {
  const wire::Owner& owner = fresh.owner;
  if (!IsName(owner.name)) return Fail(Code::kInvalidArgument, std::string(kNameRule));
  KC_CHECK_OK(authz::CheckOwnerKey(owner.spki));
  const wire::OwnerEnrolment enrolment{std::string(wire::kOwnerEnrolmentLabel),
                                       call.service.store.enclave_id(), token_label, owner};
  const Status proved =
      authz::VerifyOwnerSignature(owner.spki, wire::Encode(enrolment), fresh.proof);
  if (proved.ok()) return Done{};
  return Fail(Code::kStatementInvalid,
              owner.name + ": the proof of possession is not the key's over this enrolment");
}

uint64_t CountOwners(const std::vector<wire::Owner>& owners) {
  return static_cast<uint64_t>(std::count_if(
      owners.begin(), owners.end(),
      [](const wire::Owner& owner) { return owner.role == wire::OwnerRole::kOwner; }));
}

// The owners after a change must still be able to decide what the token leaves to them.
Status CheckStillEnough(Call& call, const keys::Token& token,
                        const std::vector<wire::Owner>& owners) {
  if (CountOwners(owners) < token.quorum.value_or(1))
    return Fail(Code::kInvalidArgument, "fewer owners than the token's quorum");
  keys::Token after = token;
  after.owners = owners;
  return CheckDocumentsOwners(call, after);
}

}  // namespace

Result<std::vector<wire::Owner>> FirstOwners(const Call& call,
                                             const wire::CreateTokenRequest& request) {
  std::vector<wire::Owner> owners;
  if (request.owners->empty() || request.owners->size() > authz::kMaxOwners)
    return Fail(Code::kInvalidArgument, "a token has 1 to 64 owners, or none at all");
  for (const wire::NewOwner& fresh : *request.owners) {
    KC_CHECK_OK(CheckEnrolment(call, request.label, fresh));
    for (const wire::Owner& other : owners) {
      if (other.name == fresh.owner.name || other.spki == fresh.owner.spki)
        return Fail(Code::kInvalidArgument,
                    fresh.owner.name + ": another owner has this name or key");
    }
    owners.push_back(fresh.owner);
  }
  const uint64_t deciding = CountOwners(owners);
  if (deciding == 0) return Fail(Code::kInvalidArgument, "all of them are auditors");
  const uint64_t quorum = request.quorum.value_or(deciding / 2 + 1);
  if (quorum == 0 || quorum > deciding)
    return Fail(Code::kInvalidArgument, "the quorum is 1 to the number of owners");
  return owners;
}

uint64_t FirstQuorum(const wire::CreateTokenRequest& request,
                     const std::vector<wire::Owner>& owners) {
  return request.quorum.value_or(CountOwners(owners) / 2 + 1);
}

ReplyOf<Op::kListOwners> ListOwners(Call& call, const wire::ListOwnersRequest& /*request*/,
                                    const VisibleToken& proof) {
  const keys::Token& token = proof.token();
  return wire::ListOwnersReply{.owners = token.owners.value_or(std::vector<wire::Owner>()),
                               .sequence = token.sequence.value_or(0),
                               .quorum = token.quorum.value_or(token.HasOwners() ? 1 : 0),
                               .enclave_id = call.service.store.enclave_id()};
}

ReplyOf<Op::kSetOwner> SetOwner(Call& call, const wire::SetOwnerRequest& request,
                                const AuthorizedToken& proof) {
  const keys::Token& token = proof.token();
  // Only a token's birth decides that it has owners: later an operator could name himself.
  if (!token.HasOwners()) return Fail(Code::kOwnersOnly, "the token was made without owners");
  KC_CHECK_OK(RequireHighestQuorum(call, token));
  KC_CHECK_OK(CheckEnrolment(call, token.label, request.owner));
  std::vector<wire::Owner> owners = *token.owners;
  const wire::Owner& fresh = request.owner.owner;
  const auto same_name = std::find_if(owners.begin(), owners.end(), [&](const wire::Owner& owner) {
    return owner.name == fresh.name;
  });
  for (const wire::Owner& other : owners) {
    if (other.spki == fresh.spki && other.name != fresh.name)
      return Fail(Code::kInvalidArgument, other.name + " has this key already");
  }
  if (same_name != owners.end()) {
    *same_name = fresh;
  } else {
    if (owners.size() >= authz::kMaxOwners)
      return Fail(Code::kInvalidArgument, "64 owners at most");
    owners.push_back(fresh);
  }
  KC_CHECK_OK(CheckStillEnough(call, token, owners));
  KC_CHECK_OK(call.service.store.SetOwners(token.id, owners));
  call.service.sessions.ForEach(
      [&](session::Session& session) { session.ForgetRoles(token.id, fresh.name); });
  call.audit_fields = {{"token", token.Serial()},
                       {"owner", fresh.name},
                       {"role", fresh.role == wire::OwnerRole::kOwner ? "owner" : "auditor"}};
  return wire::Empty{};
}

ReplyOf<Op::kRemoveOwner> RemoveOwner(Call& call, const wire::RemoveOwnerRequest& request,
                                      const AuthorizedToken& proof) {
  const keys::Token& token = proof.token();
  if (token.FindOwner(request.name) == nullptr) return Fail(Code::kOwnerUnknown, request.name);
  KC_CHECK_OK(RequireHighestQuorum(call, token));
  std::vector<wire::Owner> owners = *token.owners;
  std::erase_if(owners, [&](const wire::Owner& owner) { return owner.name == request.name; });
  KC_CHECK_OK(CheckStillEnough(call, token, owners));
  KC_CHECK_OK(call.service.store.SetOwners(token.id, owners));
  call.service.sessions.ForEach(
      [&](session::Session& session) { session.ForgetRoles(token.id, request.name); });
  call.audit_fields = {{"token", token.Serial()}, {"owner", request.name}};
  return wire::Empty{};
}

}  // namespace keyclave::ops
