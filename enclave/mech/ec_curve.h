// The elliptic curves of Keyclave, and their two PKCS#11 values: CKA_EC_PARAMS and CKA_EC_POINT.
#pragma once

#include "enclave/base/bytes.h"
#include "enclave/wire/pkcs11_numbers.h"

namespace keyclave::mech {

struct EcCurve {
  const char* group;             // as OpenSSL names it: a group of "EC", or a key algorithm
  std::span<const uint8_t> oid;  // DER of the object identifier: CKA_EC_PARAMS as Keyclave gives it
  std::span<const std::string_view> names;  // accepted as a PrintableString in CKA_EC_PARAMS
  uint64_t key_type;                        // CKK_EC, CKK_EC_EDWARDS, CKK_EC_MONTGOMERY
  size_t field_bytes;  // of a coordinate; of the whole public key on Edwards and Montgomery curves
  size_t order_bytes;  // of a private value, and of each half of an ECDSA signature
  size_t bits;         // of the order, as CK_MECHANISM_INFO counts key sizes
};

std::span<const EcCurve> AllCurves();
// From CKA_EC_PARAMS: an object identifier or a PrintableString. kCurveUnsupported for another
// curve, kDomainParamsInvalid for what is not DER of ECParameters, kAttributeValueInvalid for
// implicitCurve.
Result<const EcCurve*> ParseEcParams(ByteSpan ec_params);
// By OpenSSL's name of the group; nullptr for a curve that Keyclave does not offer.
const EcCurve* FindCurve(std::string_view group);

// CKA_EC_POINT, either DER OCTET STRING or the bare point (pkcs11-curr-v3.0 §2.3.3 asks for the
// first; clients send both). For CKK_EC the point may be compressed. The result is the bare point.
// kAttributeValueInvalid.
Result<Bytes> ParseEcPoint(const EcCurve& curve, ByteSpan ec_point);
Result<Bytes> EncodeEcPoint(ByteSpan point);  // DER OCTET STRING

}  // namespace keyclave::mech
