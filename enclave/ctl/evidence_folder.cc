#include "enclave/ctl/evidence_folder.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "attest/strict_json.h"
#include "attest/tpm/evidence.h"
#include "enclave/base/file.h"

namespace keyclave::ctl {
namespace {

namespace tpm = attest::tpm;

constexpr size_t kMaxFile = size_t{4} << 20;  // bytes

// {"0": "hex", "7": "hex"}, as tpm2_pcrread's output is often kept.
Status ReadPcrs(const Folder& folder, const tpm::Bank& bank, tpm::Evidence& evidence) {
  const std::string name = "pcrs_" + std::string(bank.name) + ".json";
  if (!folder.Has(name)) return Done{};
  KC_ASSIGN(const Bytes bytes, folder.Read(name));
  const auto json = attest::ParseStrictJson(bytes);
  if (!json.ok())
    return Fail(Code::kEvidenceMalformed,
                name + ": wanted an object of register and value: " + json.error().detail());
  for (const auto& [number, value] : json->items()) {
    const bool digits = !number.empty() && number.size() <= 2 &&
                        number.find_first_not_of("0123456789") == std::string::npos;
    if (!digits || !value.is_string())
      return Fail(Code::kEvidenceMalformed, name + ": register " + number);
    auto digest = FromHex(value.get<std::string>());
    if (!digest.ok() || digest->size() != bank.size)
      return Fail(Code::kEvidenceMalformed, name + ": value of register " + number);
    evidence.pcrs[bank.id][static_cast<unsigned>(std::stoul(number))] = *std::move(digest);
  }
  return Done{};
}

Result<std::vector<Bytes>> ReadChain(const Folder& folder, std::string_view name) {
  std::vector<Bytes> chain;
  if (!folder.Has(name)) return chain;
  KC_ASSIGN(const Bytes bytes, folder.Read(name));
  KC_ASSIGN(const auto certificates, attest::Certificate::ListFrom(bytes));
  for (const attest::Certificate& one : certificates) chain.push_back(one.der());
  return chain;
}

Status ReadOptional(const Folder& folder, std::string_view name, Bytes& content) {
  if (!folder.Has(name)) return Done{};
  KC_ASSIGN(content, folder.Read(name));
  return Done{};
}

}  // namespace

bool Folder::Has(std::string_view name) const {
  std::error_code error;
  return std::filesystem::exists(PathOf(name), error);
}

Result<Bytes> Folder::Read(std::string_view name) const { return ReadFile(PathOf(name), kMaxFile); }

Result<Bytes> AssembleTpmEvidence(const Folder& folder) {
  tpm::Evidence evidence;
  for (const std::string_view name : {"quote.attest.bin", "tpm_quote.attest.bin"})
    KC_CHECK_OK(ReadOptional(folder, name, evidence.attest));
  KC_CHECK_OK(ReadOptional(folder, "quote.tpmt_signature.bin", evidence.signature));
  for (const std::string_view name : {"signature.raw.bin", "tpm_quote.rsassa_sha256.sig.bin"}) {
    if (!folder.Has(name)) continue;
    KC_ASSIGN(const Bytes raw, folder.Read(name));
    evidence.signature = tpm::WrapRsassaSha256(raw);
  }
  for (const tpm::Bank& bank : tpm::AllBanks()) KC_CHECK_OK(ReadPcrs(folder, bank, evidence));
  // Files hold all registers; what the quote says nothing of is left out.
  if (const auto attest = tpm::ParseAttest(evidence.attest); attest.ok())
    evidence.pcrs = tpm::OnlySelected(attest->selections, evidence.pcrs);
  if (folder.Has("ak_pub.pem")) {
    KC_ASSIGN(const Bytes pem, folder.Read("ak_pub.pem"));
    KC_ASSIGN(const auto key, attest::PublicKey::FromPem(pem));
    evidence.key = key.spki();
  }
  KC_CHECK_OK(ReadOptional(folder, "ak_cert.der", evidence.certificate));
  KC_ASSIGN(evidence.chain, ReadChain(folder, "ak_chain.pem"));
  KC_CHECK_OK(ReadOptional(folder, "hcl_report.bin", evidence.hcl_report));
  KC_ASSIGN(evidence.hardware_chain, ReadChain(folder, "vcek_chain.pem"));
  if (folder.Has("vcek.der")) {
    KC_ASSIGN(evidence.hardware_chain.emplace_back(), folder.Read("vcek.der"));
  }
  KC_CHECK_OK(ReadOptional(folder, "td_quote.bin", evidence.td_quote));
  return tpm::EncodeEvidence(evidence);
}

}  // namespace keyclave::ctl
