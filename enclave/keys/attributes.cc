#include "enclave/keys/attributes.h"

#include "enclave/keys/attribute_table.h"
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
  if (subject.object_class != CKO_DATA) {
    const bool certificate = subject.object_class == CKO_CERTIFICATE;
    const uint64_t type = certificate ? CKA_CERTIFICATE_TYPE : CKA_KEY_TYPE;
    // Only now: a class that Keyclave does not have need not name a key type.
    if (!certificate && KindOf(subject.object_class, CKK_RSA) == 0 &&
        subject.object_class != CKO_SECRET_KEY) {
      return Fail(Code::kAttributeValueInvalid, "CKA_CLASS");
    }
    KC_ASSIGN(const std::optional<uint64_t> subtype, Agreed(requested, made, type));
    if (!subtype.has_value()) return Fail(Code::kTemplateIncomplete, AttributeName(type));
    subject.subtype = *subtype;
    const bool known = subject.object_class != CKO_SECRET_KEY || mech::IsSecretKeyType(*subtype);
    subject.kind = known ? KindOf(subject.object_class, *subtype) : Kinds{0};
    if (subject.kind == 0) return Fail(Code::kAttributeValueInvalid, AttributeName(type));
    return subject;
  }
  subject.kind = kData;
  return subject;
}

