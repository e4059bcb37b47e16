#include "enclave/config/witness_config.h"

namespace keyclave::config {
namespace {

constexpr int64_t kMostMarks = 4096;

}  // namespace

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
    if (by != "tpm" && by != "none")
      return value->Bad("must be {file: PATH}, {peer: {…}}, tpm or none");
    witness.none = by == "none";
    return witness;
  }
  KC_ASSIGN(YamlMap entries, value->AsMap());
  if (const auto peer = entries.Take("peer")) {
    if (is_counted) return peer->Bad("is not for sealing: tpm, whose counter notices a rollback");
    KC_ASSIGN(witness.peer, ReadOtherEnclave(*peer));
    KC_CHECK_OK(entries.Finish());
    return witness;
  }
  KC_ASSIGN(const YamlValue file, entries.Require("file"));
  KC_ASSIGN(witness.file, file.AsText());
  if (!witness.file.starts_with('/')) return file.Bad("must be an absolute path");
  KC_CHECK_OK(entries.Finish());
  return witness;
}

Result<std::optional<KeepMarksConfig>> ReadKeepMarks(YamlMap& map) {
  const auto value = map.Take("keep_marks");
  if (!value) return std::optional<KeepMarksConfig>();
  KC_ASSIGN(YamlMap entries, value->AsMap());
  KC_ASSIGN(const YamlValue of, entries.Require("of"));
  KC_ASSIGN(attest::Expression expression, attest::Expression::Parse(of));
  KeepMarksConfig keep{.of = std::move(expression)};
  if (const auto most = entries.Take("most")) {
    KC_ASSIGN(const int64_t number, most->AsInt(1, kMostMarks));
    keep.most = static_cast<size_t>(number);
  }
  KC_CHECK_OK(entries.Finish());
  return std::optional(std::move(keep));
}

}  // namespace keyclave::config
