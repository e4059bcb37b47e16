// Type `nitro`: the attestation document of AWS Nitro Enclaves, a COSE_Sign1 ("Attestation
// process", in the documents of aws/aws-nitro-enclaves-nsm-api).
//
// Binding. A session's report data is in `user_data`, and the documents that Keyclave makes carry
// it there. `nonce` would do as well by its size, but it is the field that a relying party fills: a
// program that answers anybody's nonce with a document, as protocols on this hardware commonly do,
// would hand out documents for other people's sessions. The nonce that a file under examination is
// expected to have is compared with `nonce`.
//
// Claims: measurement is PCR0 (the enclave image), signer PCR8 (the image's signing certificate)
// where it is not zero, debug whether PCR0 to PCR2 are all zero, which is how the hypervisor marks
// debug mode. tcb_status is always `up-to-date`: AWS rates no platform and runs its own.
// platform_id is the instance's number, out of module_id, with a zero in front where it has an odd
// number of digits: i-04fd167167daacf3b is 004fd167167daacf3b.

#include "attest/cose.h"
#include "attest/produce/produce.h"
#include "attest/tee_type.h"
#include "enclave/base/cbor.h"

namespace keyclave::attest {
namespace {

constexpr std::string_view kType = "nitro";
constexpr size_t kMaxModuleId = 256;
constexpr size_t kMaxCertificate = 1024;
constexpr size_t kMaxBundle = 32;
// The specification says 512 for user_data and nonce; the device accepts and signs 1024.
constexpr size_t kMaxField = 1024;
constexpr uint64_t kPcrs = 32;
constexpr uint64_t kSignerPcr = 8;
constexpr uint64_t kMaxTimestamp = 253'402'300'799'999;  // ms; the end of year 9999
constexpr std::string_view kInstancePrefix = "i-";

using Pcrs = std::map<uint64_t, Bytes>;

struct Document {
  std::string module_id;
  std::string digest;
  uint64_t timestamp = 0;  // ms since 1970
  Pcrs pcrs;
  std::vector<Certificate> certificate;  // one
  std::vector<Certificate> cabundle;
  // Empty where they are absent, null, or empty: nobody may tell these apart.
  Bytes public_key;
  Bytes user_data;
  Bytes nonce;
};

struct Parsed {
  CoseSign1 message;
  Document document;
};

Result<std::string> TakeText(CborReader& reader, size_t max) {
  KC_ASSIGN(const std::string_view text, reader.Text(max));
  const bool printable =
      std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (text.empty() || !printable) return Fail(Code::kMalformed, "not a printable text");
  return std::string(text);
}

Result<Pcrs> TakePcrs(CborReader& reader) {
  Pcrs pcrs;
  KC_ASSIGN(const auto count, reader.OpenMap(kPcrs));
  for (uint64_t i = 0; count.has_value() ? i < *count : !reader.TakeBreak(); ++i) {
    KC_ASSIGN(const uint64_t index, reader.Uint());
    if (index >= kPcrs) return Fail(Code::kMalformed, "no such PCR");
    KC_ASSIGN(const ByteSpan value, reader.ByteString(64));
    if (value.size() != 32 && value.size() != 48 && value.size() != 64)
      return Fail(Code::kMalformed, "PCR of " + std::to_string(value.size()) + " bytes");
    if (!pcrs.emplace(index, ToBytes(value)).second)
      return Fail(Code::kMalformed, "PCR" + std::to_string(index) + " comes twice");
  }
  // Without them nobody could tell debug mode.
  for (const uint64_t index : {0U, 1U, 2U}) {
    if (pcrs.find(index) == pcrs.end())
      return Fail(Code::kMalformed, "PCR" + std::to_string(index) + " is missing");
  }
  return pcrs;
}

Result<Certificate> TakeCertificate(CborReader& reader) {
  KC_ASSIGN(const ByteSpan der, reader.ByteString(kMaxCertificate));
  return Certificate::FromDer(der);
}

Result<std::vector<Certificate>> TakeBundle(CborReader& reader) {
  KC_ASSIGN(const uint64_t count, reader.Array(kMaxBundle));
  if (count == 0) return Fail(Code::kMalformed, "cabundle is empty");
  std::vector<Certificate> bundle;
  for (uint64_t i = 0; i < count; ++i) {
    KC_ASSIGN(Certificate certificate, TakeCertificate(reader));
    bundle.push_back(std::move(certificate));
  }
  return bundle;
}

Result<Bytes> TakeOptional(CborReader& reader) {
  if (reader.TakeNull()) return Bytes();
  KC_ASSIGN(const ByteSpan bytes, reader.ByteString(kMaxField));
  return ToBytes(bytes);
}

Status TakeModuleId(CborReader& reader, Document& document) {
  KC_ASSIGN(document.module_id, TakeText(reader, kMaxModuleId));
  return Done{};
}
Status TakeDigest(CborReader& reader, Document& document) {
  KC_ASSIGN(document.digest, TakeText(reader, 16));
  if (document.digest != "SHA384") return Fail(Code::kMalformed, "digest is not SHA384");
  return Done{};
}
Status TakeTimestamp(CborReader& reader, Document& document) {
  KC_ASSIGN(document.timestamp, reader.Uint());
  if (document.timestamp > kMaxTimestamp) return Fail(Code::kMalformed, "a time beyond year 9999");
  return Done{};
}

struct Member {
  std::string_view name;
  bool required;
  Status (*take)(CborReader& reader, Document& document);
};

constexpr Member kMembers[] = {
    {"module_id", true, TakeModuleId},
    {"digest", true, TakeDigest},
    {"timestamp", true, TakeTimestamp},
    {"pcrs", true,
     [](CborReader& reader, Document& document) -> Status {
       KC_ASSIGN(document.pcrs, TakePcrs(reader));
       return Done{};
     }},
    {"certificate", true,
     [](CborReader& reader, Document& document) -> Status {
       KC_ASSIGN(Certificate certificate, TakeCertificate(reader));
       document.certificate = {std::move(certificate)};
       return Done{};
     }},
    {"cabundle", true,
     [](CborReader& reader, Document& document) -> Status {
       KC_ASSIGN(document.cabundle, TakeBundle(reader));
       return Done{};
     }},
    {"public_key", false,
     [](CborReader& reader, Document& document) -> Status {
       KC_ASSIGN(document.public_key, TakeOptional(reader));
       return Done{};
     }},
    {"user_data", false,
     [](CborReader& reader, Document& document) -> Status {
       KC_ASSIGN(document.user_data, TakeOptional(reader));
       return Done{};
     }},
    {"nonce", false,
     [](CborReader& reader, Document& document) -> Status {
       KC_ASSIGN(document.nonce, TakeOptional(reader));
       return Done{};
     }},
};

Status TakeMember(CborReader& reader, Document& document, uint32_t& seen) {
  KC_ASSIGN(const std::string_view key, reader.Text(32));
  uint32_t bit = 1;
  for (const Member& member : kMembers) {
    if (member.name == key) {
      if ((seen & bit) != 0) return Fail(Code::kMalformed, std::string(key) + " comes twice");
      seen |= bit;
      auto taken = member.take(reader, document);
      return taken.ok() ? taken : taken.error().In(member.name);
    }
    bit <<= 1;
  }
  return Fail(Code::kMalformed, "a member that is not known");
}

Result<Document> ParseDocument(ByteSpan payload) {
  CborReader reader(payload);
  Document document;
  uint32_t seen = 0;
  KC_ASSIGN(const auto count, reader.OpenMap(std::size(kMembers)));
  for (uint64_t i = 0; count.has_value() ? i < *count : !reader.TakeBreak(); ++i)
    KC_CHECK_OK(TakeMember(reader, document, seen));
  KC_CHECK_OK(reader.ExpectEnd());
  uint32_t bit = 1;
  for (const Member& member : kMembers) {
    if (member.required && (seen & bit) == 0)
      return Fail(Code::kMalformed, std::string(member.name) + " is missing");
    bit <<= 1;
  }
  return document;
}

Result<Parsed> ParseAll(ByteSpan bytes) {
  Parsed parsed;
  KC_ASSIGN(parsed.message, ParseCoseSign1(bytes));
  if (parsed.message.algorithm != CoseAlgorithm::kEs384)
    return Fail(Code::kMalformed, "the algorithm is not ES384");
  KC_ASSIGN(parsed.document, ParseDocument(parsed.message.payload));
  return parsed;
}

Result<std::any> Parse(ByteSpan bytes) {
  auto parsed = ParseAll(bytes);
  if (!parsed.ok()) return Fail(Code::kEvidenceMalformed, "nitro: " + parsed.error().Text());
  return std::any(*std::move(parsed));
}

bool IsZero(ByteSpan bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

// The instance's number; empty if module_id does not begin with one.
std::string InstanceOf(std::string_view module_id) {
  if (!module_id.starts_with(kInstancePrefix)) return {};
  std::string number(module_id.substr(kInstancePrefix.size()));
  number.resize(std::min(number.size(), number.find('-')));
  if (number.size() % 2 != 0) number.insert(number.begin(), '0');
  const auto bytes = FromHex(number);
  return bytes.ok() && !bytes->empty() ? ToHex(*bytes) : std::string();
}

// The certificates were valid when the document says that it was made, too: the enclave's lives
// for three hours, and the document for no longer.
Status CheckTimestamp(const Document& document, const CertificatePath& path) {
  const auto made = static_cast<UnixTime>(document.timestamp / 1000);
  for (const Certificate& certificate : path) {
    if (made >= certificate.not_before() && made <= certificate.not_after()) continue;
    return FailWanted(
        Code::kEvidenceTime, "timestamp against certificate " + certificate.SubjectText(),
        FormatTime(certificate.not_before()) + " to " + FormatTime(certificate.not_after()),
        FormatTime(made));
  }
  return Done{};
}

ClaimSet ClaimsOf(const Document& document) {
  ClaimSet claims;
  claims.Set("tee", std::string(kType));
  claims.Set("measurement", ToHex(document.pcrs.at(0)));
  const auto signer = document.pcrs.find(kSignerPcr);
  if (signer != document.pcrs.end() && !IsZero(signer->second))
    claims.Set("signer", ToHex(signer->second));
  claims.Set("debug", IsZero(document.pcrs.at(0)) && IsZero(document.pcrs.at(1)) &&
                          IsZero(document.pcrs.at(2)));
  claims.Set("tcb_status", std::string("up-to-date"));
  if (std::string instance = InstanceOf(document.module_id); !instance.empty())
    claims.Set("platform_id", std::move(instance));
  for (const auto& [index, value] : document.pcrs)
    claims.Set("nitro.pcr" + std::to_string(index), ToHex(value));
  claims.Set("nitro.module_id", document.module_id);
  claims.Set("nitro.digest", document.digest);
  claims.Set("nitro.timestamp", static_cast<int64_t>(document.timestamp));
  if (!document.public_key.empty()) claims.Set("nitro.public_key", ToHex(document.public_key));
  if (!document.user_data.empty()) claims.Set("nitro.user_data", ToHex(document.user_data));
  if (!document.nonce.empty()) claims.Set("nitro.nonce", ToHex(document.nonce));
  return claims;
}

Result<ClaimSet> Verify(const std::any& parsed, const VerifyContext& context) {
  const auto& evidence = std::any_cast<const Parsed&>(parsed);
  const Document& document = evidence.document;
  const Certificate& leaf = document.certificate.front();
  KC_CHECK_OK(VerifyCoseSign1(evidence.message, leaf.key()));
  KC_ASSIGN(
      const CertificatePath path,
      BuildPath(leaf, document.cabundle, context.trust.RootsFor(kType), {.now = context.now}));
  KC_CHECK_OK(CheckTimestamp(document, path));
  const bool session = context.binding.for_session();
  KC_CHECK_OK(context.binding.Check(session ? document.user_data : document.nonce));
  return ClaimsOf(document);
}

// A COSE_Sign1 whose payload is a map that begins with a member of this name.
bool Recognises(ByteSpan bytes) {
  CborReader reader(bytes);
  reader.TakeTag(18);
  const auto parts = reader.Array(4);
  if (!parts.ok() || !reader.ByteString(16).ok()) return false;
  // Some software writes null for an empty header; that is recognised, though not parsed.
  if (!reader.Map(0).ok() && !reader.TakeNull()) return false;
  const auto payload = reader.ByteString(kMaxEvidence);
  if (!payload.ok()) return false;
  CborReader members(*payload);
  if (!members.OpenMap(std::size(kMembers)).ok()) return false;
  const auto first = members.Text(32);
  return first.ok() && *first == "module_id";
}

void DescribeCertificate(std::vector<Field>& fields, const std::string& name,
                         const Certificate& certificate) {
  fields.push_back({name + ".subject", certificate.SubjectText()});
  fields.push_back({name + ".issuer", certificate.IssuerText()});
  fields.push_back({name + ".not_before", FormatTime(certificate.not_before())});
  fields.push_back({name + ".not_after", FormatTime(certificate.not_after())});
}

std::vector<Field> Describe(const std::any& parsed) {
  const auto& evidence = std::any_cast<const Parsed&>(parsed);
  const Document& document = evidence.document;
  std::vector<Field> fields = {
      {"protected.alg", "ES384 (-35)"},
      {"module_id", document.module_id},
      {"digest", document.digest},
      {"timestamp", std::to_string(document.timestamp)},
      {"timestamp.utc", FormatTime(static_cast<UnixTime>(document.timestamp / 1000))}};
  for (const auto& [index, value] : document.pcrs)
    fields.push_back({"pcrs." + std::to_string(index), ToHex(value)});
  DescribeCertificate(fields, "certificate", document.certificate.front());
  for (size_t i = 0; i < document.cabundle.size(); ++i)
    DescribeCertificate(fields, "cabundle." + std::to_string(i), document.cabundle[i]);
  fields.push_back({"public_key", ToHex(document.public_key)});
  fields.push_back({"user_data", ToHex(document.user_data)});
  fields.push_back({"nonce", ToHex(document.nonce)});
  fields.push_back({"signature", ToHex(evidence.message.signature)});
  return fields;
}

Result<Bytes> Produce(const ReportData& report_data, const ProducerConfig& config,
                      UnixTime /*now*/) {
  return ProduceNitro(report_data, config);
}

}  // namespace

extern const TeeType kNitroTee;
const TeeType kNitroTee = {"nitro", Recognises, Parse, Verify, Describe, Produce};

}  // namespace keyclave::attest
