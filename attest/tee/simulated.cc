#include "attest/tee/simulated.h"

#ifdef KEYCLAVE_SIMULATED

#include "attest/executable.h"
#include "attest/tee_type.h"
#include "enclave/base/byte_reader.h"
#include "enclave/base/cbor.h"
#include "enclave/base/file.h"
#include "enclave/base/hash.h"

namespace keyclave::attest {
namespace {

constexpr std::string_view kLabel = "keyclave/simulated/1";
constexpr std::string_view kPlatformLabel = "keyclave/simulated/platform/1";
constexpr uint64_t kFields = 10;
constexpr size_t kMaxExecutable = 64;
constexpr size_t kMaxDocument = 1024;
constexpr size_t kMaxKeyFile = 16384;
constexpr uint64_t kOwnSvn = 1;

struct Parsed {
  Bytes signed_bytes;
  P256Signature signature{};
  SimulatedDocument document;
};

Status ExpectKey(CborReader& reader, uint64_t key) {
  KC_ASSIGN(const uint64_t found, reader.Uint());
  if (found != key) return Fail(Code::kMalformed, "unexpected field " + std::to_string(found));
  return Done{};
}

template <size_t N>
Result<ByteArray<N>> TakeExactly(CborReader& reader) {
  KC_ASSIGN(const ByteSpan bytes, reader.ByteString(N));
  ByteReader exact(bytes);
  KC_ASSIGN(const ByteArray<N> array, exact.TakeArray<N>());
  return array;
}

Result<SimulatedDocument> ParseDocument(ByteSpan bytes) {
  CborReader reader(bytes);
  SimulatedDocument document;
  KC_ASSIGN(const uint64_t count, reader.Map(kFields));
  if (count != kFields) return Fail(Code::kMalformed, "fields are missing");
  KC_CHECK_OK(ExpectKey(reader, 1));
  KC_ASSIGN(const std::string_view label, reader.Text(kLabel.size()));
  if (label != kLabel) return Fail(Code::kMalformed, "not a document of this version");
  KC_CHECK_OK(ExpectKey(reader, 2));
  KC_ASSIGN(document.root, TakeExactly<32>(reader));
  KC_CHECK_OK(ExpectKey(reader, 3));
  KC_ASSIGN(document.measurement, TakeExactly<32>(reader));
  KC_CHECK_OK(ExpectKey(reader, 4));
  KC_ASSIGN(const std::string_view executable, reader.Text(kMaxExecutable));
  document.executable = executable;
  KC_CHECK_OK(ExpectKey(reader, 5));
  KC_ASSIGN(document.product_id, reader.Uint());
  KC_CHECK_OK(ExpectKey(reader, 6));
  KC_ASSIGN(document.svn, reader.Uint());
  if (document.svn > uint64_t{INT64_MAX}) return Fail(Code::kTooLarge, "svn");
  KC_CHECK_OK(ExpectKey(reader, 7));
  KC_ASSIGN(document.debug, reader.Bool());
  KC_CHECK_OK(ExpectKey(reader, 8));
  KC_ASSIGN(document.platform_id, TakeExactly<32>(reader));
  KC_CHECK_OK(ExpectKey(reader, 9));
  KC_ASSIGN(document.issued, reader.Int());
  KC_CHECK_OK(ExpectKey(reader, 10));
  KC_ASSIGN(document.report_data, TakeExactly<64>(reader));
  KC_CHECK_OK(reader.ExpectEnd());
  return document;
}

Result<Parsed> ParseSigned(ByteSpan bytes) {
  CborReader reader(bytes);
  KC_ASSIGN(const uint64_t count, reader.Array(2));
  if (count != 2) return Fail(Code::kMalformed, "wanted a document and a signature");
  KC_ASSIGN(const ByteSpan signed_bytes, reader.ByteString(kMaxDocument));
  Parsed parsed;
  KC_ASSIGN(parsed.signature, TakeExactly<64>(reader));
  KC_CHECK_OK(reader.ExpectEnd());
  KC_ASSIGN(parsed.document, ParseDocument(signed_bytes));
  parsed.signed_bytes = ToBytes(signed_bytes);
  return parsed;
}

Result<std::any> Parse(ByteSpan bytes) {
  auto parsed = ParseSigned(bytes);
  if (!parsed.ok()) return Fail(Code::kEvidenceMalformed, "simulated: " + parsed.error().Text());
  return std::any(*std::move(parsed));
}

Bytes EncodeDocument(const SimulatedDocument& document) {
  CborWriter writer;
  writer.Map(kFields);
  writer.Uint(1);
  writer.Text(kLabel);
  writer.Uint(2);
  writer.ByteString(document.root);
  writer.Uint(3);
  writer.ByteString(document.measurement);
  writer.Uint(4);
  writer.Text(document.executable);
  writer.Uint(5);
  writer.Uint(document.product_id);
  writer.Uint(6);
  writer.Uint(document.svn);
  writer.Uint(7);
  writer.Bool(document.debug);
  writer.Uint(8);
  writer.ByteString(document.platform_id);
  writer.Uint(9);
  writer.Int(document.issued);
  writer.Uint(10);
  writer.ByteString(document.report_data);
  return std::move(writer).Finish();
}

// The pinned root that the document names; kEvidenceChain if there is none.
Result<P256PublicKey> FindRoot(const SimulatedDocument& document, const Trust& trust) {
  for (const Bytes& spki : trust.simulated_roots) {
    if (Equal(Sha256(spki), document.root)) return P256PublicKey::FromSpki(spki);
  }
  return Fail(Code::kEvidenceChain, "signed by another development root than the configured one");
}

Status CheckTime(UnixTime issued, UnixTime now) {
  // Compared without sums of what a stranger wrote: those could overflow.
  if (issued > now + kSimulatedMaxFuture || issued < now - kSimulatedMaxAge) {
    return Fail(Code::kEvidenceTime, "issued " + FormatTime(issued) + ", now it is " +
                                         FormatTime(now) + "; compare the clocks");
  }
  return Done{};
}

Result<ClaimSet> Verify(const std::any& parsed, const VerifyContext& context) {
  const auto& evidence = std::any_cast<const Parsed&>(parsed);
  const SimulatedDocument& document = evidence.document;
  KC_ASSIGN(const P256PublicKey root, FindRoot(document, context.trust));
  if (!root.Verify(evidence.signed_bytes, evidence.signature))
    return Fail(Code::kEvidenceSignature);
  KC_CHECK_OK(context.binding.Check(document.report_data));
  KC_CHECK_OK(CheckTime(document.issued, context.now));

  ClaimSet claims;
  claims.Set("tee", std::string("simulated"));
  claims.Set("measurement", ToHex(document.measurement));
  claims.Set("signer", ToHex(document.root));
  claims.Set("product_id", std::to_string(document.product_id));
  claims.Set("svn", static_cast<int64_t>(document.svn));
  claims.Set("debug", document.debug);
  claims.Set("tcb_status", std::string("up-to-date"));
  claims.Set("platform_id", ToHex(document.platform_id));
  claims.Set("simulated.executable", document.executable);
  return claims;
}

bool Recognises(ByteSpan bytes) { return ParseSigned(bytes).ok(); }

std::vector<Field> Describe(const std::any& parsed) {
  const SimulatedDocument& document = std::any_cast<const Parsed&>(parsed).document;
  return {{"label", std::string(kLabel)},
          {"root", ToHex(document.root)},
          {"measurement", ToHex(document.measurement)},
          {"executable", document.executable},
          {"product_id", std::to_string(document.product_id)},
          {"svn", std::to_string(document.svn)},
          {"debug", document.debug ? "true" : "false"},
          {"platform_id", ToHex(document.platform_id)},
          {"issued", FormatTime(document.issued)},
          {"report_data", ToHex(document.report_data)}};
}

// The machine's id is not told to others as it is (machine-id(5)).
ByteArray<32> OwnPlatformId() {
  const auto id = ReadFile("/etc/machine-id", 4096);
  ByteWriter fields;
  fields.PutPrefixed(AsBytes(kPlatformLabel));
  fields.PutPrefixed(id.ok() ? ByteSpan(*id) : ByteSpan());
  return Sha256(fields.bytes());
}

Result<P256PrivateKey> ReadRootKey(const std::string& path) {
  if (path.empty())
    return Fail(Code::kEvidenceUnavailable, "no development root is configured (simulated: key)");
  const auto pem = ReadFile(path, kMaxKeyFile);
  if (!pem.ok()) return Fail(Code::kEvidenceUnavailable, pem.error().detail());
  auto key = P256PrivateKey::FromPem(*pem);
  if (!key.ok()) return Fail(Code::kEvidenceUnavailable, path + ": " + key.error().Text());
  return key;
}

Result<Bytes> Produce(const ReportData& report_data, const ProducerConfig& config, UnixTime now) {
  KC_ASSIGN(const P256PrivateKey key, ReadRootKey(config.simulated_key_file));
  KC_ASSIGN(Executable executable, MeasureOwnExecutable());
  SimulatedDocument document;
  document.measurement = executable.measurement;
  document.executable = std::move(executable.name);
  document.svn = kOwnSvn;
  document.platform_id = OwnPlatformId();
  document.issued = now;
  document.report_data = report_data;
  return SignSimulated(std::move(document), key);
}

}  // namespace

Result<Bytes> SignSimulated(SimulatedDocument document, const P256PrivateKey& root) {
  KC_ASSIGN(const P256PublicKey public_key, root.Public());
  KC_ASSIGN(const Bytes spki, public_key.ToSpki());
  document.root = Sha256(spki);
  const Bytes signed_bytes = EncodeDocument(document);
  KC_ASSIGN(const P256Signature signature, root.Sign(signed_bytes));
  CborWriter writer;
  writer.Array(2);
  writer.ByteString(signed_bytes);
  writer.ByteString(signature);
  return std::move(writer).Finish();
}

extern const TeeType kSimulatedTee;
const TeeType kSimulatedTee = {"simulated", Recognises, Parse, Verify, Describe, Produce};

}  // namespace keyclave::attest

#endif  // KEYCLAVE_SIMULATED
