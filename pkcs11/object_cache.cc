#include "pkcs11/object_cache.h"

#include "pkcs11/profile_object.h"

namespace keyclave::pkcs11 {
namespace {

void RemoveSecrets(wire::AttributeList& attributes) {
  std::vector<uint64_t> secret;
  for (const wire::Attribute& attribute : attributes.items) {
    if (IsSecretAttribute(attributes, attribute.type)) secret.push_back(attribute.type);
  }
  for (const uint64_t type : secret) attributes.Remove(type);
}

}  // namespace

Freshness FreshnessNow(const client::Client& client) {
  return {client.generation(), client.epoch()};
}

wire::ObjectRef RefTo(const wire::ObjectId& id) {
  wire::ObjectRef ref;
  ref.id = id;
  return ref;
}

bool IsSecretAttribute(const wire::AttributeList& attributes, CK_ATTRIBUTE_TYPE type) {
  const uint64_t object_class = attributes.Ulong(CKA_CLASS).value_or(CKO_VENDOR_DEFINED);
  if (object_class == CKO_SECRET_KEY) return type == CKA_VALUE;
  if (object_class != CKO_PRIVATE_KEY) return false;
  if (attributes.Ulong(CKA_KEY_TYPE) != CKK_RSA) return type == CKA_VALUE || type == CKA_SEED;
  switch (type) {
    case CKA_PRIVATE_EXPONENT:
    case CKA_PRIME_1:
    case CKA_PRIME_2:
    case CKA_EXPONENT_1:
    case CKA_EXPONENT_2:
    case CKA_COEFFICIENT: return true;
    default: return false;
  }
}

ObjectPtr ObjectCache::Put(wire::ObjectInfo info, Freshness read) {
  RemoveSecrets(info.attributes);
  auto object = std::make_shared<CachedObject>();
  object->info = std::move(info);
  object->read = read;
  const WriterLock lock(mutex_);
  const auto [found, is_new] = by_id_.try_emplace(object->info.id, next_);
  if (is_new) ++next_;
  object->handle = found->second;
  by_handle_[object->handle] = object;
  return object;
}

Result<ObjectPtr> ObjectCache::Find(CK_OBJECT_HANDLE handle, const wire::TokenId& token) const {
  const ReaderLock lock(mutex_);
  const auto found = by_handle_.find(handle);
  if (found == by_handle_.end() || found->second->info.token != token)
    return Fail(Code::kP11ObjectHandleInvalid);
  return found->second;
}

Result<ObjectPtr> ObjectCache::Fresh(CK_OBJECT_HANDLE handle, const wire::TokenId& token) {
  KC_ASSIGN(const ObjectPtr known, Find(handle, token));
  const Freshness now = FreshnessNow(client_);
  if (known->read == now || IsProfile(*known)) return known;
  KC_ASSIGN(wire::ObjectInfo info, Read(*known));
  return Put(std::move(info), now);
}

Result<wire::ObjectInfo> ObjectCache::Read(const CachedObject& object) {
  auto reply = client_.Call<wire::Op::kGetObject>({RefTo(object.info.id)});
  if (reply.ok()) return std::move(reply).value().object;
  if (reply.code() == Code::kObjectNotFound) {
    Remove(object.info.id);
    return Fail(Code::kP11ObjectHandleInvalid, "the object is gone");
  }
  return reply.error();
}

void ObjectCache::Remove(const wire::ObjectId& id) {
  const WriterLock lock(mutex_);
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  by_handle_.erase(found->second);
  by_id_.erase(found);
}

std::vector<wire::ObjectId> ObjectCache::ForgetPrivate(const wire::TokenId& token) {
  return ForgetIf([&](const CachedObject& object) {
    return object.info.token == token && object.attributes().IsTrue(CKA_PRIVATE);
  });
}

void ObjectCache::ForgetToken(const wire::TokenId& token) {
  ForgetIf([&](const CachedObject& object) { return object.info.token == token; });
}

template <class Which>
std::vector<wire::ObjectId> ObjectCache::ForgetIf(Which which) {
  std::vector<wire::ObjectId> session_objects;
  const WriterLock lock(mutex_);
  for (auto entry = by_handle_.begin(); entry != by_handle_.end();) {
    const CachedObject& object = *entry->second;
    if (!which(object)) {
      ++entry;
      continue;
    }
    if (!object.IsTokenObject()) session_objects.push_back(object.info.id);
    by_id_.erase(object.info.id);
    entry = by_handle_.erase(entry);
  }
  return session_objects;
}

}  // namespace keyclave::pkcs11
