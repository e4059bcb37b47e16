#include "enclave/base/yaml.h"

#include <charconv>

#include "enclave/base/yaml_node.h"

namespace keyclave {
namespace {

constexpr uint64_t kMaxSeconds = uint64_t{100} * 366 * 24 * 3600;
constexpr size_t kMaxSuggestionDistance = 2;

// Levenshtein distance of two short names.
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replace = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replace, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

std::string KnownKeys(std::string_view unknown, const std::vector<std::string>& known) {
  std::string list;
  const std::string* nearest = nullptr;
  size_t smallest = kMaxSuggestionDistance + 1;
  for (const std::string& key : known) {
    list.append(list.empty() ? "" : ", ").append(key);
    if (unknown.size() > key.size() + kMaxSuggestionDistance) continue;
    const size_t distance = Distance(unknown, key);
    if (distance < smallest && distance < key.size()) {
      smallest = distance;
      nearest = &key;
    }
  }
  std::string text;
  if (nearest != nullptr) text.append("; did you mean ").append(*nearest).append("?");
  return text.append(known.empty() ? " (no keys are known here)" : " (known here: " + list + ")");
}

Error WrongType(const YamlValue& value, std::string_view wanted) {
  return Fail(Code::kConfigWrongType, value.Where() + ": wanted " + std::string(wanted));
}

}  // namespace

// What a file says, made fit for a message: short, and without control characters.
std::string ShownYaml(std::string_view text) {
  constexpr size_t kMaxShown = 64;
  std::string shown(text.substr(0, kMaxShown));
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  if (text.size() > kMaxShown) shown += "...";
  return shown;
}

bool YamlValue::IsScalar() const { return node_->kind == YamlNode::Kind::kScalar; }
bool YamlValue::IsQuoted() const { return node_->quoted; }
bool YamlValue::IsList() const { return node_->kind == YamlNode::Kind::kList; }
bool YamlValue::IsMap() const { return node_->kind == YamlNode::Kind::kMap; }

int YamlValue::Line() const { return node_->line; }

std::string YamlValue::Where() const {
  std::string path;
  for (const YamlNode* node = node_.get(); node->parent != nullptr; node = node->parent) {
    const bool in_map = node->parent->kind == YamlNode::Kind::kMap;
    std::string step = in_map ? ShownYaml(node->key) : "[" + std::to_string(node->index) + "]";
    if (!path.empty() && path.front() != '[') step += '.';
    path.insert(0, step);
  }
  std::string where = *node_->file + ":" + std::to_string(node_->line);
  return path.empty() ? where : where + ": " + path;
}

Error YamlValue::Bad(std::string_view why) const {
  return Fail(Code::kConfigBadValue, Where() + ": " + std::string(why));
}

Result<std::string> YamlValue::AsText() const {
  if (!IsScalar()) return WrongType(*this, "a text");
  return node_->text;
}

Result<bool> YamlValue::AsBool() const {
  if (IsScalar() && !IsQuoted()) {
    if (node_->text == "true") return true;
    if (node_->text == "false") return false;
  }
  return WrongType(*this, "true or false");
}

Result<int64_t> YamlValue::AsInt(int64_t min, int64_t max) const {
  const std::string& text = node_->text;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool digits = IsScalar() && !IsQuoted() && end == text.data() + text.size();
  if (!digits || error == std::errc::invalid_argument) return WrongType(*this, "a whole number");
  if (error == std::errc::result_out_of_range || value < min || value > max)
    return Bad("wanted " + std::to_string(min) + " to " + std::to_string(max));
  // 010 is eight to some readers and ten to others.
  if (std::to_string(value) != text)
    return WrongType(*this, "a whole number without leading zeros");
  return value;
}

Result<uint64_t> YamlValue::AsSeconds() const {
  constexpr std::string_view kWanted = "a time such as 90s, 15m, 12h or 7d";
  if (!IsScalar() || IsQuoted()) return WrongType(*this, kWanted);
  const auto seconds = ParseSeconds(node_->text);
  if (seconds.ok()) return *seconds;
  if (seconds.code() == Code::kTooLarge) return Bad(seconds.error().detail());
  return WrongType(*this, kWanted);
}

Result<uint64_t> ParseSeconds(std::string_view text) {
  if (text.size() < 2) return Fail(Code::kMalformed, "no time");
  uint64_t unit = 0;
  switch (text.back()) {
    case 's': unit = 1; break;
    case 'm': unit = 60; break;
    case 'h': unit = 3600; break;
    case 'd': unit = 86400; break;
    default: return Fail(Code::kMalformed, "a time without its unit");
  }
  uint64_t count = 0;
  const char* digits_end = text.data() + text.size() - 1;
  const auto [end, error] = std::from_chars(text.data(), digits_end, count);
  if (end != digits_end || error == std::errc::invalid_argument)
    return Fail(Code::kMalformed, "no time");
  if (error == std::errc::result_out_of_range || count > kMaxSeconds / unit)
    return Fail(Code::kTooLarge, "longer than a hundred years");
  return count * unit;
}

Result<std::vector<YamlValue>> YamlValue::AsList() const {
  if (!IsList()) return WrongType(*this, "a list");
  std::vector<YamlValue> values;
  values.reserve(node_->children.size());
  for (const YamlNode* child : node_->children)
    values.push_back(YamlValue(std::shared_ptr<const YamlNode>(node_, child)));
  return values;
}

struct YamlMap::State {
  YamlValue value;
  std::vector<bool> taken;
  std::vector<std::string> known;  // every key that was asked for
};

Result<YamlMap> YamlValue::AsMap() const {
  if (!IsMap()) return WrongType(*this, "a mapping (key: value)");
  return YamlMap(std::make_shared<YamlMap::State>(
      YamlMap::State{*this, std::vector<bool>(node_->children.size()), {}}));
}

std::optional<YamlValue> YamlMap::Take(std::string_view key) {
  State& state = *state_;
  if (std::find(state.known.begin(), state.known.end(), key) == state.known.end())
    state.known.emplace_back(key);
  const auto& node = state.value.node_;
  for (size_t i = 0; i < node->children.size(); ++i) {
    if (node->children[i]->key != key) continue;
    state.taken[i] = true;
    return YamlValue(std::shared_ptr<const YamlNode>(node, node->children[i]));
  }
  return std::nullopt;
}

Result<YamlValue> YamlMap::Require(std::string_view key) {
  std::optional<YamlValue> value = Take(key);
  if (!value.has_value())
    return Fail(Code::kConfigMissingKey, Where() + ": the key " + std::string(key) + " is missing");
  return *std::move(value);
}

std::vector<std::pair<std::string, YamlValue>> YamlMap::TakeAll() {
  const auto& node = state_->value.node_;
  std::vector<std::pair<std::string, YamlValue>> all;
  all.reserve(node->children.size());
  for (const YamlNode* child : node->children)
    all.emplace_back(child->key, YamlValue(std::shared_ptr<const YamlNode>(node, child)));
  state_->taken.assign(state_->taken.size(), true);
  return all;
}

Status YamlMap::Finish() const {
  const auto& node = state_->value.node_;
  for (size_t i = 0; i < node->children.size(); ++i) {
    if (state_->taken[i]) continue;
    const YamlNode& child = *node->children[i];
    const YamlValue place(std::shared_ptr<const YamlNode>(node, &child));
    return Fail(Code::kConfigUnknownKey, place.Where() + KnownKeys(child.key, state_->known));
  }
  return Done{};
}

std::string YamlMap::Where() const { return state_->value.Where(); }

}  // namespace keyclave
