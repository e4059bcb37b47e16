#include "enclave/keys/attributes.h"

#include <bit>

#include "enclave/keys/attribute_rules.h"
#include "enclave/keys/usage_defaults.h"
#include "enclave/mech/certificate.h"
#include "enclave/mech/key_type.h"

namespace keyclave::keys {
namespace {

Error For(Code code, const AttributeRow& row) { return Fail(code, std::string(row.name)); }

Times TimeOf(Origin origin) {
  switch (origin) {
    case Origin::kCreated: return kCreate;
    case Origin::kGenerated: return kGenerate;
    case Origin::kUnwrapped: return kUnwrap;
    case Origin::kDerived: return kDerive;
  }
  return kNever;
}

// A number that the template, the key itself or neither says; kTemplateInconsistent if they differ.
Result<std::optional<uint64_t>> Agreed(const wire::AttributeList& requested,
                                       const wire::AttributeList& made, uint64_t type) {
  const std::optional<uint64_t> wanted = requested.Ulong(type);
  const std::optional<uint64_t> given = made.Ulong(type);
  if (requested.Has(type) && !wanted.has_value()) {
    return Fail(Code::kAttributeValueInvalid, AttributeName(type));
  }
  if (wanted.has_value() && given.has_value() && *wanted != *given) {
    return Fail(Code::kTemplateInconsistent, AttributeName(type));
  }
  return wanted.has_value() ? wanted : given;
}

// The class that the mechanism makes, if there is only one; kTemplateInconsistent for another.
Result<uint64_t> ClassOf(const wire::AttributeList& requested, const wire::AttributeList& made,
                         Origin origin, uint64_t mechanism) {
  KC_ASSIGN(const std::optional<uint64_t> said, Agreed(requested, made, CKA_CLASS));
  std::optional<uint64_t> implied;
  if (origin == Origin::kDerived) implied = CKO_SECRET_KEY;
  if (origin == Origin::kGenerated) {
    KC_ASSIGN(const mech::MechEntry entry, mech::FindMechanism(mechanism));
    if ((entry.row->flags & CKF_GENERATE) != 0) implied = CKO_SECRET_KEY;
  }
  if (!said.has_value() && !implied.has_value()) {
    return Fail(Code::kTemplateIncomplete, "CKA_CLASS");
  }
  const uint64_t object_class = said.has_value() ? *said : *implied;
  const bool is_pair = object_class == CKO_PUBLIC_KEY || object_class == CKO_PRIVATE_KEY;
  const bool fits =
      implied.has_value() ? object_class == *implied : origin != Origin::kGenerated || is_pair;
  if (!fits) return Fail(Code::kTemplateInconsistent, "CKA_CLASS");
  return object_class;
}

struct Subject {
  uint64_t object_class = 0;
  uint64_t subtype = 0;  // key or certificate type
  Kinds kind = 0;
};

Result<Subject> SubjectOf(const wire::AttributeList& requested, const wire::AttributeList& made,
                          Origin origin, uint64_t mechanism) {
  Subject subject;
  KC_ASSIGN(subject.object_class, ClassOf(requested, made, origin, mechanism));
  // Only then its type: a class that Keyclave does not have need not name one.
  if (!IsStoredClass(subject.object_class)) return Fail(Code::kAttributeValueInvalid, "CKA_CLASS");
  if (const std::optional<uint64_t> type = SubtypeOf(subject.object_class); type.has_value()) {
    KC_ASSIGN(const std::optional<uint64_t> subtype, Agreed(requested, made, *type));
    if (!subtype.has_value()) return Fail(Code::kTemplateIncomplete, AttributeName(*type));
    subject.subtype = *subtype;
    const bool known = subject.object_class != CKO_SECRET_KEY || mech::IsSecretKeyType(*subtype);
    if (!known || KindOf(subject.object_class, *subtype) == 0)
      return Fail(Code::kAttributeValueInvalid, AttributeName(*type));
  }
  subject.kind = KindOf(subject.object_class, subject.subtype);
  return subject;
}

// "If the supplied template specifies a value for an invalid attribute …
// CKR_ATTRIBUTE_TYPE_INVALID; an invalid value … CKR_ATTRIBUTE_VALUE_INVALID; a read-only attribute
// … CKR_ATTRIBUTE_READ_ONLY" (pkcs11-base-v3.0 §4.1.1).
Status CheckRequested(const wire::AttributeList& requested, Kinds kind, Times time,
                      bool security_officer) {
  KC_CHECK_OK(CheckNoDuplicate(requested));
  for (const wire::Attribute& attribute : requested.items) {
    KC_ASSIGN(const AttributeRow* row, RowFor(attribute.type, kind));
    KC_CHECK_OK(CheckValue(*row, attribute.value));
    if ((row->settable & time) == 0) return For(Code::kAttributeReadOnly, *row);
    if (row->change == Change::kTrust && attribute.value.front() != 0 && !security_officer) {
      return For(Code::kAttributeReadOnly, *row);
    }
  }
  return Done{};
}

// One attribute of the new object: from the template, from the key itself, or the default.
Status Fill(const AttributeRow& row, const wire::AttributeList& requested,
            const wire::AttributeList& made, wire::AttributeList& object) {
  const Bytes* wanted = requested.Find(row.type);
  const Bytes* given = made.Find(row.type);
  if (row.source == Source::kHidden) return Done{};
  if (row.source == Source::kTemplate && wanted != nullptr) {
    object.Set(row.type, *wanted);
    return Done{};
  }
  if (row.source == Source::kChecked && wanted != nullptr) {
    // An empty check value says that the object shall have none (base §4.10.2), empty public key
    // information that it is to be "derived from the underlying … key data" (§4.8, §4.9).
    const bool derived = row.type == CKA_PUBLIC_KEY_INFO && wanted->empty() && given != nullptr;
    const bool none = row.type == CKA_CHECK_VALUE && wanted->empty();
    if (!none && !derived && given != nullptr && *wanted != *given) {
      return For(Code::kAttributeValueInvalid, row);
    }
    object.Set(row.type, derived ? *given : *wanted);
    return Done{};
  }
  if (given != nullptr) {
    object.Set(row.type, *given);
    return Done{};
  }
  if (wanted != nullptr) {
    object.Set(row.type, *wanted);
    return Done{};
  }
  switch (row.fallback) {
    case Default::kNone:
    case Default::kRule: break;
    case Default::kEmpty: object.Set(row.type, {}); break;
    case Default::kZero: object.SetUlong(row.type, 0); break;
    case Default::kFalse: object.SetBool(row.type, false); break;
    case Default::kTrue: object.SetBool(row.type, true); break;
  }
  return Done{};
}

// CKA_LOCAL, CKA_KEY_GEN_MECHANISM, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE: what the token
// alone says about a key's history (base §4.7 to §4.10).
void SetHistory(const Subject& subject, const wire::AttributeList& made, Origin origin,
                uint64_t mechanism, wire::AttributeList& object) {
  if ((subject.kind & kKey) == 0) return;
  const bool local = origin == Origin::kGenerated;
  object.SetBool(CKA_LOCAL, local);
  object.SetUlong(CKA_KEY_GEN_MECHANISM, local ? mechanism : CK_UNAVAILABLE_INFORMATION);
  if ((subject.kind & kPublic) != 0) return;
  // A derived key's history cannot be better than its base key's, which `made` tells.
  const bool always = local || (origin == Origin::kDerived && made.IsTrue(CKA_ALWAYS_SENSITIVE));
  const bool never = local || (origin == Origin::kDerived && made.IsTrue(CKA_NEVER_EXTRACTABLE));
  object.SetBool(CKA_ALWAYS_SENSITIVE, always && object.IsTrue(CKA_SENSITIVE));
  object.SetBool(CKA_NEVER_EXTRACTABLE, never && !object.IsTrue(CKA_EXTRACTABLE));
}

// What the certificate itself says; the template may leave it out. Only X.509 is read: the others
// are kept as they come.
Result<wire::AttributeList> FromCertificate(const wire::AttributeList& requested, Kinds kind) {
  wire::AttributeList made;
  const Bytes* der = requested.Find(CKA_VALUE);
  if (der == nullptr) return Fail(Code::kTemplateIncomplete, "CKA_VALUE");
  if (der->empty()) return made;
  KC_ASSIGN(const Bytes check_value, mech::CertificateCheckValue(*der));
  made.Set(CKA_CHECK_VALUE, check_value);
  if (kind != kX509) return made;
  Result<mech::CertificateFacts> facts = mech::ReadCertificate(*der);
  if (!facts.ok())
    return Fail(Code::kAttributeValueInvalid, "CKA_VALUE: " + facts.error().detail());
  made.Set(CKA_SUBJECT, facts->subject);
  made.Set(CKA_ISSUER, facts->issuer);
  made.Set(CKA_SERIAL_NUMBER, facts->serial_number);
  made.Set(CKA_PUBLIC_KEY_INFO, facts->public_key_info);
  return made;
}

// The length in bits of an unsigned big integer.
uint64_t BitsOf(ByteSpan number) {
  const auto first = std::find_if(number.begin(), number.end(), [](uint8_t b) { return b != 0; });
  if (first == number.end()) return 0;
  const auto rest = static_cast<uint64_t>(number.end() - first) - 1;
  return rest * 8 + static_cast<uint64_t>(std::bit_width(*first));
}

Result<wire::AttributeList> FromDomain(const wire::AttributeList& requested) {
  wire::AttributeList made;
  for (const auto& [number, bits] :
       {std::pair(CKA_PRIME, CKA_PRIME_BITS), std::pair(CKA_SUBPRIME, CKA_SUB_PRIME_BITS)}) {
    const Bytes* value = requested.Find(number);
    if (value == nullptr) continue;
    if (BitsOf(*value) == 0) return Fail(Code::kAttributeValueInvalid, AttributeName(number));
    made.SetUlong(bits, BitsOf(*value));
  }
  return made;
}

// What the object itself says.
Result<wire::AttributeList> FactsOf(const wire::AttributeList& requested,
                                    const wire::AttributeList& made, Kinds kind) {
  if ((kind & kCertificate) != 0) return FromCertificate(requested, kind);
  if ((kind & kDomain) != 0) return FromDomain(requested);
  return made;
}

}  // namespace

Result<wire::AttributeList> CompleteTemplate(const wire::AttributeList& requested,
                                             const wire::AttributeList& made, Origin origin,
                                             uint64_t mechanism, bool security_officer) {
  KC_ASSIGN(const Subject subject, SubjectOf(requested, made, origin, mechanism));
  const Times time = TimeOf(origin);
  KC_CHECK_OK(CheckRequested(requested, subject.kind, time, security_officer));
  KC_ASSIGN(wire::AttributeList facts, FactsOf(requested, made, subject.kind));
  facts.SetUlong(CKA_CLASS, subject.object_class);

  wire::AttributeList object;
  for (const AttributeRow& row : AllAttributes()) {
    if ((row.objects & subject.kind) == 0) continue;
    KC_CHECK_OK(Fill(row, requested, facts, object));
    if ((row.required & time) != 0 && !object.Has(row.type)) {
      return For(Code::kTemplateIncomplete, row);
    }
  }
  if (!object.Has(CKA_PRIVATE)) object.SetBool(CKA_PRIVATE, PrivateByDefault(subject.object_class));
  AddUsageDefaults(requested, subject.object_class, subject.subtype, object);
  SetHistory(subject, made, origin, mechanism, object);
  KC_CHECK_OK(CheckTogether(object, subject.kind));
  return object;
}

std::string AttributeName(uint64_t type) {
  if (const AttributeRow* row = FindAttribute(type, kAny); row != nullptr) {
    return std::string(row->name);
  }
  Bytes number = wire::UlongBytes(type);
  std::reverse(number.begin(), number.end());
  return "0x" + ToHex(ByteSpan(number).last(type > 0xffffffff ? 8 : 4));
}

}  // namespace keyclave::keys
