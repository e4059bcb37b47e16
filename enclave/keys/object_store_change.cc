// Changes of objects, and of what reaches many of them: the clearing of a token.
#include "enclave/base/byte_reader.h"
#include "enclave/base/hash.h"
#include "enclave/keys/object_records.h"
#include "enclave/keys/object_store_impl.h"

namespace keyclave::keys {

Result<ByteArray<32>> ObjectStore::Impl::PolicyDigestOf(const Object& object) {
  const Bytes* digest = object.attributes.Find(kCkaPolicyDigest);
  if (digest == nullptr) return Fail(Code::kInternal, "an object without its policy's digest");
  return ByteReader(*digest).TakeArray<32>();
}

// The policy: the one that the object names, else its template's, else the token's default.
Result<ObjectPtr> ObjectStore::Impl::PrepareInsert(const NewObject& fresh) const {
  auto object = std::make_shared<Object>(fresh.object);
  if (object->policy.empty()) object->policy = object->attributes.Text(kCkaPolicy);
  ByteArray<32> digest;
  {
    const ReaderLock lock(state_mutex);
    KC_ASSIGN(const TokenState* state, TokenOf(object->token));
    if (object->policy.empty()) object->policy = state->token.default_policy;
    const auto policy = state->policies.find(object->policy);
    if (policy == state->policies.end()) return Fail(Code::kPolicyNotFound, object->policy);
    digest = policy->second.digest;
  }
  object->id = RandomArray<16>();
  object->version = 1;
  object->has_material = !fresh.material.empty();
  SetOwnAttributes(*object, digest);
  return ObjectPtr(std::move(object));
}

Result<std::vector<ObjectPtr>> ObjectStore::Insert(std::vector<NewObject> objects) {
  return impl_->Write([&]() KC_REQUIRES(impl_->write_mutex) -> Result<std::vector<ObjectPtr>> {
    std::vector<ObjectPtr> made;
    std::vector<RecordChange> changes;
    for (const NewObject& fresh : objects) {
      KC_ASSIGN(const ObjectPtr object, impl_->PrepareInsert(fresh));
      made.push_back(object);
      if (object->session != 0) continue;
      KC_ASSIGN(const auto digest, Impl::PolicyDigestOf(*object));
      changes.push_back(ObjectChange(*object, fresh.material, digest));
    }
    if (made.empty()) return made;
    if (!changes.empty()) KC_CHECK_OK(impl_->vault->Commit(std::move(changes)));
    const WriterLock lock(impl_->state_mutex);
    for (size_t i = 0; i < made.size(); ++i) {
      impl_->AddObject(made[i]);
      if (made[i]->session != 0 && made[i]->has_material)
        impl_->session_material[made[i]->id] =
            std::make_shared<SecretBytes>(std::move(objects[i].material));
    }
    impl_->Moved();
    return made;
  });
}

void ObjectStore::Impl::SetOwnAttributes(Object& object, ByteSpan policy_digest) {
  object.attributes.SetText(CKA_UNIQUE_ID, ToHex(object.id));
  object.attributes.SetBool(CKA_TOKEN, object.session == 0);
  object.attributes.SetText(kCkaPolicy, object.policy);
  object.attributes.Set(kCkaPolicyDigest, policy_digest);
}

std::shared_ptr<Object> ObjectStore::Impl::NextVersion(const Object& object) {
  auto next = std::make_shared<Object>(object);
  ++next->version;
  return next;
}

Result<RecordChange> ObjectStore::Impl::Reseal(const Object& next) {
  KC_ASSIGN(const SecretBytes material, ReadMaterial(next));
  KC_ASSIGN(const auto digest, PolicyDigestOf(next));
  return ObjectChange(next, material, digest);
}

Result<ObjectPtr> ObjectStore::Update(const wire::ObjectId& id,
                                      const wire::AttributeList& attributes,
                                      std::optional<uint64_t> version) {
  return impl_->Write([&]() KC_REQUIRES(impl_->write_mutex) -> Result<ObjectPtr> {
    KC_ASSIGN(const ObjectPtr current, Get(id));
    if (version.has_value() && *version != current->version) return Fail(Code::kObjectChanged);
    const std::shared_ptr<Object> next = Impl::NextVersion(*current);
    if (attributes.Has(kCkaPolicy)) next->policy = attributes.Text(kCkaPolicy);
    KC_ASSIGN(const Document policy, FindPolicy(next->token, next->policy));
    next->attributes = attributes;
    Impl::SetOwnAttributes(*next, policy.digest);
    if (next->session == 0) {
      KC_ASSIGN(RecordChange change, impl_->Reseal(*next));
      std::vector<RecordChange> changes;
      changes.push_back(std::move(change));
      KC_CHECK_OK(impl_->vault->Commit(std::move(changes)));
    }
    {
      const WriterLock lock(impl_->state_mutex);
      impl_->ReplaceObject(next);
      impl_->Moved();
    }
    impl_->cache.Erase(id);
    return ObjectPtr(next);
  });
}

// Removes the objects, and `more` from the vault in the same commit.
Status ObjectStore::Impl::RemoveAll(const std::vector<ObjectPtr>& doomed,
                                    std::vector<RecordChange> more) {
  for (const ObjectPtr& object : doomed) {
    if (object->session != 0) continue;
    more.push_back(Removal(ObjectRecordKey(*object)));
    AddUsageRemovals(*object, more);
  }
  if (!more.empty()) KC_CHECK_OK(vault->Commit(std::move(more)));
  {
    const WriterLock lock(state_mutex);
    for (const ObjectPtr& object : doomed) DropObject(*object);
    Moved();
  }
  for (const ObjectPtr& object : doomed) cache.Erase(object->id);
  return Done{};
}

Status ObjectStore::Remove(const wire::ObjectId& id) {
  return impl_->Write([&]() KC_REQUIRES(impl_->write_mutex) -> Status {
    KC_ASSIGN(const ObjectPtr object, Get(id));
    return impl_->RemoveAll({object}, {});
  });
}

void ObjectStore::RemoveSessionObjects(uint64_t session) {
  if (session == 0) return;
  // Most sessions have none, and need not wait for a commit that is under way.
  {
    const ReaderLock lock(impl_->state_mutex);
    if (!impl_->session_objects.contains(session)) return;
  }
  const MutexLock writing(impl_->write_mutex);
  std::vector<ObjectPtr> doomed;
  {
    const ReaderLock lock(impl_->state_mutex);
    const auto found = impl_->session_objects.find(session);
    if (found == impl_->session_objects.end()) return;
    for (const wire::ObjectId& id : found->second)
      doomed.push_back(impl_->Fresh(impl_->objects.Find(id).value()));
  }
  // Nothing of them is in the vault, so nothing can fail.
  static_cast<void>(impl_->RemoveAll(doomed, {}).ok());
}

// The default policy stays with a cleared token: without it nobody could use the token again.
Status ObjectStore::ClearToken(const wire::TokenId& id) {
  return impl_->Write([&]() KC_REQUIRES(impl_->write_mutex) -> Status {
    std::vector<ObjectPtr> doomed;
    std::vector<std::string> policies;
    {
      const ReaderLock lock(impl_->state_mutex);
      KC_ASSIGN(const TokenState* state, impl_->TokenOf(id));
      doomed = impl_->Fresh(state->objects.Slots());
      for (const auto& [name, policy] : state->policies) {
        if (name != state->token.default_policy) policies.push_back(name);
      }
    }
    std::vector<RecordChange> changes;
    for (const std::string& name : policies) changes.push_back(Removal(PolicyRecordKey(id, name)));
    KC_CHECK_OK(impl_->RemoveAll(doomed, std::move(changes)));
    const WriterLock lock(impl_->state_mutex);
    for (const std::string& name : policies) impl_->tokens[id].policies.erase(name);
    impl_->Moved();
    return Done{};
  });
}

Status ObjectStore::DeleteToken(const wire::TokenId& id) {
  return impl_->Write([&]() KC_REQUIRES(impl_->write_mutex) -> Status {
    std::vector<ObjectPtr> doomed;
    std::vector<RecordChange> changes;
    {
      const ReaderLock lock(impl_->state_mutex);
      KC_ASSIGN(const TokenState* state, impl_->TokenOf(id));
      doomed = impl_->Fresh(state->objects.Slots());
      for (const auto& [name, policy] : state->policies)
        changes.push_back(Removal(PolicyRecordKey(id, name)));
      for (RecordChange& removal : Impl::RecordRemovals(id, *state))
        changes.push_back(std::move(removal));
    }
    changes.push_back(Removal(TokenRecordKey(id)));
    KC_CHECK_OK(impl_->RemoveAll(doomed, std::move(changes)));
    const WriterLock lock(impl_->state_mutex);
    impl_->tokens.erase(id);
    impl_->Moved();
    return Done{};
  });
}

}  // namespace keyclave::keys
