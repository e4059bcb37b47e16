#include "attest/dcap/pck.h"

#include <map>

#include "attest/der.h"

namespace keyclave::attest::dcap {
namespace {

constexpr const char* kSgxExtension = "1.2.840.113741.1.13.1";
// The same, as the content of an OBJECT IDENTIFIER; each field's identifier begins with it.
constexpr ByteArray<9> kPrefix = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};

enum Field : uint8_t {
  kPpid = 1,
  kTcb,
  kPceId,
  kFmspc,
  kSgxType,
  kPlatformInstanceId,
  kConfiguration
};
constexpr uint8_t kComponents = 16;
enum TcbField : uint8_t { kPceSvn = kComponents + 1, kCpuSvn };
enum ConfigurationField : uint8_t { kDynamicPlatform = 1, kCachedKeys, kSmtEnabled };

// The fields of a SEQUENCE OF SEQUENCE {identifier, value} by the last number of the identifier,
// the ones before it being kPrefix and `parent`. What the profile does not know is passed over:
// the certificate's issuer may add to it.
Result<std::map<uint8_t, DerValue>> Fields(ByteSpan content, std::optional<uint8_t> parent) {
  Bytes prefix(kPrefix.begin(), kPrefix.end());
  if (parent.has_value()) prefix.push_back(*parent);
  std::map<uint8_t, DerValue> fields;
  for (DerReader reader(content); !reader.AtEnd();) {
    KC_ASSIGN(const DerValue pair, reader.Take(DerTag::kSequence));
    DerReader parts(pair.content);
    KC_ASSIGN(const DerValue id, parts.Take(DerTag::kObjectIdentifier));
    KC_ASSIGN(const DerValue value, parts.Take());
    if (!parts.AtEnd()) return Fail(Code::kTrailingBytes);
    if (id.content.size() != prefix.size() + 1 || !Equal(id.content.first(prefix.size()), prefix))
      continue;
    if (!fields.emplace(id.content.back(), value).second)
      return Fail(Code::kMalformed, "a field comes twice");
  }
  return fields;
}

Result<DerValue> Get(const std::map<uint8_t, DerValue>& fields, uint8_t field) {
  const auto found = fields.find(field);
  if (found == fields.end())
    return Fail(Code::kMalformed, "field " + std::to_string(field) + " is missing");
  return found->second;
}

template <size_t N>
Result<ByteArray<N>> GetOctets(const std::map<uint8_t, DerValue>& fields, uint8_t field) {
  KC_ASSIGN(const DerValue value, Get(fields, field));
  return DerOctets<N>(value);
}

Result<uint64_t> GetNumber(const std::map<uint8_t, DerValue>& fields, uint8_t field, uint64_t max) {
  KC_ASSIGN(const DerValue value, Get(fields, field));
  return DerNumber(value, max);
}

Status ParseTcb(ByteSpan content, PckPlatform& platform) {
  KC_ASSIGN(const auto fields, Fields(content, kTcb));
  for (uint8_t i = 0; i < kComponents; ++i) {
    KC_ASSIGN(const uint64_t svn, GetNumber(fields, static_cast<uint8_t>(i + 1), UINT8_MAX));
    platform.components.at(i) = static_cast<uint8_t>(svn);
  }
  KC_ASSIGN(const uint64_t pcesvn, GetNumber(fields, kPceSvn, UINT16_MAX));
  platform.pcesvn = static_cast<uint16_t>(pcesvn);
  KC_ASSIGN(platform.cpusvn, GetOctets<16>(fields, kCpuSvn));
  return Done{};
}

Status ParseConfiguration(ByteSpan content, PckPlatform& platform) {
  KC_ASSIGN(const auto fields, Fields(content, kConfiguration));
  const auto take = [&](uint8_t field, std::optional<bool>& into) -> Status {
    const auto found = fields.find(field);
    if (found == fields.end()) return Done{};
    KC_ASSIGN(into, DerBool(found->second));
    return Done{};
  };
  KC_CHECK_OK(take(kDynamicPlatform, platform.dynamic_platform));
  KC_CHECK_OK(take(kCachedKeys, platform.cached_keys));
  return take(kSmtEnabled, platform.smt_enabled);
}

Result<PckPlatform> Parse(ByteSpan extension) {
  DerReader reader(extension);
  KC_ASSIGN(const DerValue whole, reader.Take(DerTag::kSequence));
  if (!reader.AtEnd()) return Fail(Code::kTrailingBytes);
  KC_ASSIGN(const auto fields, Fields(whole.content, std::nullopt));
  PckPlatform platform;
  KC_ASSIGN(platform.ppid, GetOctets<16>(fields, kPpid));
  KC_ASSIGN(const DerValue tcb, Get(fields, kTcb));
  KC_CHECK_OK(ParseTcb(tcb.content, platform));
  KC_ASSIGN(platform.pceid, GetOctets<2>(fields, kPceId));
  KC_ASSIGN(platform.fmspc, GetOctets<6>(fields, kFmspc));
  KC_ASSIGN(const uint64_t type, GetNumber(fields, kSgxType, UINT8_MAX));
  platform.sgx_type = static_cast<uint8_t>(type);
  if (fields.contains(kPlatformInstanceId)) {
    KC_ASSIGN(platform.platform_instance_id, GetOctets<16>(fields, kPlatformInstanceId));
  }
  if (const auto found = fields.find(kConfiguration); found != fields.end())
    KC_CHECK_OK(ParseConfiguration(found->second.content, platform));
  return platform;
}

}  // namespace

std::string_view SgxTypeName(uint8_t sgx_type) {
  constexpr std::array<std::string_view, 3> kNames = {"standard", "scalable",
                                                      "scalable-with-integrity"};
  return sgx_type < kNames.size() ? kNames.at(sgx_type) : "unknown";
}

const Certificate* FindPck(const std::vector<Certificate>& certificates) {
  for (const Certificate& certificate : certificates) {
    if (certificate.Extension(kSgxExtension).has_value()) return &certificate;
  }
  return nullptr;
}

Result<PckPlatform> ParsePckPlatform(const Certificate& pck) {
  const auto extension = pck.Extension(kSgxExtension);
  if (!extension.has_value())
    return Fail(Code::kEvidenceMalformed, pck.SubjectText() + " has no SGX extension");
  auto platform = Parse(*extension);
  if (platform.ok()) return platform;
  return Fail(Code::kEvidenceMalformed,
              "SGX extension of the PCK certificate: " + platform.error().Text());
}

}  // namespace keyclave::attest::dcap
