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

constexpr int kMaxNesting = 2;  // as in pkcs11/args.cc

bool HasForm(ValueKind kind, ByteSpan value, int depth = 0);

// Of attributes that some key has, with values that they can have: anything else matches no key and
// can be given to none.
bool IsTemplate(ByteSpan value, int depth) {
  if (depth > kMaxNesting) return false;
  const Result<wire::AttributeList> list = wire::Decode<wire::AttributeList>(value);
  if (!list.ok() || list->Duplicate().has_value()) return false;
  return std::all_of(list->items.begin(), list->items.end(), [&](const wire::Attribute& item) {
    const AttributeRow* row = FindAttribute(item.type, kKey);
    return row != nullptr && HasForm(row->kind, item.value, depth);
  });
}

bool HasForm(ValueKind kind, ByteSpan value, int depth) {
  switch (kind) {
    case ValueKind::kUlong: return value.size() == sizeof(uint64_t);
    case ValueKind::kBool: return value.size() == 1 && value.front() <= 1;
    case ValueKind::kBytes:
    case ValueKind::kText: return true;
    case ValueKind::kDate: return IsDate(value);
    case ValueKind::kUlongList: return value.size() % sizeof(uint64_t) == 0;
    case ValueKind::kTemplate: return IsTemplate(value, depth + 1);
  }
  return false;
}

Kinds CertificateKind(uint64_t type) {
  switch (type) {
    case CKC_X_509: return kX509;
    case CKC_X_509_ATTR_CERT: return kAttributeCertificate;
    case CKC_WTLS: return kWtls;
    default: return 0;
  }
}

Kinds DomainKind(uint64_t type) {
  switch (type) {
    case CKK_DSA: return kDsaDomain;
    case CKK_DH: return kDhDomain;
    case CKK_X9_42_DH: return kX942Domain;
    default: return 0;
  }
}

}  // namespace

std::span<const AttributeRow> AllAttributes() { return std::span(kRows); }

const AttributeRow* FindAttribute(uint64_t type, Kinds object) {
  for (const AttributeRow& row : kRows) {
    if (row.type == type && (row.objects & object) != 0) return &row;
  }
  return nullptr;
}

std::optional<uint64_t> SubtypeOf(uint64_t object_class) {
  if (object_class == CKO_DATA || object_class == CKO_TRUST) return std::nullopt;
  return object_class == CKO_CERTIFICATE ? CKA_CERTIFICATE_TYPE : CKA_KEY_TYPE;
}

bool IsStoredClass(uint64_t object_class) {
  switch (object_class) {
    case CKO_DATA:
    case CKO_CERTIFICATE:
    case CKO_PUBLIC_KEY:
    case CKO_PRIVATE_KEY:
    case CKO_SECRET_KEY:
    case CKO_DOMAIN_PARAMETERS:
    case CKO_TRUST: return true;
    default: return false;
  }
}

Kinds KindOf(uint64_t object_class, uint64_t subtype) {
  const bool rsa = subtype == CKK_RSA;
  const bool ec = subtype == CKK_EC || subtype == CKK_EC_EDWARDS || subtype == CKK_EC_MONTGOMERY ||
                  subtype == kCkkSm2;
  const bool set = subtype == CKK_ML_DSA || subtype == CKK_ML_KEM || subtype == CKK_SLH_DSA;
  switch (object_class) {
    case CKO_DATA: return kData;
    case CKO_TRUST: return kTrustObject;
    case CKO_CERTIFICATE: return CertificateKind(subtype);
    case CKO_DOMAIN_PARAMETERS: return DomainKind(subtype);
    case CKO_PUBLIC_KEY: return rsa ? kPublicRsa : ec ? kPublicEc : set ? kPublicSet : Kinds{0};
    case CKO_PRIVATE_KEY: return rsa ? kPrivateRsa : ec ? kPrivateEc : set ? kPrivateSet : Kinds{0};
    case CKO_SECRET_KEY: return rsa || ec || set ? Kinds{0} : kSecret;
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
