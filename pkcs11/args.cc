#include "pkcs11/args.h"

#include <set>

#include "enclave/base/cbor.h"

namespace keyclave::pkcs11 {
namespace {

constexpr CK_ULONG kMaxTemplate = 256;  // attributes; no object class has half as many
constexpr int kMaxNesting = 2;          // a template in a template: deeper ones make no sense

Result<wire::AttributeList> ReadTemplate(const CK_ATTRIBUTE* attributes, CK_ULONG count, int depth);

// "Library developers are encouraged to make their libraries behave as though the attribute had
// only appeared once"; "two different values for the same attribute" are inconsistent (base
// §4.1.1).
Result<wire::AttributeList> MergeEqual(wire::AttributeList list) {
  if (!list.Duplicate().has_value()) return list;
  wire::AttributeList merged;
  for (wire::Attribute& item : list.items) {
    const Bytes* first = merged.Find(item.type);
    if (first == nullptr) {
      merged.items.push_back(std::move(item));
    } else if (*first != item.value) {
      return Fail(Code::kTemplateInconsistent, "an attribute is there twice, with two values");
    }
  }
  return merged;
}

Result<Bytes> ReadNested(const CK_ATTRIBUTE& attribute, int depth) {
  if (attribute.ulValueLen % sizeof(CK_ATTRIBUTE) != 0)
    return Fail(Code::kAttributeValueInvalid, "nested template");
  // "Implementations can limit permitted recursion …, returning CKR_TEMPLATE_INCONSISTENT" (v3.2
  // §4, "Template Attributes").
  if (depth >= kMaxNesting) return Fail(Code::kTemplateInconsistent, "nested too deep");
  const auto* inner = static_cast<const CK_ATTRIBUTE*>(attribute.pValue);
  KC_ASSIGN(const wire::AttributeList list,
            ReadTemplate(inner, attribute.ulValueLen / sizeof(CK_ATTRIBUTE), depth + 1));
  return wire::Encode(list);
}

Result<wire::AttributeList> ReadTemplate(const CK_ATTRIBUTE* attributes, CK_ULONG count,
                                         int depth) {
  if (attributes == nullptr && count != 0) return Fail(Code::kP11ArgumentsBad, "no template");
  if (count > kMaxTemplate) return Fail(Code::kP11ArgumentsBad, "template too long");
  wire::AttributeList list;
  list.items.reserve(count);
  for (const CK_ATTRIBUTE& attribute : std::span(attributes, count)) {
    if (attribute.ulValueLen > wire::kMaxField)
      return Fail(Code::kAttributeValueInvalid, "length of a value");
    if (attribute.pValue == nullptr && attribute.ulValueLen != 0) {
      return Fail(Code::kAttributeValueInvalid, "no value, but a length");
    }
    wire::Attribute& item = list.items.emplace_back();
    item.type = attribute.type;
    if (IsNestedTemplate(attribute.type)) {
      KC_ASSIGN(item.value, ReadNested(attribute, depth));
    } else {
      item.value = ToBytes(FromC(attribute.pValue, attribute.ulValueLen));
    }
  }
  return MergeEqual(std::move(list));
}

// A length of CK_UNAVAILABLE_INFORMATION is what an earlier call left behind, not room for a value.
bool HasRoom(const CK_ATTRIBUTE& out, size_t size) {
  return out.ulValueLen != CK_UNAVAILABLE_INFORMATION && out.ulValueLen >= size;
}

Status Unavailable(CK_ATTRIBUTE& out) {
  out.ulValueLen = CK_UNAVAILABLE_INFORMATION;
  return Fail(Code::kP11BufferTooSmall);
}

// The attribute that an element of the caller's array asks for: by its type, where the whole array
// names different ones that are there (v3.2 §4, "Template Attributes"); otherwise by its place (3.0
// §5.7.5: "the type element of attributes within the array MUST be ignored on input").
const wire::Attribute& Wanted(const std::vector<wire::Attribute>& items,
                              std::span<const CK_ATTRIBUTE> wanted, size_t place, bool by_type) {
  if (!by_type) return items[place];
  return *std::find_if(items.begin(), items.end(), [&](const wire::Attribute& item) {
    return item.type == wanted[place].type;
  });
}

bool NamesSome(const wire::AttributeList& list, std::span<const CK_ATTRIBUTE> wanted) {
  std::set<CK_ATTRIBUTE_TYPE> types;
  return std::all_of(wanted.begin(), wanted.end(), [&](const CK_ATTRIBUTE& attribute) {
    return list.Has(attribute.type) && types.insert(attribute.type).second;
  });
}

// The caller's array of CK_ATTRIBUTE gets the types, and each element its value by the same rules
// as an outer one.
Status PutNested(CK_ATTRIBUTE& out, ByteSpan value) {
  auto decoded = wire::Decode<wire::AttributeList>(value);
  if (!decoded.ok()) return decoded.error();
  const std::vector<wire::Attribute>& items = decoded->items;
  const CK_ULONG needed = items.size() * sizeof(CK_ATTRIBUTE);
  if (out.pValue == nullptr) {
    out.ulValueLen = needed;
    return Done{};
  }
  const CK_ULONG room = HasRoom(out, 0) ? out.ulValueLen / sizeof(CK_ATTRIBUTE) : 0;
  const std::span<CK_ATTRIBUTE> given(static_cast<CK_ATTRIBUTE*>(out.pValue),
                                      std::min<size_t>(room, items.size()));
  const bool by_type = !given.empty() && NamesSome(*decoded, given);
  if (given.size() < items.size() && !by_type) return Unavailable(out);
  out.ulValueLen = given.size_bytes();
  Status status;
  for (size_t i = 0; i < given.size(); ++i) {
    const wire::Attribute& item = Wanted(items, given, i, by_type);
    given[i].type = item.type;
    Status one = PutAttribute(given[i], item.value);
    if (status.ok()) status = std::move(one);
  }
  return status;
}

}  // namespace

Result<ByteSpan> InBytes(const void* data, CK_ULONG size) {
  if (data == nullptr && size != 0) return Fail(Code::kP11ArgumentsBad, "no data, but a length");
  return FromC(data, size);
}

Status NotNull(const void* pointer) {
  if (pointer == nullptr) return Fail(Code::kP11ArgumentsBad, "NULL");
  return Done{};
}

Result<wire::AttributeList> FromTemplate(const CK_ATTRIBUTE* attributes, CK_ULONG count) {
  return ReadTemplate(attributes, count, 0);
}

bool IsNestedTemplate(CK_ATTRIBUTE_TYPE type) {
  return type == CKA_WRAP_TEMPLATE || type == CKA_UNWRAP_TEMPLATE || type == CKA_DERIVE_TEMPLATE ||
         type == CKA_ENCAPSULATE_TEMPLATE || type == CKA_DECAPSULATE_TEMPLATE;
}

Status PutAttribute(CK_ATTRIBUTE& out, ByteSpan value) {
  if (IsNestedTemplate(out.type)) return PutNested(out, value);
  if (out.pValue != nullptr) {
    if (!HasRoom(out, value.size())) return Unavailable(out);
    std::copy(value.begin(), value.end(), static_cast<uint8_t*>(out.pValue));
  }
  out.ulValueLen = value.size();
  return Done{};
}

void PutPadded(std::span<CK_UTF8CHAR> out, std::string_view text) {
  size_t n = std::min(out.size(), text.size());
  const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U; };
  while (n > 0 && n < text.size() && continues(text[n])) --n;
  std::fill(out.begin(), out.end(), CK_UTF8CHAR{' '});
  std::copy_n(text.begin(), n, out.begin());
}

Result<std::string> FromPadded(ByteSpan field) {
  std::string text(AsText(field));
  text.erase(text.find_last_not_of(' ') + 1);
  CborWriter writer;
  writer.Text(text);
  // The wire's own reader decides what is UTF-8: what passes here is not refused there.
  if (!CborReader(writer.bytes()).Text(field.size()).ok())
    return Fail(Code::kP11ArgumentsBad, "not UTF-8");
  return text;
}

}  // namespace keyclave::pkcs11
