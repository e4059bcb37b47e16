// The objects of one token, ordered so that a search by CKA_ID, CKA_LABEL or CKA_CLASS, a page of a
// listing and the count of a policy's objects cost what the answer holds, not what the token holds.
#pragma once

#include <map>
#include <set>

#include "enclave/keys/object_store.h"

namespace keyclave::keys {

class ObjectIndex {
 public:
  void Add(const ObjectPtr& object);
  void Remove(const Object& object);

  size_t size() const { return size_; }
  const std::set<wire::ObjectId>& UnderPolicy(const std::string& policy) const;

  // Of the keys with this label, the version in service: the highest that is not staged. nullopt if
  // none of them has a number.
  std::optional<uint64_t> VersionInService(std::string_view label) const;

  // At most `limit` candidates for `match`, by id, those after `after` only: a superset of what
  // matches, because one attribute of `match` chooses them at most. When fewer than `limit` come,
  // there are no more.
  std::vector<ObjectPtr> Candidates(const wire::AttributeList& match,
                                    const std::optional<wire::ObjectId>& after, size_t limit) const;

 private:
  // One ordered map holds the lists: all objects (kAll, empty value), and those with a CKA_ID,
  // CKA_LABEL or CKA_CLASS by its value.
  enum class List : uint8_t { kAll, kId, kLabel, kClass };
  struct Key {
    List list;
    std::string value;
    wire::ObjectId id{};
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  static std::vector<Key> KeysOf(const Object& object);
  void CountVersion(const Object& object, bool there);
  static Key ChooseList(const wire::AttributeList& match);

  std::map<Key, ObjectPtr> lists_;
  std::map<std::string, std::set<wire::ObjectId>, std::less<>> by_policy_;
  // Of labels with numbered private or secret keys: how many keys each number has, in service and
  // staged.
  struct Version {
    size_t in_service = 0;
    size_t staged = 0;
  };
  std::map<std::string, std::map<uint64_t, Version>, std::less<>> lines_;
  size_t size_ = 0;
};

}  // namespace keyclave::keys
