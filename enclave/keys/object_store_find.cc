// Finding objects and opening their keys.
#include "enclave/keys/attributes.h"
#include "enclave/keys/object_records.h"
#include "enclave/keys/object_store_impl.h"

namespace keyclave::keys {
namespace {

constexpr size_t kBatch = 64;  // candidates taken under one lock

// Which of several objects a reference without a class means: a key to use before the public key
// and certificate that go with it.
unsigned RankOf(uint64_t object_class) {
  switch (object_class) {
    case CKO_PRIVATE_KEY:
    case CKO_SECRET_KEY: return 0;
    case CKO_PUBLIC_KEY: return 1;
    case CKO_CERTIFICATE: return 2;
    default: return 3;
  }
}

bool IsKey(const Object& object) {
  const uint64_t object_class = object.Class();
  return object_class == CKO_PRIVATE_KEY || object_class == CKO_SECRET_KEY ||
         object_class == CKO_PUBLIC_KEY;
}

wire::AttributeList MatchOf(const wire::ObjectRef& ref) {
  wire::AttributeList match;
  if (ref.object_class.has_value()) match.SetUlong(CKA_CLASS, *ref.object_class);
  if (ref.cka_id.has_value()) match.Set(CKA_ID, *ref.cka_id);
  if (ref.label.has_value()) match.SetText(CKA_LABEL, *ref.label);
  return match;
}

// A label is the name of a key whichever version is in service; CKA_ID and the number name one.
bool MeansVersionInService(const wire::AttributeList& match) {
  return match.Has(CKA_LABEL) && !match.Has(CKA_ID) && !match.Has(kCkaVersion);
}

// What goes by versions: keys, and the certificates of keys.
bool BelongsToKey(const Object& object) {
  return IsKey(object) || object.Class() == CKO_CERTIFICATE;
}

// False where Matches would be: asked before an object is made of what rests. (An object's id as an
// attribute is nothing that rests.)
bool MayMatch(const RestingObject& object, const wire::AttributeList& match) {
  return std::all_of(match.items.begin(), match.items.end(), [&](const wire::Attribute& wanted) {
    if (wanted.type == CKA_UNIQUE_ID) return true;
    const auto value = object.Find(wanted.type);
    return value.has_value() && Equal(*value, wanted.value);
  });
}

// The one object of the best rank among those it is shown.
class BestMatch {
 public:
  // False when no other object can change the answer.
  bool Take(const ObjectPtr& object) {
    const unsigned rank = RankOf(object->Class());
    if (found_ == nullptr || rank < rank_) {
      found_ = object;
      rank_ = rank;
      several_ = false;
    } else if (rank == rank_) {
      several_ = true;
    }
    return !(several_ && rank_ == 0);
  }
  Result<ObjectPtr> Answer() const {
    if (found_ == nullptr) return Fail(Code::kObjectNotFound);
    if (several_) return Fail(Code::kObjectAmbiguous);
    return found_;
  }

