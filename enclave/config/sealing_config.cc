#include "enclave/config/sealing_config.h"

#include "attest/produce/occlum.h"
#include "attest/produce/produce.h"
#include "attest/tpm/pcr_choice.h"

namespace keyclave::config {
namespace {

struct Row {
  SealingBy by;
  std::string_view name;
};
constexpr Row kAll[] = {{SealingBy::kFile, "file"},
                        {SealingBy::kGramine, "gramine"},
                        {SealingBy::kOcclum, "occlum"},
                        {SealingBy::kSevSnp, "sev-snp"},
                        {SealingBy::kTpm, "tpm"}};

bool IsSgx(SealingBy by) { return by == SealingBy::kGramine || by == SealingBy::kOcclum; }

// A TD has no key of its own to seal with, and the TPM that it sees may be a program of its host's:
// whoever knows that it is not must say so.
std::optional<SealingBy> DefaultOf(std::string_view tee, const attest::ProducerConfig& producer) {
  if (tee == "simulated") return SealingBy::kFile;
  if (tee == "sev-snp") return SealingBy::kSevSnp;
  if (tee == "tpm") return SealingBy::kTpm;
  if (tee != "sgx") return std::nullopt;
  attest::Io io(attest::HostOf(producer));
  return attest::OpenOcclum(io) ? SealingBy::kOcclum : SealingBy::kGramine;
}

Result<SealingBy> ReadBy(const YamlValue& value, std::string_view tee) {
  KC_ASSIGN(const std::string name, value.AsText());
  std::string known;
  for (const Row& row : kAll) {
    known.append(known.empty() ? "" : ", ").append(row.name);
    if (row.name != name) continue;
    if (row.by == SealingBy::kFile && tee != "simulated")
      return value.Bad(
          "file is only for tee: simulated: it protects the keys from nobody who has "
          "root");
    return row.by;
  }
  return value.Bad("must be one of: " + known);
}

Result<attest::SgxIdentity> ReadIdentity(const YamlValue& value) {
  KC_ASSIGN(const std::string text, value.AsText());
  if (text == "build") return attest::SgxIdentity::kEnclave;
  if (text == "product") return attest::SgxIdentity::kSigner;
  return value.Bad(
      "must be build (this enclave only) or product (every enclave of its signer and "
      "product id)");
}

}  // namespace

std::string_view SealingName(SealingBy by) {
  for (const Row& row : kAll) {
    if (row.by == by) return row.name;
  }
  return "?";
}

Result<SealingConfig> ReadSealing(YamlMap& map, std::string_view tee,
                                  const attest::ProducerConfig& producer) {
  SealingConfig sealing;
  sealing.pcrs = producer.tpm.pcrs;
  const auto value = map.Take("sealing");
  if (!value) {
    const auto by = DefaultOf(tee, producer);
    if (!by)
      return Fail(Code::kConfigMissingKey,
                  map.Where() + ": tee: " + std::string(tee) +
                      " has no key of its own to seal with; say sealing: tpm if it has a TPM that "
                      "its host cannot read");
    sealing.by = *by;
    return sealing;
  }
  if (value->IsScalar()) {
    KC_ASSIGN(sealing.by, ReadBy(*value, tee));
    return sealing;
  }
  KC_ASSIGN(YamlMap entries, value->AsMap());
  KC_ASSIGN(const YamlValue by, entries.Require("by"));
  KC_ASSIGN(sealing.by, ReadBy(by, tee));
  if (const auto to = entries.Take("to")) {
    if (!IsSgx(sealing.by)) return to->Bad("is only for gramine and occlum");
    KC_ASSIGN(sealing.sgx_identity, ReadIdentity(*to));
  }
  if (const auto pcrs = entries.Take("pcrs")) {
    if (sealing.by != SealingBy::kTpm) return pcrs->Bad("is only for tpm");
    KC_ASSIGN(sealing.pcrs, attest::ReadPcrChoice(*pcrs));
  }
  KC_CHECK_OK(entries.Finish());
  return sealing;
}

}  // namespace keyclave::config
