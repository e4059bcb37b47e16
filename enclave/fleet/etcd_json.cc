#include "enclave/fleet/etcd_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace keyclave::fleet {
namespace {

using Json = nlohmann::json;

// gRPC's status codes, as the gateway gives them.
constexpr int kGrpcInvalidArgument = 3;
constexpr int kGrpcResourceExhausted = 8;
constexpr int kGrpcOutOfRange = 11;

std::string Encoded(ByteSpan bytes) { return ToBase64(bytes); }

// 64-bit numbers travel as texts; zero is left out.
int64_t NumberOf(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return 0;
  if (found->is_number_unsigned())
    return static_cast<int64_t>(std::min<uint64_t>(found->get<uint64_t>(), INT64_MAX));
  if (!found->is_string()) return 0;
  const auto& text = found->get_ref<const std::string&>();
  int64_t number = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9' || number > (INT64_MAX - 9) / 10) return 0;
    number = number * 10 + (digit - '0');
  }
  return number;
}

uint64_t ClusterOf(const Json& header) {
  const auto found = header.find("cluster_id");
  if (found == header.end() || !found->is_string()) return 0;
  uint64_t number = 0;
  for (const char digit : found->get_ref<const std::string&>()) {
    if (digit < '0' || digit > '9') return 0;
    number = number * 10 + static_cast<uint64_t>(digit - '0');  // wraps as the text does not
  }
  return number;
}

Result<Bytes> BytesOf(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return Bytes();
  if (!found->is_string()) return Fail(Code::kMalformed, "etcd: a value that is no text");
  return FromBase64(found->get_ref<const std::string&>());
}

const Json& HeaderOf(const Json& reply) {
  static const Json kNone = Json::object();
  const auto found = reply.find("header");
  return found == reply.end() || !found->is_object() ? kNone : *found;
}

// What somebody else wrote, fit for a log.
std::string TextOf(const Json& object, const char* name) {
  constexpr size_t kMaxText = 256;
  const auto found = object.find(name);
  if (found == object.end() || !found->is_string()) return "";
  std::string text = found->get<std::string>().substr(0, kMaxText);
  std::replace_if(
      text.begin(), text.end(), [](char one) { return one < ' ' || one > '~'; }, '?');
  return text;
}

Result<Json> ReadObject(std::string_view reply) {
  Json object = Json::parse(reply, nullptr, false);
  if (!object.is_object()) return Fail(Code::kMalformed, "etcd: an answer that is no JSON object");
  return object;
}

}  // namespace

std::string RangeRequest(const RangeQuery& query) {
  Json body = {{"key", Encoded(query.key)}};
  if (!query.end.empty()) body["range_end"] = Encoded(query.end);
  if (query.at != 0) body["revision"] = std::to_string(query.at);
  if (query.modified_from != 0) body["min_mod_revision"] = std::to_string(query.modified_from);
  if (query.limit != 0) body["limit"] = std::to_string(query.limit);
  return body.dump();
}

std::string TransactionRequest(const Transaction& transaction) {
  Json compare = Json::array();
  for (const Compare& one : transaction.compare) {
    Json entry = {{"key", Encoded(one.key)}, {"result", "EQUAL"}};
    if (one.value.has_value()) {
      entry["target"] = "VALUE";
      entry["value"] = Encoded(*one.value);
    } else {
      entry["target"] = "VERSION";
      entry["version"] = "0";
    }
    compare.push_back(std::move(entry));
  }
  Json success = Json::array();
  for (const Put& put : transaction.put) {
    success.push_back(
        {{"request_put", {{"key", Encoded(put.key)}, {"value", Encoded(put.value)}}}});
  }
  for (const Delete& remove : transaction.remove) {
    Json range = {{"key", Encoded(remove.key)}};
    if (!remove.end.empty()) range["range_end"] = Encoded(remove.end);
    success.push_back({{"request_delete_range", std::move(range)}});
  }
  const Json body = {{"compare", std::move(compare)}, {"success", std::move(success)}};
  return body.dump();
}

std::string WatchRequest(ByteSpan key, int64_t from) {
  const Json body = {
      {"create_request", {{"key", Encoded(key)}, {"start_revision", std::to_string(from)}}}};
  return body.dump();
}

Result<Range> ReadRange(std::string_view text) {
  KC_ASSIGN(const Json reply, ReadObject(text));
  Range range;
  range.revision = NumberOf(HeaderOf(reply), "revision");
  range.cluster = ClusterOf(HeaderOf(reply));
  const auto more = reply.find("more");
  range.more = more != reply.end() && more->is_boolean() && more->get<bool>();
  const auto found = reply.find("kvs");
  if (found == reply.end()) return range;
  if (!found->is_array()) return Fail(Code::kMalformed, "etcd: kvs is no list");
  for (const Json& entry : *found) {
    if (!entry.is_object()) return Fail(Code::kMalformed, "etcd: a key that is no object");
    KeyValue& one = range.found.emplace_back();
    KC_ASSIGN(one.key, BytesOf(entry, "key"));
    KC_ASSIGN(one.value, BytesOf(entry, "value"));
    one.modified = NumberOf(entry, "mod_revision");
  }
  return range;
}

Result<Outcome> ReadOutcome(std::string_view text) {
  KC_ASSIGN(const Json reply, ReadObject(text));
  const auto succeeded = reply.find("succeeded");
  return Outcome{succeeded != reply.end() && succeeded->is_boolean() && succeeded->get<bool>(),
                 NumberOf(HeaderOf(reply), "revision")};
}

std::optional<Error> ReadRefusal(long status, std::string_view reply, std::string& why) {
  const Json error = Json::parse(reply, nullptr, false);
  const bool is_object = error.is_object();
  std::string text = is_object ? TextOf(error, "message") : "";
  if (is_object && text.empty()) text = TextOf(error, "error");
  why = "HTTP status " + std::to_string(status) + (text.empty() ? "" : ": " + text);
  switch (is_object ? NumberOf(error, "code") : 0) {
    case kGrpcInvalidArgument:
      return Fail(text.find("too large") != text.npos ? Code::kTooLarge : Code::kInternal,
                  "etcd: " + text);
    case kGrpcResourceExhausted: return Fail(Code::kStoreFull, "etcd: " + text);
    case kGrpcOutOfRange: return Fail(Code::kNotFound, "etcd: " + text);
    default: return std::nullopt;
  }
}

bool TakeEvents(std::string& lines) {
  for (size_t end = lines.find('\n'); end != lines.npos; end = lines.find('\n')) {
    const Json message = Json::parse(lines.substr(0, end), nullptr, false);
    lines.erase(0, end + 1);
    if (!message.is_object()) return true;
    const auto result = message.find("result");
    if (result == message.end() || !result->is_object()) return true;
    if (result->contains("events") || result->contains("canceled")) return true;
  }
  return false;
}

}  // namespace keyclave::fleet
