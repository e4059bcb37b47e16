#include "enclave/keys/attribute_rules.h"

#include "enclave/keys/attributes.h"
#include "enclave/wire/pkcs11_numbers.h"

namespace keyclave::keys {
namespace {

using wire::AttributeList;

bool IsEmpty(const AttributeList& object, uint64_t type) {
  const Bytes* value = object.Find(type);
  return value == nullptr || value->empty();
}

// CK_CERTIFICATE_CATEGORY, CK_JAVA_MIDP_SECURITY_DOMAIN (base §4.6.2), CK_TRUST (v3.2 §4, "Trust
// objects"): the highest number that each has.
struct Range {
  uint64_t type;
  uint64_t last;
};
constexpr Range kRanges[] = {
    {CKA_CERTIFICATE_CATEGORY, 3},
    {CKA_JAVA_MIDP_SECURITY_DOMAIN, 3},
    {CKA_TRUST_SERVER_AUTH, CKT_TRUST_MUST_VERIFY_TRUST},
    {CKA_TRUST_CLIENT_AUTH, CKT_TRUST_MUST_VERIFY_TRUST},
    {CKA_TRUST_CODE_SIGNING, CKT_TRUST_MUST_VERIFY_TRUST},
    {CKA_TRUST_EMAIL_PROTECTION, CKT_TRUST_MUST_VERIFY_TRUST},
    {CKA_TRUST_IPSEC_IKE, CKT_TRUST_MUST_VERIFY_TRUST},
    {CKA_TRUST_TIME_STAMPING, CKT_TRUST_MUST_VERIFY_TRUST},
    {CKA_TRUST_OCSP_SIGNING, CKT_TRUST_MUST_VERIFY_TRUST},
};

Status CheckRanges(const AttributeList& object) {
  for (const Range& range : kRanges) {
    const std::optional<uint64_t> value = object.Ulong(range.type);
    if (value.has_value() && *value > range.last)
      return Fail(Code::kAttributeValueInvalid, AttributeName(range.type));
  }
  return Done{};
}

// Of CKA_VALUE and CKA_URL one "MUST be non-empty", and the hashes of the keys "can only be empty
// if CKA_URL is empty" (base §4.6.3, §4.6.4).
Status CheckCertificateSource(const AttributeList& object) {
  if (IsEmpty(object, CKA_URL)) {
    if (!IsEmpty(object, CKA_VALUE)) return Done{};
    return Fail(Code::kTemplateInconsistent, "neither CKA_VALUE nor CKA_URL says the certificate");
  }
  for (const uint64_t hash : {CKA_HASH_OF_SUBJECT_PUBLIC_KEY, CKA_HASH_OF_ISSUER_PUBLIC_KEY}) {
    if (IsEmpty(object, hash))
      return Fail(Code::kTemplateInconsistent, AttributeName(hash) + " goes with CKA_URL");
  }
  return Done{};
}

// The hash "MUST be specified when the object is created unless all trust attributes are
// CKT_TRUST_UNKNOWN, or CKT_NOT_TRUSTED" (v3.2 §4, "Trust objects"): trust belongs to one
// certificate, distrust may go by its name.
Status CheckTrust(const AttributeList& object) {
  if (!IsEmpty(object, CKA_HASH_OF_CERTIFICATE)) return Done{};
  for (const Range& range : kRanges) {
    if (range.last != CKT_TRUST_MUST_VERIFY_TRUST) continue;
    const uint64_t trust = object.Ulong(range.type).value_or(CKT_TRUST_UNKNOWN);
    if (trust != CKT_TRUST_UNKNOWN && trust != CKT_NOT_TRUSTED)
      return Fail(Code::kTemplateIncomplete, "CKA_HASH_OF_CERTIFICATE");
  }
  return Done{};
}

}  // namespace

Status CheckNoDuplicate(const AttributeList& list) {
  const std::optional<uint64_t> twice = list.Duplicate();
  if (!twice.has_value()) return Done{};
  return Fail(Code::kTemplateInconsistent, AttributeName(*twice) + " stands twice");
}

Result<const AttributeRow*> RowFor(uint64_t type, Kinds kind) {
  const AttributeRow* row = FindAttribute(type, kind);
  if (row != nullptr) return row;
  if (FindAttribute(type, kAny) == nullptr)
    return Fail(Code::kAttributeTypeInvalid, AttributeName(type));
  return Fail(Code::kTemplateInconsistent, AttributeName(type) + " is not for this object");
}

Status CheckTogether(const AttributeList& object, Kinds kind) {
  // "CKA_ALWAYS_AUTHENTICATE … can only be set to CK_TRUE when CKA_PRIVATE is also CK_TRUE" (§4.9).
  if (object.IsTrue(CKA_ALWAYS_AUTHENTICATE) && !object.IsTrue(CKA_PRIVATE)) {
    return Fail(Code::kTemplateInconsistent, "CKA_ALWAYS_AUTHENTICATE without CKA_PRIVATE");
  }
  const std::string start = object.Text(CKA_START_DATE);
  const std::string end = object.Text(CKA_END_DATE);
  if (!start.empty() && !end.empty() && end < start) {
    return Fail(Code::kTemplateInconsistent, "CKA_END_DATE lies before CKA_START_DATE");
  }
  KC_CHECK_OK(CheckRanges(object));
  if ((kind & (kX509 | kWtls)) != 0) return CheckCertificateSource(object);
  return kind == kTrustObject ? CheckTrust(object) : Status(Done{});
}

}  // namespace keyclave::keys
