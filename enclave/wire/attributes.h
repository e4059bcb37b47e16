// PKCS#11 attributes as they travel and rest: a type and the value's bytes as PKCS#11 lays them out
// on LP64 (CK_ULONG: 8 bytes little-endian; CK_BBOOL: 1 byte, 0 or 1). A nested template is the
// CBOR of an AttributeList.
#pragma once

#include <optional>

#include "enclave/wire/codec.h"
#include "enclave/wire/pkcs11_extra.h"

namespace keyclave::wire {

struct Attribute {
  uint64_t type = 0;
  Bytes value;
  template <class V>
  void Visit(V&& v) {
    v(1, type);
    v(2, value);
  }
  friend bool operator==(const Attribute&, const Attribute&) = default;
};

// A small set of attributes; each type at most once (Set replaces; a decoded list is checked by the
// daemon).
class AttributeList {
 public:
  AttributeList() = default;
  explicit AttributeList(std::vector<Attribute> list) : items(std::move(list)) {}

  const Bytes* Find(uint64_t type) const;
  bool Has(uint64_t type) const { return Find(type) != nullptr; }
  std::optional<uint64_t> Ulong(uint64_t type) const;  // nullopt if absent or not 8 bytes
  std::optional<bool> Bool(uint64_t type) const;       // nullopt if absent or not 1 byte of 0 or 1
  bool IsTrue(uint64_t type) const { return Bool(type).value_or(false); }
  std::string Text(uint64_t type) const;  // empty if absent

  void Set(uint64_t type, ByteSpan value);
  void SetUlong(uint64_t type, uint64_t value);
  void SetBool(uint64_t type, bool value);
  void SetText(uint64_t type, std::string_view value) { Set(type, AsBytes(value)); }
  void Remove(uint64_t type);
  // The first type that occurs twice.
  std::optional<uint64_t> Duplicate() const;

  template <class V>
  void Visit(V&& v) {
    v(1, items);
  }
  friend bool operator==(const AttributeList&, const AttributeList&) = default;

  std::vector<Attribute> items;
};

Bytes UlongBytes(uint64_t value);

}  // namespace keyclave::wire
