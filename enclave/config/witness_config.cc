#include "enclave/config/witness_config.h"

namespace keyclave::config {

Result<WitnessConfig> ReadWitness(YamlMap& map, const SealingConfig& sealing) {
  WitnessConfig witness;
  const auto value = map.Take("witness");
  if (!value) return witness;
  const bool is_counted = sealing.by == SealingBy::kTpm;
  if (value->IsScalar()) {
    KC_ASSIGN(const std::string by, value->AsText());
    if (by == "tpm" && !is_counted)
      return value->Bad("tpm is only for sealing: tpm: its counter counts the witness's marks");
    if (by == "none" && is_counted)
      return value->Bad("none is not for sealing: tpm, whose counter notices a rollback");
    if (by != "tpm" && by != "none") return value->Bad("must be {file: PATH}, tpm or none");
    witness.none = by == "none";
    return witness;
  }
  KC_ASSIGN(YamlMap entries, value->AsMap());
  KC_ASSIGN(const YamlValue file, entries.Require("file"));
  KC_ASSIGN(witness.file, file.AsText());
  if (!witness.file.starts_with('/')) return file.Bad("must be an absolute path");
  KC_CHECK_OK(entries.Finish());
  return witness;
}

}  // namespace keyclave::config
