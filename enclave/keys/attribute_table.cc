#include "enclave/keys/attribute_table.h"

#include "enclave/wire/pkcs11_numbers.h"

namespace keyclave::keys {
namespace {

#define KC_ATTRIBUTE_AS(type, name, value, objects, settable, required, change, fallback, source) \
  {type,     name,           ValueKind::value,  objects,       settable,                          \
   required, Change::change, Default::fallback, Source::source},
#define KC_ATTRIBUTE(type, value, objects, settable, required, change, fallback, source) \
  KC_ATTRIBUTE_AS(type, #type, value, objects, settable, required, change, fallback, source)
constexpr AttributeRow kRows[] = {
#include "enclave/keys/attribute_table.inc"
};
#undef KC_ATTRIBUTE
#undef KC_ATTRIBUTE_AS

bool IsDate(ByteSpan value) {
  if (value.empty()) return true;
  const auto is_digit = [](uint8_t c) { return c >= '0' && c <= '9'; };
  if (value.size() != 8 || !std::all_of(value.begin(), value.end(), is_digit)) return false;
  const int month = (value[4] - '0') * 10 + (value[5] - '0');
  const int day = (value[6] - '0') * 10 + (value[7] - '0');
  return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

bool IsTemplate(ByteSpan value) {
  const Result<wire::AttributeList> list = wire::Decode<wire::AttributeList>(value);
  return list.ok() && !list->Duplicate().has_value();
}

bool HasForm(ValueKind kind, ByteSpan value) {
  switch (kind) {
    case ValueKind::kUlong: return value.size() == sizeof(uint64_t);
    case ValueKind::kBool: return value.size() == 1 && value.front() <= 1;
    case ValueKind::kBytes:
    case ValueKind::kText: return true;
    case ValueKind::kDate: return IsDate(value);
    case ValueKind::kUlongList: return value.size() % sizeof(uint64_t) == 0;
    case ValueKind::kTemplate: return IsTemplate(value);
  }
  return false;
}

}  // namespace

std::span<const AttributeRow> AllAttributes() { return std::span(kRows); }

const AttributeRow* FindAttribute(uint64_t type, Kinds object) {
  for (const AttributeRow& row : kRows) {
    if (row.type == type && (row.objects & object) != 0) return &row;
  }
  return nullptr;
}

Kinds KindOf(uint64_t object_class, uint64_t subtype) {
  const bool rsa = subtype == CKK_RSA;
  const bool ec = subtype == CKK_EC || subtype == CKK_EC_EDWARDS || subtype == CKK_EC_MONTGOMERY ||
                  subtype == kCkkSm2;
  switch (object_class) {
    case CKO_DATA: return kData;
    case CKO_CERTIFICATE: return subtype == CKC_X_509 ? kX509 : Kinds{0};
    case CKO_PUBLIC_KEY: return rsa ? kPublicRsa : ec ? kPublicEc : Kinds{0};
    case CKO_PRIVATE_KEY: return rsa ? kPrivateRsa : ec ? kPrivateEc : Kinds{0};
    case CKO_SECRET_KEY: return rsa || ec ? Kinds{0} : kSecret;
    default: return 0;
  }
}

Status CheckValue(const AttributeRow& row, ByteSpan value) {
  if (!HasForm(row.kind, value)) {
    return Fail(Code::kAttributeValueInvalid, std::string(row.name));
  }
  return Done{};
}

}  // namespace keyclave::keys
