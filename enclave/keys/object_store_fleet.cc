// The fleet whose members share this store: who they are, and how one leaves.
#include "enclave/base/hash.h"
#include "enclave/keys/member_key.h"
#include "enclave/keys/object_records.h"
#include "enclave/keys/object_store_impl.h"
#include "enclave/mech/recovery.h"

namespace keyclave::keys {

std::optional<wire::ObjectId> ObjectStore::fleet_object() const {
  const ReaderLock lock(impl_->state_mutex);
  return impl_->fleet_object;
}

// Later an operator could decide about keys that others have put here.
Result<ObjectPtr> ObjectStore::FoundFleet(NewObject object, const TokenRecord& first_member) {
  return impl_->Write([&]() KC_REQUIRES(impl_->write_mutex) -> Result<ObjectPtr> {
    if (fleet_object().has_value()) return Fail(Code::kStoreExists, "there is a fleet already");
    if (Tokens().size() != 1 || object_count() != 0)
      return Fail(
          Code::kWrongState,
          "a fleet is founded while its own token is all that the enclave has: who may join "
          "it may use every key");
    KC_ASSIGN(const ObjectPtr made, impl_->PrepareInsert(object));
    KC_ASSIGN(const auto digest, Impl::PolicyDigestOf(*made));
    KC_CHECK_OK(impl_->vault->Commit({ObjectChange(*made, {}, digest), FleetChange({made->id}),
                                      TokenRecordChange(made->token, first_member)}));
    const WriterLock lock(impl_->state_mutex);
    impl_->AddObject(made);
    impl_->fleet_object = made->id;
    impl_->ApplyRecords(made->token, {first_member}, {});
    impl_->Moved();
    return made;
  });
}

Vault::HandOver ObjectStore::GiveHandOver() const { return impl_->vault->GiveHandOver(); }
Witness::Mark ObjectStore::mark() const { return impl_->vault->mark(); }
std::optional<ByteArray<32>> ObjectStore::HeadDigestAt(uint64_t epoch) const {
  return impl_->vault->HeadDigestAt(epoch);
}

Result<std::vector<wire::FleetMember>> ObjectStore::Members() const {
  std::vector<wire::FleetMember> members;
  const auto id = fleet_object();
  if (!id.has_value()) return members;
  KC_ASSIGN(const ObjectPtr object, Get(*id));
  for (const TokenRecord& record : TokenRecords(object->token, RecordType::kMember)) {
    KC_ASSIGN(members.emplace_back(), wire::Decode<wire::FleetMember>(record.body));
  }
  std::sort(members.begin(), members.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return members;
}

Status ObjectStore::PutMember(const wire::FleetMember& member) {
  const auto id = fleet_object();
  if (!id.has_value()) return Fail(Code::kWrongState, "no fleet was founded");
  KC_ASSIGN(const ObjectPtr object, Get(*id));
  return ChangeTokenRecords(object->token, {MemberRecord(member)});
}

Result<Bytes> ObjectStore::MemberPublicKey() const {
  if (impl_->member_key.empty())
    return Fail(Code::kWrongState, "this machine has no key of its own");
  return keys::MemberPublicKey(impl_->member_key);
}

Status ObjectStore::AnnounceMember() {
  KC_ASSIGN(const Bytes key, MemberPublicKey());
  KC_ASSIGN(std::vector<wire::FleetMember> members, Members());
  for (wire::FleetMember& member : members) {
    if (member.name != impl_->member || member.key == key) continue;
    member.key = key;
    return PutMember(member);
  }
  return Done{};
}

Vault::GenerationCount ObjectStore::generation() const { return impl_->vault->generation(); }

struct ObjectStore::Impl::Departure {
  wire::TokenId token{};
  TokenRecord member;
  uint32_t generation = 0;
  SecretBytes secret;
  GenerationRecord record;
};

// A fresh secret, and for each who stays its share of it.
Result<ObjectStore::Impl::Departure> ObjectStore::Impl::PrepareDeparture(
    const std::string& name, const std::vector<wire::FleetMember>& members,
    const wire::TokenId& token) {
  const auto named = [&](const std::string& wanted) {
    return std::find_if(members.begin(), members.end(),
                        [&](const auto& one) { return one.name == wanted; });
  };
  if (named(name) == members.end())
    return Fail(Code::kMemberUnknown, name + ": keyclave replica list has them");
  if (name == member) return Fail(Code::kMemberSelf, name + " is the one that was asked");
  if (named(member) == members.end())
    return Fail(Code::kWrongState, "the member that was asked, " + member +
                                       ", has no record among the members: ask another one");
  Departure departure{token,
                      MemberRecord(*named(name)),
                      vault->generation().generation + 1,
                      SecretBytes(kRootSecretSize),
                      {}};
  departure.record.generation = departure.generation;
  RandomFill(departure.secret.ExposeMutable(SecretAccess()));
  for (const wire::FleetMember& one : members) {
    if (one.name == name) continue;
    if (!one.key.has_value())
      return Fail(Code::kMemberWithoutKey,
                  one.name + ": start it with this version, or let it join again");
    KC_ASSIGN(Bytes wrapped, WrapGeneration({vault->enclave_id(), departure.generation, one.name},
                                            *one.key, departure.secret));
    departure.record.shares.push_back({one.name, std::move(wrapped)});
  }
  return departure;
}

// The holders of recovery keys need the new secret, too: the same holders, as many of them.
Result<std::optional<wire::Recovery>> ObjectStore::Impl::SplitAnew(const Departure& departure) {
  std::optional<wire::Recovery> before;
  {
    const ReaderLock lock(state_mutex);
    before = recovery;
  }
  if (!before.has_value()) return std::optional<wire::Recovery>();
  std::vector<mech::RecoveryKeyholder> holders;
  for (wire::RecoveryHolder& holder : before->holders)
    holders.push_back({std::move(holder.name), std::move(holder.public_key)});
  RootKeyring keyring = vault->GiveHandOver().keyring;
  keyring.secrets.emplace(departure.generation, departure.secret.Clone());
  KC_ASSIGN(wire::Recovery split,
            mech::MakeRecovery(before->enclave_id, holders, before->threshold, keyring.Encode()));
  return std::optional(std::move(split));
}

Result<Vault::GenerationCount> ObjectStore::RemoveMember(const std::string& name) {
  if (!is_shared())
    return Fail(Code::kWrongState, "nobody shares this store: there is no fleet to leave");
  return impl_->Write([&]() KC_REQUIRES(impl_->write_mutex) -> Result<Vault::GenerationCount> {
    // Who the members are, and with what keys, is asked of the others.
    KC_CHECK_OK(impl_->Refresh());
    const auto id = fleet_object();
    if (!id.has_value())
      return Fail(Code::kWrongState, "no fleet was founded, so nobody knows its members");
    KC_ASSIGN(const ObjectPtr object, Get(*id));
    KC_ASSIGN(const std::vector<wire::FleetMember> members, Members());
    KC_ASSIGN(const Impl::Departure departure,
              impl_->PrepareDeparture(name, members, object->token));
    std::vector<RecordChange> changes;
    changes.push_back(Removal({departure.member.type, departure.token, departure.member.id}));
    changes.push_back(
        {{GenerationRecordKey(departure.generation), 0, {}, wire::Encode(departure.record)}});
    KC_ASSIGN(std::optional<wire::Recovery> shares, impl_->SplitAnew(departure));
    if (shares.has_value()) changes.push_back(RecoveryChange(*shares));
    KC_CHECK_OK(
        impl_->vault->BeginGeneration(departure.generation, departure.secret, std::move(changes)));
    const WriterLock lock(impl_->state_mutex);
    impl_->ApplyRecords(departure.token, {}, {departure.member});
    if (shares.has_value()) impl_->recovery = std::move(shares);
    impl_->Moved();
    return impl_->vault->generation();
  });
}

Result<size_t> ObjectStore::Reseal(size_t limit) {
  KC_ASSIGN(const size_t rows, impl_->vault->Reseal(limit));
  if (rows == 0) KC_CHECK_OK(impl_->vault->RetireGenerations());
  return rows;
}

}  // namespace keyclave::keys
