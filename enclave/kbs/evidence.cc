#include "enclave/kbs/evidence.h"

#include <nlohmann/json.hpp>

#include "attest/snp/certificate_table.h"
#include "attest/strict_json.h"

namespace keyclave::kbs {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxCertificate = size_t{16} << 10;  // bytes
constexpr size_t kMaxCertificates = 16;

Result<Bytes> QuoteOf(const Json& json) {
  const auto text = attest::TextMember(json, "quote");
  if (!text) return Fail(Code::kMalformed, "evidence without a quote");
  return FromBase64(*text);
}

Result<Bytes> BytesOf(const Json& json) {
  if (!json.is_array() || json.size() > kMaxCertificate)
    return Fail(Code::kMalformed, "a certificate's data is no list of bytes, or too long a one");
  Bytes bytes;
  for (const Json& one : json) {
    if (!one.is_number_unsigned() || one.get<uint64_t>() > 0xff)
      return Fail(Code::kMalformed, "a certificate's data holds what is no byte");
    bytes.push_back(one.get<uint8_t>());
  }
  return bytes;
}

// What is no certificate of AMD's chain is left out; of two of a kind the first counts, as there.
Result<Bytes> TableOf(const Json& chain) {
  if (!chain.is_array() || chain.size() > kMaxCertificates)
    return Fail(Code::kMalformed, "cert_chain is no list, or too long a one");
  constexpr std::string_view kNames[] = {"VCEK", "VLEK", "ASK", "ARK"};
  std::vector<attest::SnpTableEntry> entries;
  for (const Json& one : chain) {
    const auto type = attest::TextMember(one, "cert_type");
    const auto* const name = std::find(std::begin(kNames), std::end(kNames), type.value_or(""));
    if (name == std::end(kNames)) continue;
    const bool there = std::any_of(entries.begin(), entries.end(),
                                   [&](const auto& entry) { return entry.name == *name; });
    if (there) continue;
    if (!one.contains("data")) return Fail(Code::kMalformed, "a certificate without data");
    KC_ASSIGN(Bytes data, BytesOf(one.at("data")));
    entries.push_back({.name = *name, .guid = {}, .bytes = std::move(data)});
  }
  if (entries.empty()) return Bytes();
  return attest::EncodeSnpTable(entries);
}

Result<Bytes> SnpEvidence(const Json& json) {
  if (!json.is_object() || !json.contains("attestation_report"))
    return Fail(Code::kMalformed, "evidence without an attestation_report");
  KC_ASSIGN(Bytes bytes, SnpReportBytes(json.at("attestation_report")));
  const auto chain = json.find("cert_chain");
  if (chain == json.end() || chain->is_null()) return bytes;
  KC_ASSIGN(const Bytes table, TableOf(*chain));
  bytes.insert(bytes.end(), table.begin(), table.end());
  return bytes;
}

struct Tee {
  std::string_view name;
  std::string_view type;
  Result<Bytes> (*bytes)(const Json&);
};
constexpr Tee kTees[] = {
    {"snp", "sev-snp", SnpEvidence}, {"tdx", "tdx", QuoteOf}, {"sgx", "sgx", QuoteOf}};

const Tee* FindTee(std::string_view name) {
  const auto* const found = std::find_if(std::begin(kTees), std::end(kTees),
                                         [&](const Tee& tee) { return tee.name == name; });
  return found == std::end(kTees) ? nullptr : found;
}

}  // namespace

bool IsKnownTee(std::string_view tee) { return FindTee(tee) != nullptr; }

Result<Evidence> ParseEvidence(std::string_view tee, const Json& json) {
  const Tee* known = FindTee(tee);
  if (known == nullptr) return Fail(Code::kUnsupported, "evidence of " + std::string(tee));
  KC_ASSIGN(Bytes bytes, known->bytes(json));
  return Evidence{.type = std::string(known->type), .bytes = std::move(bytes)};
}

}  // namespace keyclave::kbs
