// C_SetAttributeValue and C_CopyObject (pkcs11-base-v3.2 §4.1.2, §4.1.3), and what a search
// matches.

#include "enclave/keys/attribute_rules.h"
#include "enclave/keys/attribute_table.h"
#include "enclave/keys/attributes.h"
#include "enclave/wire/pkcs11_numbers.h"

namespace keyclave::keys {
namespace {

using wire::AttributeList;

Error For(Code code, const AttributeRow& row) { return Fail(code, std::string(row.name)); }

// An attribute that repeats what the key itself says: the same value changes nothing, another one
// is wrong ("If there is a mismatch, the command SHALL return CKR_ATTRIBUTE_VALUE_INVALID", base
// §4.9 of CKA_PUBLIC_KEY_INFO; §4.10.2 of CKA_CHECK_VALUE).
Status CheckSame(const AttributeRow& row, const AttributeList& current, const Bytes& value) {
  const Bytes* is = current.Find(row.type);
  if (is != nullptr && *is == value) return Done{};
  return For(Code::kAttributeValueInvalid, row);
}

// Whether an existing object's attribute may take this value.
Status CheckChange(const AttributeRow& row, const AttributeList& current, const Bytes& value,
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
    case Change::kKept:
      if (copy || !wanted || is) return Done{};
      break;
    case Change::kTrust:
      if (!wanted || is || security_officer) return Done{};
      break;
    case Change::kErase:
      // "C_SetAttributeValue may be used to destroy the attribute, by supplying no-value"
      // (§4.10.2).
      if (value.empty()) return Done{};
      return CheckSame(row, current, value);
    case Change::kCopy:
      if (!copy) break;
      // A copy that anyone may see would undo the login that its original asks for.
      if (row.type == CKA_PRIVATE && is && !wanted) {
        return For(Code::kTemplateInconsistent, row);
      }
      return Done{};
    case Change::kSame: return CheckSame(row, current, value);
    case Change::kNo: break;
  }
  return For(Code::kAttributeReadOnly, row);
}

Kinds KindOfObject(const AttributeList& object) {
  const uint64_t object_class = object.Ulong(CKA_CLASS).value_or(CKO_VENDOR_DEFINED);
  const std::optional<uint64_t> type = SubtypeOf(object_class);
  const uint64_t none = CK_UNAVAILABLE_INFORMATION;
  return KindOf(object_class, type.has_value() ? object.Ulong(*type).value_or(none) : none);
}

// Objects that nobody changes. "Trusted certificates cannot be modified" (base §4.6.2): but by the
// security officer, whose trust it is.
Status CheckModifiable(const AttributeList& object, bool security_officer) {
  if (object.Bool(CKA_MODIFIABLE) == false)
    return Fail(Code::kActionProhibited, "CKA_MODIFIABLE is false");
  const bool trusted = object.Ulong(CKA_CLASS) == CKO_CERTIFICATE && object.IsTrue(CKA_TRUSTED);
  if (trusted && !security_officer)
    return Fail(Code::kActionProhibited, "only the security officer changes a trusted certificate");
  return Done{};
}

}  // namespace

Result<AttributeList> ApplyChanges(const AttributeList& current, const AttributeList& changes,
                                   bool copy, bool security_officer) {
  if (copy && current.Bool(CKA_COPYABLE) == false)
    return Fail(Code::kActionProhibited, "CKA_COPYABLE is false");
  if (!copy) KC_CHECK_OK(CheckModifiable(current, security_officer));
  KC_CHECK_OK(CheckNoDuplicate(changes));
  const Kinds kind = KindOfObject(current);
  AttributeList object = current;
  if (copy) object.Remove(CKA_UNIQUE_ID);  // a copy gets its own
  // What the security officer trusted is the certificate as it was.
  const bool other = copy && !changes.items.empty() && !security_officer;
  if (other && (kind & kCertificate) != 0) object.SetBool(CKA_TRUSTED, false);
  const AttributeList before = object;
  for (const wire::Attribute& change : changes.items) {
    KC_ASSIGN(const AttributeRow* row, RowFor(change.type, kind));
    KC_CHECK_OK(CheckValue(*row, change.value));
    KC_CHECK_OK(CheckChange(*row, before, change.value, copy, security_officer));
    object.Set(change.type, change.value);
  }
  KC_CHECK_OK(CheckTogether(object, kind));
  return object;
}

bool Matches(const AttributeList& attributes, const AttributeList& match) {
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

}  // namespace keyclave::keys
