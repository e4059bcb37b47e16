#include "attest/tpm/public_area.h"

#include "enclave/base/byte_reader.h"

namespace keyclave::attest::tpm {
namespace {

constexpr uint32_t kDefaultExponent = 65537;  // what 0 stands for

// A coordinate, filled up to the curve's length: TPMs may leave out leading zeros.
Bytes Padded(const TPM2B_ECC_PARAMETER& number, size_t size) {
  const ByteSpan bytes(number.buffer, std::min<size_t>(number.size, sizeof number.buffer));
  Bytes padded(size > bytes.size() ? size - bytes.size() : 0);
  padded.insert(padded.end(), bytes.begin(), bytes.end());
  return padded;
}

}  // namespace

Result<PublicKey> KeyOf(const TPMT_PUBLIC& area) {
  if (area.type == TPM2_ALG_RSA) {
    const uint32_t exponent = area.parameters.rsaDetail.exponent;
    ByteWriter writer;
    writer.PutBe(exponent == 0 ? kDefaultExponent : exponent);
    const TPM2B_PUBLIC_KEY_RSA& n = area.unique.rsa;
    return PublicKey::FromRsa(ByteSpan(n.buffer, std::min<size_t>(n.size, sizeof n.buffer)),
                              writer.bytes());
  }
  if (area.type != TPM2_ALG_ECC)
    return Fail(Code::kUnsupported, "the TPM's key is neither RSA nor ECC");
  struct Row {
    TPM2_ECC_CURVE curve;
    KeyKind kind;
    size_t size;
  };
  for (const Row& row : {Row{TPM2_ECC_NIST_P256, KeyKind::kEcP256, 32},
                         Row{TPM2_ECC_NIST_P384, KeyKind::kEcP384, 48},
                         Row{TPM2_ECC_NIST_P521, KeyKind::kEcP521, 66}}) {
    if (area.parameters.eccDetail.curveID != row.curve) continue;
    const TPMS_ECC_POINT& point = area.unique.ecc;
    return PublicKey::FromEcPoint(row.kind, Padded(point.x, row.size), Padded(point.y, row.size));
  }
  return Fail(Code::kUnsupported, "the curve of the TPM's key");
}

bool IsAttestationKey(const TPMT_PUBLIC& area) {
  constexpr TPMA_OBJECT kNeeded = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                                  TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_RESTRICTED |
                                  TPMA_OBJECT_SIGN_ENCRYPT;
  return (area.objectAttributes & (kNeeded | TPMA_OBJECT_DECRYPT)) == kNeeded;
}

}  // namespace keyclave::attest::tpm
