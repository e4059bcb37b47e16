// New versions of policies, and session objects that are kept: in one commit.
#include "enclave/base/hash.h"
#include "enclave/keys/object_records.h"
#include "enclave/keys/object_store_impl.h"

namespace keyclave::keys {

struct ObjectStore::Impl::Keeping {
  wire::TokenId token{};
  std::vector<const NewPolicy*> policies = {};
  std::vector<ObjectPtr> resealed = {};  // under the policies that change
  std::vector<std::shared_ptr<Object>> made = {};
  std::vector<ObjectPtr> left = {};  // the session objects that these were, in the same order

  // A key whose parent is kept with it names the parent by its new id.
  void NameParents();
};

void ObjectStore::Impl::Keeping::NameParents() {
  for (const std::shared_ptr<Object>& object : made) {
    const Bytes* parents = object->attributes.Find(kCkaParents);
    if (parents == nullptr) continue;
    Bytes named = *parents;
    for (size_t at = 0; at + sizeof(wire::ObjectId) <= named.size(); at += sizeof(wire::ObjectId)) {
      const auto id = named.begin() + static_cast<std::ptrdiff_t>(at);
      for (size_t i = 0; i < left.size(); ++i) {
        if (!std::equal(left[i]->id.begin(), left[i]->id.end(), id)) continue;
        std::copy(made[i]->id.begin(), made[i]->id.end(), id);
        break;
      }
    }
    object->attributes.Set(kCkaParents, named);
  }
}

Status ObjectStore::Impl::PreparePolicy(const NewPolicy& fresh, Keeping& keeping) const {
  const Document& policy = fresh.document;
  const ReaderLock lock(state_mutex);
  KC_ASSIGN(const TokenState* state, TokenOf(keeping.token));
  const auto old = state->policies.find(policy.name);
  const uint64_t before = old == state->policies.end() ? 0 : old->second.version;
  if (fresh.former.has_value() && *fresh.former != before) return Fail(Code::kObjectChanged);
  if (old != state->policies.end() && policy.version <= before)
    return Fail(Code::kPolicyVersion, policy.name + ": version " + std::to_string(policy.version) +
                                          " after " + std::to_string(before));
  for (const Slot slot : state->objects.UnderPolicy(policy.name)) {
    const auto next = NextVersion(*Fresh(slot));
    SetOwnAttributes(*next, policy.digest);
    keeping.resealed.push_back(next);
  }
  keeping.policies.push_back(&fresh);
  return Done{};
}

Status ObjectStore::Impl::PrepareKept(const Object& wanted, Keeping& keeping) const {
  const ObjectPtr present = FindObject(wanted.id);
  if (present == nullptr || present->session == 0 || present->token != keeping.token)
    return Fail(Code::kObjectNotFound);
  if (present->version != wanted.version) return Fail(Code::kObjectChanged);
  const auto object = std::make_shared<Object>(wanted);
  const auto put = std::find_if(keeping.policies.begin(), keeping.policies.end(),
                                [&](const auto* p) { return p->document.name == wanted.policy; });
  ByteArray<32> digest{};
  if (put != keeping.policies.end()) {
    digest = (*put)->document.digest;
  } else {
    const ReaderLock lock(state_mutex);
    KC_ASSIGN(const TokenState* state, TokenOf(keeping.token));
    const auto policy = state->policies.find(wanted.policy);
    if (policy == state->policies.end()) return Fail(Code::kPolicyNotFound, wanted.policy);
    digest = policy->second.digest;
  }
  object->id = RandomArray<16>();
  object->version = 1;
  object->session = 0;
  object->has_material = present->has_material;
  SetOwnAttributes(*object, digest);
  keeping.made.push_back(object);
  keeping.left.push_back(present);
  return Done{};
}

Result<std::vector<RecordChange>> ObjectStore::Impl::ChangesOf(const Keeping& keeping) {
  std::vector<RecordChange> changes;
  for (const NewPolicy* policy : keeping.policies) {
    changes.push_back(PolicyChange(keeping.token, policy->document));
    for (const TokenRecord& record : policy->records)
      changes.push_back(TokenRecordChange(keeping.token, record));
  }
  for (const ObjectPtr& next : keeping.resealed) {
    if (next->session != 0) continue;
    KC_ASSIGN(RecordChange change, Reseal(*next));
    changes.push_back(std::move(change));
  }
  for (size_t i = 0; i < keeping.made.size(); ++i) {
    KC_ASSIGN(const SecretBytes material, ReadMaterial(*keeping.left[i]));
    KC_ASSIGN(const auto digest, PolicyDigestOf(*keeping.made[i]));
    changes.push_back(ObjectChange(*keeping.made[i], material, digest));
  }
  return changes;
}

void ObjectStore::Impl::Apply(const Keeping& keeping) {
  {
    const WriterLock lock(state_mutex);
    for (const NewPolicy* policy : keeping.policies) {
      tokens[keeping.token].policies[policy->document.name] = policy->document;
      ApplyRecords(keeping.token, policy->records, {});
    }
    for (const ObjectPtr& next : keeping.resealed) ReplaceObject(next);
    for (const ObjectPtr& object : keeping.left) DropObject(*object);
    for (const std::shared_ptr<Object>& object : keeping.made) AddObject(object);
    Moved();
  }
  for (const ObjectPtr& object : keeping.left) cache.Erase(object->id);
}

Result<std::vector<ObjectPtr>> ObjectStore::Keep(const wire::TokenId& token,
                                                 std::vector<NewPolicy> policies,
                                                 std::vector<Object> objects) {
  for (const NewPolicy& fresh : policies) {
    const Document& policy = fresh.document;
    if (policy.name.empty() || policy.digest != Sha256(AsBytes(policy.text)))
      return Fail(Code::kInvalidArgument, "a policy without a name or with a digest not its own");
  }
  return impl_->Write([&]() KC_REQUIRES(impl_->write_mutex) -> Result<std::vector<ObjectPtr>> {
    Impl::Keeping keeping{.token = token};
    for (const NewPolicy& policy : policies) KC_CHECK_OK(impl_->PreparePolicy(policy, keeping));
    for (const Object& object : objects) KC_CHECK_OK(impl_->PrepareKept(object, keeping));
    keeping.NameParents();
    KC_ASSIGN(auto changes, impl_->ChangesOf(keeping));
    if (!changes.empty()) {
      KC_CHECK_OK(impl_->vault->Commit(std::move(changes)));
      impl_->Apply(keeping);
    }
    return std::vector<ObjectPtr>(keeping.made.begin(), keeping.made.end());
  });
}

Status ObjectStore::PutPolicy(const wire::TokenId& token, const Document& policy,
                              std::vector<TokenRecord> records) {
  std::vector<NewPolicy> policies;
  policies.push_back({policy, std::move(records)});
  const auto put = Keep(token, std::move(policies), {});
  return put.ok() ? Status() : Status(put.error());
}

}  // namespace keyclave::keys
