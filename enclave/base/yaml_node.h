// The nodes behind YamlValue and YamlMap; for yaml.cc and yaml_parse.cc only.
#pragma once

#include <deque>

#include "enclave/base/yaml.h"

namespace keyclave {

struct YamlNode {
  enum class Kind { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  bool quoted = false;
  int line = 0;
  const std::string* file = nullptr;
  const YamlNode* parent = nullptr;
  size_t index = 0;  // among the parent's children, from 1
  std::string key;   // in a mapping
  std::string text;  // of a scalar
  std::vector<const YamlNode*> children;
};

// All nodes of one text. Every YamlValue keeps the whole document alive, so that a node can point
// to its parent.
struct YamlDocument {
  std::string name;
  std::deque<YamlNode> nodes;

  std::string At(int line) const { return name + ":" + std::to_string(line); }
};

// What a file says, made fit for a message: short, and without control characters.
std::string ShownYaml(std::string_view text);

}  // namespace keyclave
