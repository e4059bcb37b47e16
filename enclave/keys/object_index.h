// The objects of one token, ordered so that a search by CKA_ID, CKA_LABEL or CKA_CLASS, a page of a
// listing and the count of a policy's objects cost what the answer holds, not what the token holds
// (but for a logarithm). The objects themselves are in the table.
#pragma once

#include <map>

#include "enclave/keys/object_table.h"

namespace keyclave::keys {

class ObjectIndex {
 public:
  void Add(const ObjectTable& table, Slot slot);
  // While the object is still in the table.
  void Remove(const ObjectTable& table, Slot slot);

  size_t size() const { return all_.size(); }
  std::vector<Slot> Slots() const { return all_.Slots(); }  // by id
  std::vector<Slot> UnderPolicy(const std::string& policy) const;
  size_t CountUnderPolicy(const std::string& policy) const;

  // Of the keys with this label, the version in service: the highest that is not staged. nullopt if
  // none of them has a number.
  std::optional<uint64_t> VersionInService(std::string_view label) const;

  // At most `limit` candidates for `match`, by id, those after `after` only: a superset of what
  // matches, because one attribute of `match` chooses them at most. When fewer than `limit` come,
  // there are no more.
  std::vector<Slot> Candidates(const ObjectTable& table, const wire::AttributeList& match,
                               const std::optional<wire::ObjectId>& after, size_t limit) const;

 private:
  // By one attribute's value and, of equal ones, by id.
  struct ByValue {
    const ObjectTable& table;
    uint64_t type;
    ByteSpan value;
    const wire::ObjectId& id;
    uint32_t prefix;

    ByValue(const ObjectTable& objects, uint64_t attribute, ByteSpan of,
            const wire::ObjectId& from);
    std::strong_ordering operator()(const SlotSet::Entry& entry) const;
  };
  using Sets = std::map<std::string, SlotSet, std::less<>>;

  // Calls `change` for each set that the object belongs to, with its place in it.
  template <class Change>
  void ForEachSet(const ObjectTable& table, const RestingObject& object, const Change& change);
  void CountVersion(const RestingObject& object, bool there);

  SlotSet all_;  // by id, like the sets of each class and policy
  Sets by_class_;
  Sets by_policy_;
  SlotSet by_cka_id_;  // by value
  SlotSet by_label_;
  // Of labels with numbered private or secret keys: how many keys each number has, in service and
  // staged.
  struct Version {
    size_t in_service = 0;
    size_t staged = 0;
  };
  std::map<std::string, std::map<uint64_t, Version>, std::less<>> lines_;
};

}  // namespace keyclave::keys
