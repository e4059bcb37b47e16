#include "attest/tpm/enrolled_key.h"

#include "enclave/base/byte_reader.h"

namespace keyclave::attest::tpm {
namespace {

// TPM_ALG_ID, TPM_ECC_CURVE.
constexpr uint16_t kSha256 = 0x000b;
constexpr uint16_t kNull = 0x0010;
constexpr uint16_t kEcdsa = 0x0018;
constexpr uint16_t kEcc = 0x0023;
constexpr uint16_t kP256 = 0x0003;
constexpr size_t kCoordinate = 32;  // bytes

struct Attribute {
  uint32_t bit;
  std::string_view name;
};
constexpr Attribute kAttributes[] = {
    {0x0000'0002, "fixedTPM"},     {0x0000'0004, "stClear"},
    {0x0000'0010, "fixedParent"},  {0x0000'0020, "sensitiveDataOrigin"},
    {0x0000'0040, "userWithAuth"}, {0x0000'0080, "adminWithPolicy"},
    {0x0000'0400, "noDA"},         {0x0000'0800, "encryptedDuplication"},
    {0x0001'0000, "restricted"},   {0x0002'0000, "decrypt"},
    {0x0004'0000, "sign"},         {0x0008'0000, "x509sign"},
};

std::string AttributesText(uint32_t attributes) {
  std::string text;
  for (const Attribute& one : kAttributes) {
    if ((attributes & one.bit) == 0) continue;
    text.append(text.empty() ? "" : " ").append(one.name);
    attributes &= ~one.bit;
  }
  return attributes == 0 ? text : text + " and reserved ones";
}

Status Expect(ByteReader& reader, uint16_t wanted, std::string_view what) {
  KC_ASSIGN(const uint16_t got, reader.TakeBe<uint16_t>());
  if (got == wanted) return Done{};
  return FailWanted(Code::kMalformed, "attestation key: " + std::string(what),
                    std::to_string(wanted), std::to_string(got));
}

Result<Bytes> TakeCoordinate(ByteReader& reader) {
  KC_ASSIGN(const ByteSpan taken, reader.TakePrefixedBe<uint16_t>(kCoordinate));
  Bytes padded(kCoordinate - taken.size());
  padded.insert(padded.end(), taken.begin(), taken.end());
  return padded;
}

}  // namespace

Bytes EnrolledArea(ByteSpan x, ByteSpan y) {
  ByteWriter writer;
  writer.PutBe(kEcc);
  writer.PutBe(kSha256);
  writer.PutBe(kEnrolledAttributes);
  writer.PutBe(uint16_t{0});  // no policy
  for (const uint16_t parameter : {kNull, kEcdsa, kSha256, kP256, kNull}) writer.PutBe(parameter);
  for (const ByteSpan coordinate : {x, y}) {
    writer.PutBe(static_cast<uint16_t>(coordinate.size()));
    writer.Put(coordinate);
  }
  return std::move(writer).Finish();
}

Result<EnrolledKey> ParseEnrolledArea(ByteSpan area) {
  ByteReader reader(area);
  KC_CHECK_OK(Expect(reader, kEcc, "type (TPM_ALG_ID)"));
  KC_CHECK_OK(Expect(reader, kSha256, "hash of its name"));
  KC_ASSIGN(const uint32_t attributes, reader.TakeBe<uint32_t>());
  if (attributes != kEnrolledAttributes)
    return FailWanted(Code::kMalformed, "attestation key: attributes",
                      AttributesText(kEnrolledAttributes), AttributesText(attributes));
  KC_CHECK_OK(Expect(reader, 0, "size of its policy"));
  KC_CHECK_OK(Expect(reader, kNull, "symmetric algorithm"));
  KC_CHECK_OK(Expect(reader, kEcdsa, "scheme"));
  KC_CHECK_OK(Expect(reader, kSha256, "hash of its scheme"));
  KC_CHECK_OK(Expect(reader, kP256, "curve"));
  KC_CHECK_OK(Expect(reader, kNull, "key derivation"));
  KC_ASSIGN(const Bytes x, TakeCoordinate(reader));
  KC_ASSIGN(const Bytes y, TakeCoordinate(reader));
  KC_CHECK_OK(reader.ExpectEnd());
  KC_ASSIGN(PublicKey key, PublicKey::FromEcPoint(KeyKind::kEcP256, x, y));
  ByteWriter name;
  name.PutBe(kSha256);
  name.Put(Sha256(area));
  return EnrolledKey{std::move(key), std::move(name).Finish()};
}

}  // namespace keyclave::attest::tpm
