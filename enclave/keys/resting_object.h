// An object as it lies in memory while nobody uses it: what it has alone, and a kind, which it
// shares with all objects like it. A P-256 key rests in about 200 bytes where an Object of it has
// two kilobytes and more.
#pragma once

#include <memory>
#include <unordered_map>

#include "enclave/keys/cell_pool.h"
#include "enclave/keys/object_store.h"

namespace keyclave::keys {

// What objects have in common.
struct Kind {
  enum class Source : uint8_t {
    kKind,    // every object of the kind has this value
    kObject,  // each has its own
    kName     // CKA_UNIQUE_ID: the object's id
  };
  struct Part {
    uint64_t type = 0;
    Source source = Source::kKind;
    Bytes value = {};
  };

  wire::TokenId token{};
  std::string policy;
  std::vector<std::string> inherited;
  bool has_material = false;
  uint64_t session = 0;
  std::vector<Part> parts;  // one for each attribute, in the objects' order
  size_t objects = 0;       // that are of this kind
  size_t hash = 0;          // of what they have in common
};

class RestingObject {
 public:
  RestingObject() = default;
  // `kind` must be the object's (KindTable), and outlive it, as `pool` must.
  RestingObject(const Object& object, const Kind& kind, CellPool& pool);
  // Before it goes: what it has of the pool goes back.
  void Give(CellPool& pool) { pool.Give(std::exchange(own_, {})); }

  const wire::ObjectId& id() const { return id_; }
  uint64_t version() const { return version_; }
  const Kind& kind() const { return *kind_; }
  // The attribute's value, valid as long as this is; nullopt without it, and for CKA_UNIQUE_ID.
  std::optional<ByteSpan> Find(uint64_t type) const;
  std::optional<uint64_t> Ulong(uint64_t type) const;  // nullopt if absent or not 8 bytes
  // The object that it was made of, in every part.
  std::shared_ptr<Object> Awake() const;

 private:
  wire::ObjectId id_{};
  uint64_t version_ = 0;
  const Kind* kind_ = nullptr;
  std::span<uint8_t> own_;  // its own values, each after its length
};

// The kinds of the objects that are there.
class KindTable {
 public:
  // The object's kind, for one object more.
  const Kind& Take(const Object& object);
  // For one less: a kind without objects goes.
  void Release(const Kind& kind);
  size_t size() const { return kinds_.size(); }

 private:
  std::unordered_multimap<size_t, std::unique_ptr<Kind>> kinds_;
};

}  // namespace keyclave::keys
