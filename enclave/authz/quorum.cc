#include "enclave/authz/quorum.h"

#include <algorithm>

#include "enclave/base/name.h"

namespace keyclave::authz {

uint64_t Quorum::Count(const std::set<std::string, std::less<>>& names) const {
  return static_cast<uint64_t>(std::count_if(
      of.begin(), of.end(), [&](const std::string& name) { return names.contains(name); }));
}

std::string Quorum::Print() const {
  std::string names;
  for (const std::string& name : of) names.append(names.empty() ? "" : ", ").append(name);
  return "{quorum: " + std::to_string(quorum) + ", of: [" + names + "]}";
}

Result<Quorum> ParseQuorum(const YamlValue& yaml) {
  KC_ASSIGN(YamlMap map, yaml.AsMap());
  KC_ASSIGN(const YamlValue number, map.Require("quorum"));
  KC_ASSIGN(const YamlValue of, map.Require("of"));
  KC_CHECK_OK(map.Finish());
  KC_ASSIGN(const std::vector<YamlValue> items, of.AsList());
  if (items.empty()) return of.Bad("names nobody");
  if (items.size() > kMaxOwners) return of.Bad("more than " + std::to_string(kMaxOwners));
  Quorum quorum;
  for (const YamlValue& item : items) {
    KC_ASSIGN(std::string name, ParseName(item));
    if (std::find(quorum.of.begin(), quorum.of.end(), name) != quorum.of.end())
      return item.Bad("named twice: who signs twice is still one");
    quorum.of.push_back(std::move(name));
  }
  KC_ASSIGN(const int64_t count, number.AsInt(1, static_cast<int64_t>(quorum.of.size())));
  quorum.quorum = static_cast<uint64_t>(count);
  return quorum;
}

Result<std::string> ParseName(const YamlValue& yaml) {
  KC_ASSIGN(std::string name, yaml.AsText());
  if (!IsName(name)) return yaml.Bad(kNameRule);
  return name;
}

Result<uint64_t> ParseVersion(const YamlValue& yaml) {
  KC_ASSIGN(const int64_t number, yaml.AsInt(1, int64_t{1} << 53));
  return static_cast<uint64_t>(number);
}

}  // namespace keyclave::authz
