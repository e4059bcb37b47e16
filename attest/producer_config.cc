#include "attest/producer_config.h"

#include "attest/produce/produce.h"

namespace keyclave::attest {

Status ReadProducer(YamlMap& map, ProducerConfig& producer) {
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
