// Object handles, and the attributes that came with them.
//
// What holds:
// - a handle names one object of one token for as long as the object is known to this process; it
// is never given to
//   another object, also not after the object is gone;
// - attributes are answered from here while the enclave's store has not changed since they were
// read (Freshness);
// - secret values are never kept here.
#pragma once

#include <map>
#include <memory>

#include "enclave/base/mutex.h"
#include "enclave/client/client.h"
#include "pkcs11/cryptoki3.h"

namespace keyclave::pkcs11 {

// When attributes were read: they are current while the client still says the same.
struct Freshness {
  uint64_t generation = 0;
  uint64_t epoch = 0;
  friend bool operator==(const Freshness&, const Freshness&) = default;
};
Freshness FreshnessNow(const client::Client& client);

struct CachedObject {
  CK_OBJECT_HANDLE handle = 0;
  wire::ObjectInfo info;
  Freshness read;

  const wire::AttributeList& attributes() const { return info.attributes; }
  uint64_t Class() const { return info.attributes.Ulong(CKA_CLASS).value_or(CKO_VENDOR_DEFINED); }
  bool IsKey() const {
    return Class() == CKO_PRIVATE_KEY || Class() == CKO_PUBLIC_KEY || Class() == CKO_SECRET_KEY;
  }
  bool IsTokenObject() const { return info.attributes.IsTrue(CKA_TOKEN); }
};
using ObjectPtr = std::shared_ptr<const CachedObject>;

// How requests name an object.
wire::ObjectRef RefTo(const wire::ObjectId& id);

// Whether this attribute of such an object is a secret (CKA_VALUE of a secret or EC private key,
// CKA_PRIVATE_EXPONENT …).
bool IsSecretAttribute(const wire::AttributeList& attributes, CK_ATTRIBUTE_TYPE type);

class ObjectCache {
 public:
  explicit ObjectCache(client::Client& client) : client_(client) {}

  // Takes in what a reply brought; `read` is the freshness from before the request. The object
  // keeps its handle.
  ObjectPtr Put(wire::ObjectInfo info, Freshness read);
  // As it was last read, however old: for handles and for what cannot change (class, key type,
  // size). kP11ObjectHandleInvalid if the handle was never given, its object is gone, or lies in
  // another token.
  Result<ObjectPtr> Find(CK_OBJECT_HANDLE handle, const wire::TokenId& token) const;
  // Reads it anew if the store has changed since.
  Result<ObjectPtr> Fresh(CK_OBJECT_HANDLE handle, const wire::TokenId& token);
  // Reads it anew in any case: the reply with the secret values that this caller may read. They go
  // to the caller alone.
  Result<wire::ObjectInfo> Read(const CachedObject& object);

  void Remove(const wire::ObjectId& id);
  // Handles of private objects end with the login. Returns the ids of the session objects among
  // them.
  std::vector<wire::ObjectId> ForgetPrivate(const wire::TokenId& token);
  // All handles end with the token's initialisation.
  void ForgetToken(const wire::TokenId& token);

 private:
  template <class Which>
  std::vector<wire::ObjectId> ForgetIf(Which which);

  client::Client& client_;
  mutable SharedMutex mutex_;
  CK_OBJECT_HANDLE next_ KC_GUARDED_BY(mutex_) = 1;
  std::map<CK_OBJECT_HANDLE, ObjectPtr> by_handle_ KC_GUARDED_BY(mutex_);
  std::map<wire::ObjectId, CK_OBJECT_HANDLE> by_id_ KC_GUARDED_BY(mutex_);
};

}  // namespace keyclave::pkcs11
