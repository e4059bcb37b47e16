#include "attest/producer_config.h"

#include "attest/produce/produce.h"
#include "attest/tpm/pcr_choice.h"
#include "enclave/base/byte_reader.h"

namespace keyclave::attest {
namespace {

// "0x81018001", between `first` and `last`.
Status ReadHandle(YamlMap& map, std::string_view key, uint32_t first, uint32_t last,
                  uint32_t& handle) {
  const auto value = map.Take(key);
  if (!value) return Done{};
  KC_ASSIGN(const std::string text, value->AsText());
  const auto bytes = FromHex(text.starts_with("0x") ? std::string_view(text).substr(2) : "");
  if (bytes.ok() && bytes->size() == sizeof handle) {
    ByteReader reader(*bytes);
    KC_ASSIGN(handle, reader.TakeBe<uint32_t>());
    if (handle >= first && handle <= last) return Done{};
  }
  const auto hex = [](uint32_t number) {
    ByteWriter writer;
    writer.PutBe(number);
    return "0x" + ToHex(writer.bytes());
  };
  return value->Bad("must be a handle from " + hex(first) + " to " + hex(last));
}

Status ReadTpm(YamlMap& map, tpm::DeviceConfig& tpm) {
  const auto block = map.Take("tpm");
  if (!block) return Done{};
  KC_ASSIGN(YamlMap entries, block->AsMap());
  if (const auto tcti = entries.Take("tcti")) {
    KC_ASSIGN(tpm.tcti, tcti->AsText());
    if (tpm.tcti.find(':') == std::string::npos || tpm.tcti.starts_with("cmd:"))
      return tcti->Bad("must be KIND:OPTIONS, as device:/dev/tpmrm0");
  }
  if (const auto pcrs = entries.Take("pcrs")) {
    KC_ASSIGN(tpm.pcrs, ReadPcrChoice(*pcrs));
  }
  if (const auto certificate = entries.Take("certificate")) {
    KC_ASSIGN(tpm.certificate_file, certificate->AsText());
    if (!tpm.certificate_file.starts_with("/")) return certificate->Bad("must be an absolute path");
  }
  // Persistent objects of the owner; NV indices.
  KC_CHECK_OK(ReadHandle(entries, "key", 0x8100'0000, 0x817f'ffff, tpm.key_handle));
  KC_CHECK_OK(ReadHandle(entries, "counter", 0x0100'0000, 0x01ff'ffff, tpm.counter_index));
  return entries.Finish();
}

}  // namespace

Status ReadProducer(YamlMap& map, ProducerConfig& producer) {
  KC_CHECK_OK(ReadTpm(map, producer.tpm));
  const auto token = map.Take("token");
  if (!token) return Done{};
  KC_ASSIGN(YamlMap entries, token->AsMap());
  const auto file = entries.Take("file");
  const auto command = entries.Take("command");
  if (file.has_value() == command.has_value())
    return token->Bad("needs either file or command: what gives the token");
  if (file) {
    KC_ASSIGN(producer.token_file, file->AsText());
    if (!producer.token_file.starts_with("/")) return file->Bad("must be an absolute path");
  } else {
    KC_ASSIGN(const std::vector<YamlValue> words, command->AsList());
    for (const YamlValue& word : words) {
      KC_ASSIGN(producer.token_command.emplace_back(), word.AsText());
    }
    if (words.empty() || !producer.token_command.front().starts_with("/"))
      return command->Bad("must begin with a program's absolute path");
  }
  return entries.Finish();
}

Result<std::string> ReadEvidenceType(const YamlValue& value, const ProducerConfig& producer) {
  KC_ASSIGN(const std::string type, value.AsText());
  if (type == "auto") {
    auto found = DetectTee(producer);
    if (!found.ok()) return std::move(found).error().In(value.Where());
    return found;
  }
  if (FindTeeType(type) != nullptr) return type;
  std::string known = "none, auto";
  for (const TeeType* tee : AllTeeTypes()) known.append(", ").append(tee->name);
  return value.Bad("must be one of: " + known);
}

}  // namespace keyclave::attest
