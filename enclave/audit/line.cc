#include "enclave/audit/line.h"

#include <nlohmann/json.hpp>

#include "enclave/base/byte_reader.h"
#include "enclave/base/hash.h"

namespace keyclave::audit {
namespace {

// ,"hash":"<64 digits>"} at the end of every line.
constexpr std::string_view kHashMember = ",\"hash\":\"";
constexpr size_t kHashTail = kHashMember.size() + 64 + 2;

std::string HashOf(std::string_view text) { return ToHex(Sha256(AsBytes(text))); }

Result<std::string> TextMember(const nlohmann::json& json, const char* name) {
  const auto found = json.find(name);
  if (found == json.end() || !found->is_string()) {
    return Fail(Code::kAuditBroken, std::string("a record without \"") + name + "\"");
  }
  return found->get<std::string>();
}

}  // namespace

BuiltLine BuildLine(const ChainEnd& end, const std::string& time, std::string_view event,
                    const std::vector<Field>& fields) {
  nlohmann::ordered_json json;
  json["seq"] = end.next;
  json["time"] = time;
  json["event"] = event;
  for (const Field& field : fields) {
    if (field.members.empty()) json[field.name] = field.value;
    for (const auto& [name, value] : field.members) json[field.name][name] = value;
  }
  json["prev"] = end.hash;
  // Names and values may come from outside: what is not UTF-8 is replaced rather than refused, so
  // that nothing escapes audit.
  std::string text = json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  const std::string hash = HashOf(text);
  text.pop_back();
  text.append(kHashMember).append(hash).append("\"}\n");
  return {std::move(text), {end.next + 1, hash, event == kCheckpointEvent}};
}

Result<Line> ParseLine(std::string_view text) {
  // To nlohmann's parser a NUL is the end of the text, whatever follows it.
  if (text.find('\0') != std::string_view::npos)
    return Fail(Code::kAuditBroken, "a line with a NUL byte");
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded() || !json.is_object())
    return Fail(Code::kAuditBroken, "a line that is no JSON object");
  Line line;
  const auto sequence = json.find("seq");
  if (sequence == json.end() || !sequence->is_number_unsigned()) {
    return Fail(Code::kAuditBroken, "a record without \"seq\"");
  }
  line.sequence = sequence->get<uint64_t>();
  KC_ASSIGN(line.event, TextMember(json, "event"));
  KC_ASSIGN(line.previous, TextMember(json, "prev"));
  KC_ASSIGN(line.hash, TextMember(json, "hash"));
  if (line.event == kCheckpointEvent) {
    KC_ASSIGN(line.signature, TextMember(json, "signature"));
  }
  const std::string tail = std::string(kHashMember) + line.hash + "\"}";
  if (tail.size() != kHashTail || !text.ends_with(tail)) {
    return Fail(Code::kAuditBroken,
                "record " + std::to_string(line.sequence) + " does not end with its hash");
  }
  line.computed = HashOf(std::string(text.substr(0, text.size() - kHashTail)) + "}");
  return line;
}

Status Follow(ChainEnd& end, const Line& line) {
  const std::string record = "record " + std::to_string(line.sequence);
  if (line.sequence != end.next) {
    return Fail(Code::kAuditBroken,
                record + " stands where record " + std::to_string(end.next) + " should");
  }
  if (line.previous != end.hash)
    return Fail(Code::kAuditBroken, record + " does not continue the one before it");
  if (line.computed != line.hash)
    return Fail(Code::kAuditBroken, record + " was edited: its hash does not fit");
  end = {line.sequence + 1, line.hash, line.event == kCheckpointEvent};
  return Done{};
}

Bytes CheckpointDigest(const ChainEnd& end) {
  ByteWriter out;
  out.PutPrefixed(AsBytes("keyclave/audit-checkpoint/1"));
  out.PutPrefixed(AsBytes(std::to_string(end.next)));
  out.PutPrefixed(AsBytes(end.hash));
  const ByteArray<32> digest = Sha256(out.bytes());
  return {digest.begin(), digest.end()};
}

}  // namespace keyclave::audit
