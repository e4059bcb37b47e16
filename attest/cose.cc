#include "attest/cose.h"

#include <optional>

#include "enclave/base/cbor.h"

namespace keyclave::attest {
namespace {

constexpr uint64_t kTag = 18;
constexpr uint64_t kAlgorithmLabel = 1;
constexpr size_t kMaxHeader = 16;
constexpr size_t kMaxPayload = size_t{64} << 10;
constexpr size_t kMaxSignature = 132;
constexpr std::string_view kContext = "Signature1";

struct Row {
  CoseAlgorithm algorithm;
  SignatureScheme scheme;
  size_t field;  // bytes of r and of s
};
constexpr Row kRows[] = {{CoseAlgorithm::kEs256, SignatureScheme::kEcdsaP256Sha256, 32},
                         {CoseAlgorithm::kEs384, SignatureScheme::kEcdsaP384Sha384, 48},
                         {CoseAlgorithm::kEs512, SignatureScheme::kEcdsaP521Sha512, 66}};

const Row* RowOf(int64_t algorithm) {
  for (const Row& row : kRows) {
    if (static_cast<int64_t>(row.algorithm) == algorithm) return &row;
  }
  return nullptr;
}

Result<const Row*> ParseHeader(ByteSpan bytes) {
  CborReader reader(bytes);
  KC_ASSIGN(const uint64_t parameters, reader.Map(1));
  if (parameters != 1) return Fail(Code::kMalformed, "the protected header is empty");
  KC_ASSIGN(const uint64_t label, reader.Uint());
  if (label != kAlgorithmLabel)
    return Fail(Code::kMalformed, "the protected header is not the algorithm");
  KC_ASSIGN(const int64_t algorithm, reader.Int());
  KC_CHECK_OK(reader.ExpectEnd());
  const Row* row = RowOf(algorithm);
  if (row == nullptr) return Fail(Code::kMalformed, "COSE algorithm " + std::to_string(algorithm));
  return row;
}

}  // namespace

Result<CoseSign1> ParseCoseSign1(ByteSpan bytes) {
  CborReader reader(bytes);
  reader.TakeTag(kTag);
  KC_ASSIGN(const uint64_t items, reader.Array(4));
  if (items != 4) return Fail(Code::kMalformed, "a COSE_Sign1 has four parts");
  CoseSign1 message;
  KC_ASSIGN(const ByteSpan header, reader.ByteString(kMaxHeader));
  KC_ASSIGN(const Row* row, ParseHeader(header));
  message.protected_header = ToBytes(header);
  message.algorithm = row->algorithm;
  KC_CHECK_OK(reader.Map(0));
  KC_ASSIGN(const ByteSpan payload, reader.ByteString(kMaxPayload));
  message.payload = ToBytes(payload);
  KC_ASSIGN(const ByteSpan signature, reader.ByteString(kMaxSignature));
  if (signature.size() != 2 * row->field)
    return Fail(Code::kMalformed, "the signature has not the algorithm's length");
  message.signature = ToBytes(signature);
  KC_CHECK_OK(reader.ExpectEnd());
  return message;
}

Status VerifyCoseSign1(const CoseSign1& message, const PublicKey& key) {
  const Row* row = RowOf(static_cast<int64_t>(message.algorithm));
  CborWriter to_be_signed;
  to_be_signed.Array(4);
  to_be_signed.Text(kContext);
  to_be_signed.ByteString(message.protected_header);
  to_be_signed.ByteString({});  // nothing external
  to_be_signed.ByteString(message.payload);
  const ByteSpan signature = message.signature;
  return key.VerifyEcdsa(row->scheme, to_be_signed.bytes(), signature.first(row->field),
                         signature.subspan(row->field));
}

}  // namespace keyclave::attest
