#include "attest/strict_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

namespace keyclave::attest {
namespace {

using Json = nlohmann::json;

// Watches the parser: the names of every object that is open, innermost last.
class Watch {
 public:
  bool See(int depth, Json::parse_event_t event, const Json& parsed) {
    using Event = Json::parse_event_t;
    if (depth > kMaxJsonDepth) wrong_ = "nested too deep";
    if (event == Event::object_start) names_.emplace_back();
    if (event == Event::object_end && !names_.empty()) names_.pop_back();
    if (event == Event::key && !names_.empty()) {
      const auto* name = parsed.get_ptr<const std::string*>();
      if (name == nullptr || !names_.back().insert(*name).second) wrong_ = "a name stands twice";
    }
    return true;
  }
  const char* wrong() const { return wrong_; }

 private:
  std::vector<std::set<std::string>> names_;
  const char* wrong_ = nullptr;
};

}  // namespace

Result<Json> ParseStrictJson(ByteSpan text) {
  // To nlohmann's parser a NUL is the end of the text, whatever follows it.
  if (std::find(text.begin(), text.end(), 0) != text.end())
    return Fail(Code::kMalformed, "JSON: a NUL byte");
  Watch watch;
  const auto see = [&](int depth, Json::parse_event_t event, Json& parsed) {
    return watch.See(depth, event, parsed);
  };
  Json json = Json::parse(text.begin(), text.end(), see, /*allow_exceptions=*/false);
  if (watch.wrong() != nullptr)
    return Fail(Code::kMalformed, std::string("JSON: ") + watch.wrong());
  if (!json.is_object()) return Fail(Code::kMalformed, "no JSON object");
  return json;
}

std::optional<std::string> TextMember(const Json& object, const char* name) {
  if (!object.is_object()) return std::nullopt;
  const auto found = object.find(name);
  if (found == object.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

Result<Bytes> FromBase64UrlStrict(std::string_view text) {
  KC_ASSIGN(Bytes decoded, FromBase64(text));
  if (ToBase64Url(decoded) != text) return Fail(Code::kMalformed, "no base64url of JOSE's form");
  return decoded;
}

}  // namespace keyclave::attest