// "If the supplied template specifies a value for an invalid attribute …
// CKR_ATTRIBUTE_TYPE_INVALID; an invalid value … CKR_ATTRIBUTE_VALUE_INVALID; a read-only attribute
// … CKR_ATTRIBUTE_READ_ONLY" (pkcs11-base-v3.0 §4.1.1).
Status CheckRequested(const wire::AttributeList& requested, Kinds kind, Times time,
                      bool security_officer) {
  if (const std::optional<uint64_t> twice = requested.Duplicate(); twice.has_value()) {
    return Fail(Code::kTemplateInconsistent, AttributeName(*twice) + " stands twice");
  }
  for (const wire::Attribute& attribute : requested.items) {
    const AttributeRow* row = FindAttribute(attribute.type, kind);
    if (row == nullptr) {
      return Fail(Code::kAttributeTypeInvalid, AttributeName(attribute.type));
    }
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
    // An empty check value says that the object shall have none (base §4.10.2).
    const bool none = row.type == CKA_CHECK_VALUE && wanted->empty();
    if (!none && given != nullptr && *wanted != *given) {
      return For(Code::kAttributeValueInvalid, row);
    }
    object.Set(row.type, *wanted);
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

// What the certificate itself says; the template may leave it out.
Result<wire::AttributeList> FromCertificate(const wire::AttributeList& requested) {
  const Bytes* der = requested.Find(CKA_VALUE);
  if (der == nullptr) return Fail(Code::kTemplateIncomplete, "CKA_VALUE");
  Result<mech::CertificateFacts> facts = mech::ReadCertificate(*der);
  if (!facts.ok())
    return Fail(Code::kAttributeValueInvalid, "CKA_VALUE: " + facts.error().detail());
  wire::AttributeList made;
  made.Set(CKA_SUBJECT, facts->subject);
  made.Set(CKA_ISSUER, facts->issuer);
  made.Set(CKA_SERIAL_NUMBER, facts->serial_number);
  made.Set(CKA_PUBLIC_KEY_INFO, facts->public_key_info);
  made.Set(CKA_CHECK_VALUE, facts->check_value);
  return made;
}

Status CheckTogether(const wire::AttributeList& object) {
  // "CKA_ALWAYS_AUTHENTICATE … can only be set to CK_TRUE when CKA_PRIVATE is also CK_TRUE" (§4.9).
  if (object.IsTrue(CKA_ALWAYS_AUTHENTICATE) && !object.IsTrue(CKA_PRIVATE)) {
    return Fail(Code::kTemplateInconsistent, "CKA_ALWAYS_AUTHENTICATE without CKA_PRIVATE");
  }
  const std::string start = object.Text(CKA_START_DATE);
  const std::string end = object.Text(CKA_END_DATE);
  if (!start.empty() && !end.empty() && end < start) {
    return Fail(Code::kTemplateInconsistent, "CKA_END_DATE lies before CKA_START_DATE");
  }
  const std::optional<uint64_t> category = object.Ulong(CKA_CERTIFICATE_CATEGORY);
  if (category.has_value() && *category > 3) {
    return Fail(Code::kAttributeValueInvalid, "CKA_CERTIFICATE_CATEGORY");
  }
  return Done{};
}

Kinds KindOfObject(const wire::AttributeList& object) {
  const uint64_t type =
      object.Ulong(CKA_CLASS) == CKO_CERTIFICATE ? CKA_CERTIFICATE_TYPE : CKA_KEY_TYPE;
  return KindOf(object.Ulong(CKA_CLASS).value_or(CKO_VENDOR_DEFINED),
                object.Ulong(type).value_or(CK_UNAVAILABLE_INFORMATION));
}

// Whether an existing object's attribute may take this value.
Status CheckChange(const AttributeRow& row, const wire::AttributeList& current, const Bytes& value,
                   bool copy, bool security_officer) {
  const bool wanted = row.kind == ValueKind::kBool && value.front() == 1;
  const bool is = current.IsTrue(row.type);
  switch (row.change) {
    case Change::kYes: return Done{};
    case Change::kRises:
      if (wanted || !is) return Done{};
      break;
    case Change::kFalls:
      if (!wanted || is) return Done{};
      break;
    case Change::kTrust:
      if (!wanted || is || security_officer) return Done{};
      break;
    case Change::kCopy:
      if (!copy) break;
      // A copy that anyone may see would undo the login that its original asks for.
      if (row.type == CKA_PRIVATE && is && !wanted) {
        return For(Code::kTemplateInconsistent, row);
      }
      return Done{};
    case Change::kNo:
      // "the token MUST verify correspondence between the private key data and the public key data
      // as supplied in CKA_PUBLIC_KEY_INFO" (base §4.9): the same value changes nothing.
      if (row.type == CKA_PUBLIC_KEY_INFO) {
        const Bytes* info = current.Find(row.type);
        if (info != nullptr && *info == value) return Done{};
        return For(Code::kAttributeValueInvalid, row);
      }
      break;
  }
  return For(Code::kAttributeReadOnly, row);
}

}  // namespace

Result<wire::AttributeList> CompleteTemplate(const wire::AttributeList& requested,
                                             const wire::AttributeList& made, Origin origin,
                                             uint64_t mechanism, bool security_officer) {
  KC_ASSIGN(const Subject subject, SubjectOf(requested, made, origin, mechanism));
  const Times time = TimeOf(origin);
  KC_CHECK_OK(CheckRequested(requested, subject.kind, time, security_officer));
  wire::AttributeList facts = made;
  if (subject.kind == kX509) {
    KC_ASSIGN(facts, FromCertificate(requested));
  }
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
  KC_CHECK_OK(CheckTogether(object));
  return object;
}

Result<wire::AttributeList> ApplyChanges(const wire::AttributeList& current,
                                         const wire::AttributeList& changes, bool copy,
                                         bool security_officer) {
  if (copy ? current.Bool(CKA_COPYABLE) == false : current.Bool(CKA_MODIFIABLE) == false) {
    return Fail(Code::kActionProhibited,
                copy ? "CKA_COPYABLE is false" : "CKA_MODIFIABLE is false");
  }
  if (const std::optional<uint64_t> twice = changes.Duplicate(); twice.has_value()) {
    return Fail(Code::kTemplateInconsistent, AttributeName(*twice) + " stands twice");
  }
  const Kinds kind = KindOfObject(current);
  wire::AttributeList object = current;
  if (copy) object.Remove(CKA_UNIQUE_ID);  // a copy gets its own
  for (const wire::Attribute& change : changes.items) {
    const AttributeRow* row = FindAttribute(change.type, kind);
    if (row == nullptr) return Fail(Code::kAttributeTypeInvalid, AttributeName(change.type));
    KC_CHECK_OK(CheckValue(*row, change.value));
    KC_CHECK_OK(CheckChange(*row, current, change.value, copy, security_officer));
    object.Set(change.type, change.value);
  }
  KC_CHECK_OK(CheckTogether(object));
  return object;
}

bool Matches(const wire::AttributeList& attributes, const wire::AttributeList& match) {
  const uint64_t object_class = attributes.Ulong(CKA_CLASS).value_or(CKO_VENDOR_DEFINED);
  return std::all_of(match.items.begin(), match.items.end(), [&](const wire::Attribute& wanted) {
    if (IsSecretAttribute(wanted.type, object_class)) return false;
    const Bytes* value = attributes.Find(wanted.type);
    return value != nullptr && *value == wanted.value;
  });
}

bool IsSecretAttribute(uint64_t type, uint64_t object_class) {
  const Kinds kinds = object_class == CKO_PRIVATE_KEY  ? kPrivate
                      : object_class == CKO_SECRET_KEY ? kSecret
                                                       : Kinds{0};
  const std::span<const AttributeRow> rows = AllAttributes();
  return std::any_of(rows.begin(), rows.end(), [&](const AttributeRow& row) {
    return row.type == type && (row.objects & kinds) != 0 && row.source == Source::kHidden;
  });
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
