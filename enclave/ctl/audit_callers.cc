#include "enclave/ctl/audit_callers.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "attest/claim_names.h"
#include "attest/strict_json.h"
#include "enclave/base/file.h"

namespace keyclave::ctl {
namespace {

using nlohmann::json;

constexpr size_t kMaxLog = size_t{1} << 30;  // bytes

// The log writes numbers and booleans as texts.
attest::ClaimValue OfText(const std::string& text, attest::ClaimType type) {
  if (type == attest::ClaimType::kBool && (text == "true" || text == "false"))
    return text == "true";
  int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (type == attest::ClaimType::kInteger && error == std::errc() && stop == end) return number;
  return text;
}

// What the log says of one claim; nullopt for what no claim can be.
std::optional<attest::ClaimValue> ValueOf(const json& value, attest::ClaimType type) {
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number_integer() &&
      (!value.is_number_unsigned() || value.get<uint64_t>() <= uint64_t{INT64_MAX}))
    return value.get<int64_t>();
  if (value.is_string()) return OfText(value.get<std::string>(), type);
  if (!value.is_array()) return std::nullopt;
  std::vector<std::string> texts;
  for (const json& one : value) {
    if (!one.is_string()) return std::nullopt;
    texts.push_back(one.get<std::string>());
  }
  return texts;
}

class Reader {
 public:
  Status ReadLog(const std::string& file) {
    KC_ASSIGN(const Bytes content, ReadFile(file, kMaxLog));
    std::string_view rest = AsText(content);
    for (size_t number = 1; !rest.empty(); ++number) {
      const size_t end = std::min(rest.find('\n'), rest.size());
      const Status read = ReadLine(rest.substr(0, end));
      if (!read.ok()) return read.error().In(file + ":" + std::to_string(number));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return Done{};
  }

  SeenCallers Take() {
    for (auto& [key, caller] : callers_) seen_.callers.push_back(std::move(caller));
    return std::move(seen_);
  }

 private:
  Status ReadLine(std::string_view line) {
    KC_ASSIGN(const json record, attest::ParseStrictJson(AsBytes(line)));
    const auto event = attest::TextMember(record, "event");
    const auto name = attest::TextMember(record, "caller");
    if ((event != "grant" && event != "denial") || !name.has_value()) return Done{};
    const auto claims = record.find("claims");
    if (claims == record.end()) {
      ++seen_.without_claims;
      return Done{};
    }
    // An object, or the text of one.
    json object = *claims;
    if (const auto* text = claims->get_ptr<const std::string*>()) {
      KC_ASSIGN(object, attest::ParseStrictJson(AsBytes(*text)));
    }
    if (!object.is_object()) return Fail(Code::kMalformed, "claims are no object");
    SeenCaller& caller = callers_[object.dump()];
    if (++caller.requests > 1) return Done{};
    caller.name = *name;
    for (const auto& [claim, value] : object.items()) {
      const auto info = attest::FindClaim(claim).value_or(attest::ClaimInfo());
      auto parsed = ValueOf(value, info.type);
      if (!parsed.has_value()) return Fail(Code::kMalformed, claim + " has no claim's value");
      const bool transport = info.transport;
      caller.claims.Set(claim, *std::move(parsed),
                        transport ? attest::Origin::kTransport : attest::Origin::kAttested);
    }
    Complete(caller.claims);
    return Done{};
  }

  // What records leave out and no permit does without: as it is with callers that were let in.
  static void Complete(attest::ClaimSet& claims) {
    const attest::Claim* tee = claims.Find("tee");
    if (tee != nullptr && claims.Find("debug") == nullptr) claims.Set("debug", false);
    const bool token = tee != nullptr && attest::ToText(tee->value) == "token";
    if (token && claims.Find("token.bound") == nullptr) claims.Set("token.bound", true);
  }

  std::map<std::string, SeenCaller> callers_;
  SeenCallers seen_;
};

}  // namespace

Result<SeenCallers> ReadAuditCallers(const std::string& path) {
  namespace fs = std::filesystem;
  std::vector<std::string> files{path};
  std::error_code error;
  if (fs::is_directory(path, error)) {
    files.clear();
    for (const auto& entry : fs::directory_iterator(path, error)) {
      if (entry.is_regular_file(error)) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    if (files.empty()) return Fail(Code::kNotFound, path + " holds no audit file");
  }
  Reader reader;
  for (const std::string& file : files) KC_CHECK_OK(reader.ReadLog(file));
  return reader.Take();
}

}  // namespace keyclave::ctl
