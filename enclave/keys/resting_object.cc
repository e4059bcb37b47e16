#include "enclave/keys/resting_object.h"

#include <cstdlib>

#include "enclave/base/byte_reader.h"

namespace keyclave::keys {
namespace {

constexpr uint8_t kLongValue = 0xff;  // its length follows in four bytes

// Attributes with few values, whatever the number of keys. Others may be common to many objects
// too; what is taken for common wrongly costs memory, never a wrong value.
constexpr uint64_t kCommon[] = {CKA_CLASS,
                                CKA_KEY_TYPE,
                                CKA_KEY_GEN_MECHANISM,
                                CKA_ALLOWED_MECHANISMS,
                                CKA_EC_PARAMS,
                                CKA_MODULUS_BITS,
                                CKA_PUBLIC_EXPONENT,
                                CKA_VALUE_LEN,
                                CKA_CERTIFICATE_TYPE,
                                CKA_CERTIFICATE_CATEGORY,
                                CKA_OBJECT_VALIDATION_FLAGS,
                                CKA_PARAMETER_SET,
                                CKA_WRAP_TEMPLATE,
                                CKA_UNWRAP_TEMPLATE,
                                CKA_DERIVE_TEMPLATE,
                                kCkaPolicy,
                                kCkaPolicyDigest,
                                kCkaInheritedPolicies,
                                kCkaCreatorMeasurement,
                                kCkaCreatorTee,
                                kCkaVersion};

Kind::Source SourceOf(const wire::Attribute& attribute, const Object& object) {
  if (attribute.type == CKA_UNIQUE_ID && AsText(attribute.value) == ToHex(object.id))
    return Kind::Source::kName;
  const bool common =
      attribute.value.size() <= 1 ||
      std::find(std::begin(kCommon), std::end(kCommon), attribute.type) != std::end(kCommon);
  return common ? Kind::Source::kKind : Kind::Source::kObject;
}

size_t Mix(size_t hash, size_t more) { return (hash ^ more) * 0x9e3779b97f4a7c15U + (hash >> 29); }
size_t Mix(size_t hash, std::string_view text) {
  return Mix(hash, std::hash<std::string_view>()(text));
}

size_t HashOf(const Object& object) {
  size_t hash = Mix(object.session, AsText(object.token));
  hash = Mix(hash, object.policy);
  for (const std::string& policy : object.inherited) hash = Mix(hash, policy);
  hash = Mix(hash, object.has_material ? 1 : 0);
  for (const wire::Attribute& attribute : object.attributes.items) {
    const Kind::Source source = SourceOf(attribute, object);
    hash = Mix(hash, attribute.type + static_cast<size_t>(source));
    if (source == Kind::Source::kKind) hash = Mix(hash, AsText(attribute.value));
  }
  return hash;
}

bool IsOf(const Object& object, const Kind& kind) {
  const auto fits = [&](const Kind::Part& part, const wire::Attribute& attribute) {
    return part.type == attribute.type && part.source == SourceOf(attribute, object) &&
           (part.source != Kind::Source::kKind || part.value == attribute.value);
  };
  const auto& attributes = object.attributes.items;
  return kind.token == object.token && kind.policy == object.policy &&
         kind.inherited == object.inherited && kind.has_material == object.has_material &&
         kind.session == object.session &&
         std::equal(kind.parts.begin(), kind.parts.end(), attributes.begin(), attributes.end(),
                    fits);
}

Kind KindOf(const Object& object) {
  Kind kind{object.token, object.policy, object.inherited, object.has_material, object.session, {}};
  kind.parts.reserve(object.attributes.items.size());
  for (const wire::Attribute& attribute : object.attributes.items) {
    Kind::Part& part = kind.parts.emplace_back();
    part.type = attribute.type;
    part.source = SourceOf(attribute, object);
    if (part.source == Kind::Source::kKind) part.value = attribute.value;
  }
  return kind;
}

void PutValue(ByteWriter& out, ByteSpan value) {
  const bool is_long = value.size() >= kLongValue;
  out.PutBe(is_long ? kLongValue : static_cast<uint8_t>(value.size()));
  if (is_long) out.PutBe(static_cast<uint32_t>(value.size()));
  out.Put(value);
}

// What PutValue has put there: nothing else can be in this memory.
ByteSpan TakeValue(ByteReader& in) {
  const auto take = [&]() -> Result<ByteSpan> {
    KC_ASSIGN(const uint8_t short_size, in.TakeBe<uint8_t>());
    size_t size = short_size;
    if (short_size == kLongValue) {
      KC_ASSIGN(size, in.TakeBe<uint32_t>());
    }
    return in.Take(size);
  };
  const auto value = take();
  if (!value.ok()) std::abort();
  return *value;
}

}  // namespace

RestingObject::RestingObject(const Object& object, const Kind& kind, CellPool& pool)
    : id_(object.id), version_(object.version), kind_(&kind) {
  ByteWriter out;
  for (size_t i = 0; i < kind.parts.size(); ++i) {
    if (kind.parts[i].source == Kind::Source::kObject)
      PutValue(out, object.attributes.items[i].value);
  }
  own_ = pool.Take(out.bytes().size());
  std::copy(out.bytes().begin(), out.bytes().end(), own_.begin());
}

std::optional<ByteSpan> RestingObject::Find(uint64_t type) const {
  ByteReader in(own_);
  for (const Kind::Part& part : kind_->parts) {
    const bool wanted = part.type == type;
    if (part.source == Kind::Source::kObject) {
      const ByteSpan value = TakeValue(in);
      if (wanted) return value;
    } else if (wanted) {
      return part.source == Kind::Source::kKind ? std::optional<ByteSpan>(part.value)
                                                : std::nullopt;
    }
  }
  return std::nullopt;
}

std::optional<uint64_t> RestingObject::Ulong(uint64_t type) const {
  const auto value = Find(type);
  if (!value || value->size() != sizeof(uint64_t)) return std::nullopt;
  return ByteReader(*value).TakeLe<uint64_t>().value();
}

std::shared_ptr<Object> RestingObject::Awake() const {
  auto object = std::make_shared<Object>();
  object->id = id_;
  object->token = kind_->token;
  object->policy = kind_->policy;
  object->inherited = kind_->inherited;
  object->has_material = kind_->has_material;
  object->session = kind_->session;
  object->version = version_;
  auto& attributes = object->attributes.items;
  attributes.reserve(kind_->parts.size());
  ByteReader in(own_);
  for (const Kind::Part& part : kind_->parts) {
    wire::Attribute& attribute = attributes.emplace_back();
    attribute.type = part.type;
    switch (part.source) {
      case Kind::Source::kKind: attribute.value = part.value; break;
      case Kind::Source::kObject: attribute.value = ToBytes(TakeValue(in)); break;
      case Kind::Source::kName: attribute.value = ToBytes(ToHex(id_)); break;
    }
  }
  return object;
}

const Kind& KindTable::Take(const Object& object) {
  const size_t hash = HashOf(object);
  const auto [begin, end] = kinds_.equal_range(hash);
  auto found = std::find_if(begin, end, [&](const auto& one) { return IsOf(object, *one.second); });
  if (found == end) found = kinds_.emplace(hash, std::make_unique<Kind>(KindOf(object)));
  found->second->hash = hash;
  ++found->second->objects;
  return *found->second;
}

void KindTable::Release(const Kind& kind) {
  const auto [begin, end] = kinds_.equal_range(kind.hash);
  const auto found =
      std::find_if(begin, end, [&](const auto& one) { return one.second.get() == &kind; });
  if (--found->second->objects == 0) kinds_.erase(found);
}

}  // namespace keyclave::keys
