#include "enclave/mech/ec_curve.h"

#include <openssl/asn1.h>

#include "enclave/base/byte_reader.h"
#include "enclave/mech/evp.h"

namespace keyclave::mech {
namespace {

constexpr uint8_t kP256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
constexpr uint8_t kP384[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};
constexpr uint8_t kP521[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23};
constexpr uint8_t kK256[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a};
constexpr uint8_t kEd25519[] = {0x06, 0x03, 0x2b, 0x65, 0x70};
constexpr uint8_t kEd448[] = {0x06, 0x03, 0x2b, 0x65, 0x71};
constexpr uint8_t kX25519[] = {0x06, 0x03, 0x2b, 0x65, 0x6e};
constexpr uint8_t kX448[] = {0x06, 0x03, 0x2b, 0x65, 0x6f};
constexpr uint8_t kSm2[] = {0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d};
constexpr std::string_view kP256Names[] = {"secp256r1", "prime256v1", "P-256"};
constexpr std::string_view kP384Names[] = {"secp384r1", "P-384"};
constexpr std::string_view kP521Names[] = {"secp521r1", "P-521"};
constexpr std::string_view kK256Names[] = {"secp256k1"};
constexpr std::string_view kEd25519Names[] = {"edwards25519", "Ed25519"};
constexpr std::string_view kEd448Names[] = {"edwards448", "Ed448"};
constexpr std::string_view kX25519Names[] = {"curve25519", "X25519"};
constexpr std::string_view kX448Names[] = {"curve448", "X448"};
constexpr std::string_view kSm2Names[] = {"sm2p256v1", "SM2"};

constexpr EcCurve kCurves[] = {
    {"prime256v1", kP256, kP256Names, CKK_EC, 32, 32, 256},
    {"secp384r1", kP384, kP384Names, CKK_EC, 48, 48, 384},
    {"secp521r1", kP521, kP521Names, CKK_EC, 66, 66, 521},
    {"secp256k1", kK256, kK256Names, CKK_EC, 32, 32, 256},
    {"ED25519", kEd25519, kEd25519Names, CKK_EC_EDWARDS, 32, 32, 255},
    {"ED448", kEd448, kEd448Names, CKK_EC_EDWARDS, 57, 57, 448},
    {"X25519", kX25519, kX25519Names, CKK_EC_MONTGOMERY, 32, 32, 255},
    {"X448", kX448, kX448Names, CKK_EC_MONTGOMERY, 56, 56, 448},
    {"SM2", kSm2, kSm2Names, kCkkSm2, 32, 32, 256},
};

// Other ways in which clients name a curve; the key says CKA_EC_PARAMS in its own.
struct Alias {
  std::span<const uint8_t> ec_params;
  const char* group;
};
// 1.3.6.1.4.1.11591.15.1 and 1.3.6.1.4.1.3029.1.5.1, from before RFC 8410: OpenPGP's.
constexpr uint8_t kOpenPgpEd25519[] = {0x06, 0x09, 0x2b, 0x06, 0x01, 0x04,
                                       0x01, 0xda, 0x47, 0x0f, 0x01};
constexpr uint8_t kOpenPgpX25519[] = {0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04,
                                      0x01, 0x97, 0x55, 0x01, 0x05, 0x01};
// pkcs11-tool 0.23: the PrintableString "curve25519" of a length that is one too many.
constexpr uint8_t kOpenscX25519[] = {0x13, 0x0b, 'c', 'u', 'r', 'v', 'e', '2', '5', '5', '1', '9'};
constexpr Alias kAliases[] = {
    {kOpenPgpEd25519, "ED25519"},
    {kOpenPgpX25519, "X25519"},
    {kOpenscX25519, "X25519"},
};

constexpr uint8_t kTagNull = 0x05;
constexpr uint8_t kTagOid = 0x06;
constexpr uint8_t kTagPrintableString = 0x13;
constexpr uint8_t kTagSequence = 0x30;

// A bare point has one of a few lengths, so it is known by its length; DER is always longer.
bool IsBarePoint(const EcCurve& curve, ByteSpan point) {
  const bool plain = curve.key_type == CKK_EC_EDWARDS || curve.key_type == CKK_EC_MONTGOMERY;
  if (plain) return point.size() == curve.field_bytes;
  if (point.size() == 1 + 2 * curve.field_bytes) return point.front() == 0x04;
  return point.size() == 1 + curve.field_bytes && (point.front() == 0x02 || point.front() == 0x03);
}

}  // namespace

std::span<const EcCurve> AllCurves() { return std::span(kCurves); }

const EcCurve* FindCurve(std::string_view group) {
  for (const EcCurve& curve : kCurves) {
    if (curve.group == group) return &curve;
  }
  return nullptr;
}

Result<const EcCurve*> ParseEcParams(ByteSpan ec_params) {
  for (const EcCurve& curve : kCurves) {
    if (Equal(curve.oid, ec_params)) return &curve;
  }
  for (const Alias& alias : kAliases) {
    if (Equal(alias.ec_params, ec_params)) return FindCurve(alias.group);
  }
  ByteReader in(ec_params);
  const Result<uint8_t> tag = in.TakeLe<uint8_t>();
  const Result<uint8_t> length = in.TakeLe<uint8_t>();
  // Every choice that Keyclave knows has a one-byte length.
  const bool whole = tag.ok() && length.ok() && *length < 0x80 && in.remaining() == *length;
  if (tag.ok() && *tag == kTagSequence) {
    return Fail(Code::kCurveUnsupported, "CKA_EC_PARAMS with explicit parameters");
  }
  if (!whole) return Fail(Code::kDomainParamsInvalid, "CKA_EC_PARAMS is not DER");
  if (*tag == kTagNull) return Fail(Code::kCurveUnsupported, "CKA_EC_PARAMS is implicitCurve");
  if (*tag == kTagPrintableString) {
    const std::string_view name = AsText(in.rest());
    for (const EcCurve& curve : kCurves) {
      if (std::find(curve.names.begin(), curve.names.end(), name) != curve.names.end()) {
        return &curve;
      }
    }
    return Fail(Code::kCurveUnsupported, "CKA_EC_PARAMS names another curve");
  }
  if (*tag == kTagOid && *length > 0) return Fail(Code::kCurveUnsupported, "CKA_EC_PARAMS");
  return Fail(Code::kDomainParamsInvalid, "CKA_EC_PARAMS is no ECParameters");
}

Result<Bytes> ParseEcPoint(const EcCurve& curve, ByteSpan ec_point) {
  if (IsBarePoint(curve, ec_point)) return ToBytes(ec_point);
  const uint8_t* next = ec_point.data();
  const OctetString octets(
      d2i_ASN1_OCTET_STRING(nullptr, &next, static_cast<long>(ec_point.size())));
  if (octets == nullptr || next != ec_point.data() + ec_point.size()) {
    return OpensslError(Code::kAttributeValueInvalid, "CKA_EC_POINT is not DER");
  }
  const ByteSpan point = FromC(ASN1_STRING_get0_data(octets.get()),
                               static_cast<size_t>(ASN1_STRING_length(octets.get())));
  if (!IsBarePoint(curve, point)) {
    return Fail(Code::kAttributeValueInvalid, "CKA_EC_POINT has the wrong length for its curve");
  }
  return ToBytes(point);
}

Result<Bytes> EncodeEcPoint(ByteSpan point) {
  const OctetString octets(ASN1_OCTET_STRING_new());
  if (octets == nullptr ||
      ASN1_OCTET_STRING_set(octets.get(), point.data(), static_cast<int>(point.size())) != 1) {
    return OpensslError("EC point");
  }
  const int size = i2d_ASN1_OCTET_STRING(octets.get(), nullptr);
  if (size <= 0) return OpensslError("EC point");
  Bytes der(static_cast<size_t>(size));
  uint8_t* next = der.data();
  if (i2d_ASN1_OCTET_STRING(octets.get(), &next) != size) return OpensslError("EC point");
  return der;
}

}  // namespace keyclave::mech