 private:
  ObjectPtr found_;
  unsigned rank_ = 0;
  bool several_ = false;
};

}  // namespace

ObjectPtr ObjectStore::Impl::FindObject(const wire::ObjectId& id) const {
  const ReaderLock lock(state_mutex);
  const auto slot = objects.Find(id);
  return slot ? Shared(*slot) : nullptr;
}

ObjectPtr ObjectStore::Impl::Shared(Slot slot) const {
  const RestingObject& resting = objects.At(slot);
  if (ObjectPtr object = recent.Find(resting.id(), resting.version())) return object;
  ObjectPtr object = resting.Awake();
  recent.Insert(object->id, object->version, object);
  return object;
}

std::shared_ptr<Object> ObjectStore::Impl::Fresh(Slot slot) const {
  return objects.At(slot).Awake();
}

std::vector<ObjectPtr> ObjectStore::Impl::Fresh(const std::vector<Slot>& slots) const {
  std::vector<ObjectPtr> awake;
  awake.reserve(slots.size());
  for (const Slot slot : slots) awake.push_back(Fresh(slot));
  return awake;
}

Result<ObjectPtr> ObjectStore::Get(const wire::ObjectId& id) const {
  ObjectPtr object = impl_->FindObject(id);
  if (object == nullptr) return Fail(Code::kObjectNotFound, ToHex(id));
  return object;
}

template <class Pointer, class Take>
void ObjectStore::Impl::ForEachVisible(Pointer (Impl::*wake)(Slot) const, const Search& search,
                                       const Take& take) const {
  std::vector<Pointer> batch;
  const bool one_version = !search.versions && MeansVersionInService(search.match);
  std::optional<uint64_t> version;
  std::optional<wire::ObjectId> after = search.after;
  size_t looked_at = 0;
  do {
    batch.clear();
    {
      const ReaderLock lock(state_mutex);
      const auto found = tokens.find(search.token);
      if (found == tokens.end()) return;
      const ObjectIndex& index = found->second.objects;
      const auto candidates = index.Candidates(objects, search.match, after, kBatch);
      looked_at = candidates.size();
      for (const Slot slot : candidates) {
        after = objects.At(slot).id();
        if (MayMatch(objects.At(slot), search.match)) batch.push_back((this->*wake)(slot));
      }
      if (one_version) version = index.VersionInService(search.match.Text(CKA_LABEL));
    }
    for (Pointer& object : batch) {
      if (version && BelongsToKey(*object) && object->KeyVersion() != *version) continue;
      if (Matches(object->attributes, search.match) && search.visible(*object) &&
          !take(std::move(object)))
        return;
    }
  } while (looked_at == kBatch);
}

Result<ObjectPtr> ObjectStore::Resolve(const wire::ObjectRef& ref, const Visible& visible) const {
  const wire::AttributeList match = MatchOf(ref);
  std::vector<wire::TokenId> candidates;
  if (ref.token_label.has_value() || ref.token_serial.has_value()) {
    KC_ASSIGN(const Token token, FindTokenByName(ref.token_label, ref.token_serial));
    candidates.push_back(token.id);
  } else if (!ref.id.has_value()) {
    for (const Token& token : Tokens()) candidates.push_back(token.id);
  }
  if (ref.id.has_value()) {
    const ObjectPtr object = impl_->FindObject(*ref.id);
    if (object == nullptr || (!candidates.empty() && candidates.front() != object->token) ||
        !Matches(object->attributes, match) || !visible(*object))
      return Fail(Code::kObjectNotFound);
    return object;
  }
  BestMatch best;
  for (const wire::TokenId& token : candidates) {
    impl_->ForEachVisible<ObjectPtr>(&Impl::Shared, {token, match, visible},
                                     [&](const ObjectPtr& object) { return best.Take(object); });
  }
  return best.Answer();
}

std::vector<std::shared_ptr<Object>> ObjectStore::Find(const wire::TokenId& token,
                                                       const wire::AttributeList& match,
                                                       const std::optional<wire::ObjectId>& after,
                                                       size_t limit, const Visible& visible,
                                                       bool versions) const {
  std::vector<std::shared_ptr<Object>> found;
  if (limit == 0) return found;
  if (const Bytes* unique = match.Find(CKA_UNIQUE_ID)) {
    const Result<Bytes> id = FromHex(AsText(*unique));
    if (!id.ok() || id->size() != sizeof(wire::ObjectId)) return found;
    wire::ObjectId wanted;
    std::copy(id->begin(), id->end(), wanted.begin());
    const ObjectPtr object = impl_->FindObject(wanted);
    if (object != nullptr && object->token == token && (!after || *after < wanted) &&
        Matches(object->attributes, match) && visible(*object))
      found.push_back(std::make_shared<Object>(*object));
    return found;
  }
  impl_->ForEachVisible<std::shared_ptr<Object>>(
      &Impl::Fresh, {token, match, visible, after, versions}, [&](std::shared_ptr<Object> object) {
        found.push_back(std::move(object));
        return found.size() < limit;
      });
  return found;
}

Result<SecretBytes> ObjectStore::Impl::ReadMaterial(const Object& object) {
  if (!object.has_material) return SecretBytes();
  if (object.session != 0) {
    std::shared_ptr<const SecretBytes> material;
    {
      const ReaderLock lock(state_mutex);
      const auto found = session_material.find(object.id);
      if (found != session_material.end()) material = found->second;
    }
    if (material == nullptr) return Fail(Code::kObjectNotFound, ToHex(object.id));
    return material->Clone();
  }
  const Result<Record> record = vault->Read(ObjectRecordKey(object));
  if (!record.ok() && record.code() == Code::kNotFound)
    return Fail(Code::kObjectNotFound, ToHex(object.id));
  if (!record.ok()) return record.error();
  KC_ASSIGN(StoredObject stored, ParseObject(*record));
  return std::move(stored.material);
}

Result<SecretBytes> ObjectStore::ReadMaterial(const Object& object) {
  return impl_->ReadMaterial(object);
}

Result<std::shared_ptr<const mech::Key>> ObjectStore::OpenKey(const Object& object) {
  if (KeyCache::Pointer cached = impl_->cache.Find(object.id, object.version)) return cached;
  if (!IsKey(object)) return Fail(Code::kObjectNotFound, "the object is not a key");
  KC_ASSIGN(const SecretBytes material, impl_->ReadMaterial(object));
  KC_ASSIGN(KeyCache::Pointer key, mech::LoadKey(object.attributes, material));
  impl_->cache.Insert(object.id, object.version, key);
  // A change of the object drops its key from the cache after it has changed the state. So either
  // that drop comes after this insertion, or the change is seen here.
  const ObjectPtr current = impl_->FindObject(object.id);
  if (current == nullptr || current->version != object.version) impl_->cache.Erase(object.id);
  return key;
}

}  // namespace keyclave::keys
