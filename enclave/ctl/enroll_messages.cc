#include "enclave/ctl/enroll_messages.h"

#include <algorithm>

#include "attest/tpm/enrolled_key.h"
#include "enclave/base/cbor.h"

namespace keyclave::ctl {
namespace {

using attest::tpm::kMaxCredential;
using attest::tpm::kMaxEncryptedSecret;
using attest::tpm::kMaxPublicArea;

constexpr std::string_view kRequest = "keyclave/enroll-tpm-request/1";
constexpr std::string_view kChallenge = "keyclave/enroll-tpm-challenge/1";
constexpr std::string_view kAnswer = "keyclave/enroll-tpm-answer/1";
constexpr std::string_view kKept = "keyclave/enroll-tpm-kept/1";
constexpr size_t kMaxLabel = 64;
constexpr size_t kMaxCertificate = 4096;
constexpr size_t kMaxKey = 1024;
constexpr size_t kMaxKind = 16;

Bytes EncodeParts(std::string_view label, std::initializer_list<ByteSpan> parts) {
  CborWriter writer;
  writer.Array(1 + parts.size());
  writer.Text(label);
  for (const ByteSpan part : parts) writer.ByteString(part);
  return std::move(writer).Finish();
}

// As many parts as there are limits, none empty and none above its limit.
Result<std::vector<Bytes>> ParseParts(ByteSpan bytes, std::string_view label,
                                      std::initializer_list<size_t> limits) {
  if (bytes.size() > kMaxEnrollMessage) return Fail(Code::kTooLarge);
  CborReader reader(bytes);
  KC_ASSIGN(const uint64_t count, reader.Array(1 + 4));
  KC_ASSIGN(const std::string_view got, reader.Text(kMaxLabel));
  if (got != label)
    return FailWanted(Code::kMalformed, "another file", std::string(label), std::string(got));
  if (count != 1 + limits.size()) return Fail(Code::kMalformed, "number of parts");
  std::vector<Bytes> parts;
  for (const size_t limit : limits) {
    KC_ASSIGN(const ByteSpan part, reader.ByteString(limit));
    if (part.empty()) return Fail(Code::kMalformed, "an empty part");
    parts.push_back(ToBytes(part));
  }
  KC_CHECK_OK(reader.ExpectEnd());
  return parts;
}

Result<ByteArray<32>> ProofFrom(const Bytes& part) {
  ByteArray<32> proof{};
  if (part.size() != proof.size()) return Fail(Code::kMalformed, "size of the proof");
  std::copy(part.begin(), part.end(), proof.begin());
  return proof;
}

}  // namespace

Bytes Encode(const EnrollRequest& message) {
  return EncodeParts(kRequest, {message.ek_certificate, message.area});
}

Bytes Encode(const EnrollChallenge& message) {
  return EncodeParts(kChallenge,
                     {message.credential.identity, message.credential.secret, message.kind});
}

Bytes Encode(const EnrollAnswer& message) { return EncodeParts(kAnswer, {message.proof}); }

Bytes Encode(const EnrollKept& message) { return EncodeParts(kKept, {message.proof, message.key}); }

Result<EnrollRequest> ParseEnrollRequest(ByteSpan bytes) {
  KC_ASSIGN(std::vector<Bytes> parts,
            ParseParts(bytes, kRequest, {kMaxCertificate, kMaxPublicArea}));
  return EnrollRequest{std::move(parts[0]), std::move(parts[1])};
}

Result<EnrollChallenge> ParseEnrollChallenge(ByteSpan bytes) {
  KC_ASSIGN(std::vector<Bytes> parts,
            ParseParts(bytes, kChallenge, {kMaxCredential, kMaxEncryptedSecret, kMaxKind}));
  return EnrollChallenge{{std::move(parts[0]), std::move(parts[1])}, std::move(parts[2])};
}

Result<EnrollAnswer> ParseEnrollAnswer(ByteSpan bytes) {
  EnrollAnswer answer;
  KC_ASSIGN(const std::vector<Bytes> parts, ParseParts(bytes, kAnswer, {answer.proof.size()}));
  KC_ASSIGN(answer.proof, ProofFrom(parts[0]));
  return answer;
}

Result<EnrollKept> ParseEnrollKept(ByteSpan bytes) {
  EnrollKept kept;
  KC_ASSIGN(std::vector<Bytes> parts, ParseParts(bytes, kKept, {kept.proof.size(), kMaxKey}));
  KC_ASSIGN(kept.proof, ProofFrom(parts[0]));
  kept.key = std::move(parts[1]);
  return kept;
}

}  // namespace keyclave::ctl
