#include "enclave/wire/attributes.h"

#include "enclave/base/byte_reader.h"

namespace keyclave::wire {

const Bytes* AttributeList::Find(uint64_t type) const {
  const auto found =
      std::find_if(items.begin(), items.end(), [&](const Attribute& a) { return a.type == type; });
  return found == items.end() ? nullptr : &found->value;
}

std::optional<uint64_t> AttributeList::Ulong(uint64_t type) const {
  const Bytes* value = Find(type);
  if (value == nullptr || value->size() != sizeof(uint64_t)) return std::nullopt;
  return ByteReader(*value).TakeLe<uint64_t>().value();
}

std::optional<bool> AttributeList::Bool(uint64_t type) const {
  const Bytes* value = Find(type);
  if (value == nullptr || value->size() != 1 || value->front() > 1) return std::nullopt;
  return value->front() == 1;
}

std::string AttributeList::Text(uint64_t type) const {
  const Bytes* value = Find(type);
  return value == nullptr ? std::string() : std::string(AsText(*value));
}

void AttributeList::Set(uint64_t type, ByteSpan value) {
  const auto found =
      std::find_if(items.begin(), items.end(), [&](const Attribute& a) { return a.type == type; });
  Attribute& attribute = found == items.end() ? items.emplace_back() : *found;
  attribute.type = type;
  attribute.value = ToBytes(value);
}

void AttributeList::SetUlong(uint64_t type, uint64_t value) { Set(type, UlongBytes(value)); }

void AttributeList::SetBool(uint64_t type, bool value) {
  const uint8_t byte = value ? 1 : 0;
  Set(type, {&byte, 1});
}

void AttributeList::Remove(uint64_t type) {
  std::erase_if(items, [&](const Attribute& a) { return a.type == type; });
}

std::optional<uint64_t> AttributeList::Duplicate() const {
  std::vector<uint64_t> types;
  for (const Attribute& attribute : items) {
    if (std::find(types.begin(), types.end(), attribute.type) != types.end()) return attribute.type;
    types.push_back(attribute.type);
  }
  return std::nullopt;
}

Bytes UlongBytes(uint64_t value) {
  ByteWriter out;
  out.PutLe(value);
  return std::move(out).Finish();
}

}  // namespace keyclave::wire
