#include "attest/tpm/signature.h"

#include "enclave/base/byte_reader.h"

namespace keyclave::attest::tpm {
namespace {

// TPM_ALG_ID.
constexpr uint16_t kSha1 = 0x0004;
constexpr uint16_t kSha256 = 0x000b;
constexpr uint16_t kSha384 = 0x000c;
constexpr uint16_t kSha512 = 0x000d;
constexpr uint16_t kRsassa = 0x0014;
constexpr uint16_t kRsapss = 0x0016;
constexpr uint16_t kEcdsa = 0x0018;

constexpr size_t kMaxRsa = 512;    // bytes: RSA 4096
constexpr size_t kMaxNumber = 66;  // bytes: P-521
constexpr unsigned kMinRsaBits = 2048;

struct SchemeRow {
  uint16_t algorithm;
  uint16_t hash;
  std::string_view text;
  // Absent: refused by name.
  std::optional<SignatureScheme> scheme;
  HashAlgorithm digest;
};

// The schemes by TPM_ALG_IDs. For ECDSA the hash fixes the curve: SHA-256 is not for P-384.
constexpr SchemeRow kSchemes[] = {
    {kRsassa, kSha1, "RSASSA SHA-1", std::nullopt, HashAlgorithm::kSha1},
    {kRsassa, kSha256, "RSASSA SHA-256", SignatureScheme::kRsaPkcs1Sha256, HashAlgorithm::kSha256},
    {kRsassa, kSha384, "RSASSA SHA-384", SignatureScheme::kRsaPkcs1Sha384, HashAlgorithm::kSha384},
    {kRsassa, kSha512, "RSASSA SHA-512", SignatureScheme::kRsaPkcs1Sha512, HashAlgorithm::kSha512},
    {kRsapss, kSha1, "RSAPSS SHA-1", std::nullopt, HashAlgorithm::kSha1},
    {kRsapss, kSha256, "RSAPSS SHA-256", SignatureScheme::kRsaPssSha256, HashAlgorithm::kSha256},
    {kRsapss, kSha384, "RSAPSS SHA-384", SignatureScheme::kRsaPssSha384, HashAlgorithm::kSha384},
    {kRsapss, kSha512, "RSAPSS SHA-512", SignatureScheme::kRsaPssSha512, HashAlgorithm::kSha512},
    {kEcdsa, kSha1, "ECDSA SHA-1", std::nullopt, HashAlgorithm::kSha1},
    {kEcdsa, kSha256, "ECDSA SHA-256", SignatureScheme::kEcdsaP256Sha256, HashAlgorithm::kSha256},
    {kEcdsa, kSha384, "ECDSA SHA-384", SignatureScheme::kEcdsaP384Sha384, HashAlgorithm::kSha384},
    {kEcdsa, kSha512, "ECDSA SHA-512", SignatureScheme::kEcdsaP521Sha512, HashAlgorithm::kSha512},
};

const SchemeRow* FindScheme(const Signature& signature) {
  for (const SchemeRow& row : kSchemes) {
    if (row.algorithm == signature.algorithm && row.hash == signature.hash) return &row;
  }
  return nullptr;
}

}  // namespace

Result<Signature> ParseSignature(ByteSpan bytes) {
  if (bytes.size() > kMaxSignature) return Fail(Code::kTooLarge, "TPMT_SIGNATURE");
  ByteReader reader(bytes);
  Signature signature;
  KC_ASSIGN(signature.algorithm, reader.TakeBe<uint16_t>());
  KC_ASSIGN(signature.hash, reader.TakeBe<uint16_t>());
  if (FindScheme(signature) == nullptr)
    return Fail(Code::kMalformed, "signature scheme " + std::to_string(signature.algorithm) +
                                      " with hash " + std::to_string(signature.hash));
  if (signature.algorithm == kEcdsa) {
    KC_ASSIGN(const ByteSpan r, reader.TakePrefixedBe<uint16_t>(kMaxNumber));
    KC_ASSIGN(const ByteSpan s, reader.TakePrefixedBe<uint16_t>(kMaxNumber));
    signature.r = ToBytes(r);
    signature.s = ToBytes(s);
  } else {
    KC_ASSIGN(const ByteSpan rsa, reader.TakePrefixedBe<uint16_t>(kMaxRsa));
    signature.rsa = ToBytes(rsa);
  }
  KC_CHECK_OK(reader.ExpectEnd());
  return signature;
}

std::string SchemeText(const Signature& signature) {
  const SchemeRow* row = FindScheme(signature);
  return row == nullptr ? "?" : std::string(row->text);
}

Bytes WrapRsassaSha256(ByteSpan raw) {
  ByteWriter writer;
  writer.PutBe(kRsassa);
  writer.PutBe(kSha256);
  writer.PutBe(static_cast<uint16_t>(std::min<size_t>(raw.size(), UINT16_MAX)));
  writer.Put(raw);
  return std::move(writer).Finish();
}

Result<HashAlgorithm> VerifySignature(const Signature& signature, const PublicKey& key,
                                      ByteSpan message) {
  const SchemeRow* row = FindScheme(signature);
  if (row == nullptr || !row->scheme.has_value())
    return Fail(Code::kEvidenceSignature, SchemeText(signature) + " is not accepted");
  if (key.kind() == KeyKind::kRsa && key.bits() < kMinRsaBits)
    return FailWanted(Code::kEvidenceSignature, "attestation key",
                      "RSA of " + std::to_string(kMinRsaBits) + " bits or more",
                      std::to_string(key.bits()) + " bits");
  if (signature.algorithm == kEcdsa) {
    KC_CHECK_OK(key.VerifyEcdsa(*row->scheme, message, signature.r, signature.s));
  } else {
    KC_CHECK_OK(key.Verify(*row->scheme, message, signature.rsa));
  }
  return row->digest;
}

}  // namespace keyclave::attest::tpm
