// The PKCS#11 attributes that Keyclave knows: one row per attribute and kind of object, with the
// rules that the specification's tables state by footnotes (pkcs11-base-v3.2 §4, Table 13).
#pragma once

#include <span>

#include "enclave/wire/attributes.h"

namespace keyclave::keys {

enum class ValueKind : uint8_t {
  kUlong,
  kBool,
  kBytes,
  kText,
  kDate,       // empty, or YYYYMMDD
  kUlongList,  // CK_ULONGs one after the other
  kTemplate    // CBOR of an AttributeList
};

// Kinds of objects, as bits.
using Kinds = uint32_t;
inline constexpr Kinds kData = 1;
inline constexpr Kinds kX509 = 2;
inline constexpr Kinds kPublicRsa = 4;
inline constexpr Kinds kPublicEc = 8;  // Edwards and Montgomery curves too
inline constexpr Kinds kPrivateRsa = 16;
inline constexpr Kinds kPrivateEc = 32;
inline constexpr Kinds kSecret = 64;
inline constexpr Kinds kPublicSet = 128;  // ML-DSA, SLH-DSA, ML-KEM
inline constexpr Kinds kPrivateSet = 256;
inline constexpr Kinds kPublic = kPublicRsa | kPublicEc | kPublicSet;
inline constexpr Kinds kPrivate = kPrivateRsa | kPrivateEc | kPrivateSet;
inline constexpr Kinds kPair = kPublic | kPrivate;
inline constexpr Kinds kKey = kPair | kSecret;
// Objects that hold no key from bit 16 up.
inline constexpr Kinds kWtls = 1 << 16;
inline constexpr Kinds kAttributeCertificate = 1 << 17;
inline constexpr Kinds kDsaDomain = 1 << 18;
inline constexpr Kinds kDhDomain = 1 << 19;
inline constexpr Kinds kX942Domain = 1 << 20;
inline constexpr Kinds kTrustObject = 1 << 21;
inline constexpr Kinds kCertificate = kX509 | kWtls | kAttributeCertificate;
inline constexpr Kinds kDomain = kDsaDomain | kDhDomain | kX942Domain;
inline constexpr Kinds kAny = kKey | kData | kCertificate | kDomain | kTrustObject;

// When a template may name the attribute, as bits. (The footnotes "MUST NOT be specified when the
// object is created / generated / unwrapped" are absent bits.)
using Times = uint8_t;
inline constexpr Times kNever = 0;
inline constexpr Times kCreate = 1;
inline constexpr Times kGenerate = 2;
inline constexpr Times kUnwrap = 4;
inline constexpr Times kDerive = 8;
inline constexpr Times kAlways = kCreate | kGenerate | kUnwrap | kDerive;

enum class Change : uint8_t {
  kNo,
  kYes,
  kCopy,   // by C_CopyObject only
  kRises,  // only from false to true
  kFalls,  // only from true to false
  kKept,   // only from true to false; a copy takes either
  kTrust,  // to true by the security officer only
  kSame,   // to the value that it has
  kErase   // to the value that it has, or to empty
};

enum class Default : uint8_t {
  kNone,  // absent unless the template or the key itself gives it
  kEmpty,
  kZero,
  kFalse,
  kTrue,
  kRule  // attributes.cc says
};

// Where the value comes from when both the template and the key itself have it.
enum class Source : uint8_t {
  kTemplate,
  kMade,     // the key's own, in its normal form
  kChecked,  // the key's own; a template that says otherwise is refused
  kHidden    // key material: never among an object's attributes
};

struct AttributeRow {
  uint64_t type;
  std::string_view name;
  ValueKind kind;
  Kinds objects;
  Times settable;
  Times required;  // in the template or the key itself
  Change change;
  Default fallback;
  Source source;
};

// nullptr: objects of this kind have no such attribute.
const AttributeRow* FindAttribute(uint64_t type, Kinds object);
std::span<const AttributeRow> AllAttributes();

// The attribute that divides a class: CKA_KEY_TYPE, CKA_CERTIFICATE_TYPE; nullopt for a class that
// is one kind.
std::optional<uint64_t> SubtypeOf(uint64_t object_class);
// A class that tokens store, whatever its subtype.
bool IsStoredClass(uint64_t object_class);
// CKA_CLASS with its subtype as one bit; 0 for what Keyclave has not.
Kinds KindOf(uint64_t object_class, uint64_t subtype);

// kAttributeValueInvalid, naming the attribute, unless the value has the row's form.
Status CheckValue(const AttributeRow& row, ByteSpan value);

}  // namespace keyclave::keys
