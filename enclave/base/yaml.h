// A strict layer over yaml-cpp: every mistake is an error that names the file, the line and the
// key.
//
// After Parse succeeded: the text is one YAML document, no mapping has the same key twice, nothing
// is nested deeper than 32, there are no anchors, aliases or tags, the text is UTF-8 of at most
// 1 MiB without control characters, and it has at most 65536 values.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "enclave/base/bytes.h"

namespace keyclave {

class YamlMap;
struct YamlNode;

// A value with its place. Each As… returns kConfigWrongType with the place if the value is of
// another type.
class YamlValue {
 public:
  Result<std::string> AsText() const;  // any scalar, as it is written
  Result<bool> AsBool() const;         // exactly true or false, unquoted
  Result<int64_t> AsInt(int64_t min,
                        int64_t max) const;       // decimal; kConfigBadValue outside min..max
  Result<uint64_t> AsSeconds() const;             // 90s, 15m, 12h, 7d
  Result<std::vector<YamlValue>> AsList() const;  // a sequence
  Result<YamlMap> AsMap() const;
  bool IsScalar() const;
  bool IsQuoted() const;
  bool IsList() const;
  bool IsMap() const;
  int Line() const;  // of the value's key, from 1
  // "client.yaml:12: expect.tee"
  std::string Where() const;
  // kConfigBadValue with the place and `why`.
  Error Bad(std::string_view why) const;

 private:
  friend class YamlMap;
  friend Result<YamlValue> ParseYaml(std::string_view text, std::string_view name);
  explicit YamlValue(std::shared_ptr<const YamlNode> node) : node_(std::move(node)) {}
  std::shared_ptr<const YamlNode> node_;
};

// A mapping whose keys are taken one by one; Finish refuses what nobody took.
class YamlMap {
 public:
  std::optional<YamlValue> Take(std::string_view key);  // nullopt if absent
  Result<YamlValue> Require(std::string_view key);      // kConfigMissingKey if absent
  // All keys, in the file's order (for mappings with free keys); marks them all as taken.
  std::vector<std::pair<std::string, YamlValue>> TakeAll();
  Status Finish() const;  // kConfigUnknownKey naming the key, its line, and those known
  std::string Where() const;

 private:
  friend class YamlValue;
  struct State;
  explicit YamlMap(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

// `name` is put before line numbers in errors (the file's name). An empty document is an empty
// mapping.
Result<YamlValue> ParseYaml(std::string_view text, std::string_view name);
// 90s, 15m, 12h, 7d: what AsSeconds reads, where it is a part of a text. kMalformed, kTooLarge.
Result<uint64_t> ParseSeconds(std::string_view text);
// Reads and parses; kConfigNotFound with the path and the reason.
Result<YamlValue> ParseYamlFile(const std::string& path);

}  // namespace keyclave
