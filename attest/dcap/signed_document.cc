#include "attest/dcap/signed_document.h"

#include <nlohmann/json.hpp>

#include "attest/strict_json.h"

namespace keyclave::attest::dcap {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxDepth = 16;  // Intel's documents have 7 levels
constexpr size_t kMaxAdvisories = 1000;
constexpr std::string_view kSpace = " \t\r\n";

Error Invalid(std::string what) { return Fail(Code::kCollateralInvalid, std::move(what)); }

// Walks over the text of a JSON object just far enough to say where its members begin and end.
// Whether they are JSON is left to the parser that reads them.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  void SkipSpace() {
    const size_t next = text_.find_first_not_of(kSpace, at_);
    at_ = next == std::string_view::npos ? text_.size() : next;
  }
  bool AtEnd() const { return at_ == text_.size(); }
  bool Next(char wanted) {
    SkipSpace();
    if (AtEnd() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }
  // The text between quotes, as it stands; nullopt if there is none.
  std::optional<std::string_view> String() {
    if (!Next('"')) return std::nullopt;
    const size_t begin = at_;
    for (; !AtEnd(); ++at_) {
      if (text_[at_] == '"') return text_.substr(begin, at_++ - begin);
      if (text_[at_] != '\\') continue;
      if (++at_ == text_.size()) return std::nullopt;
    }
    return std::nullopt;
  }
  // A whole object, with its braces.
  std::optional<std::string_view> Object() {
    SkipSpace();
    const size_t begin = at_;
    if (AtEnd() || text_[at_] != '{') return std::nullopt;
    size_t depth = 0;
    while (!AtEnd()) {
      const char c = text_[at_];
      if (c == '"') {
        if (!String().has_value()) return std::nullopt;
        continue;
      }
      ++at_;
      if ((c == '{' || c == '[') && ++depth > kMaxDepth) return std::nullopt;
      if ((c == '}' || c == ']') && --depth == 0) return text_.substr(begin, at_ - begin);
    }
    return std::nullopt;
  }

 private:
  std::string_view text_;
  size_t at_ = 0;
};

Status ReadSignature(std::string_view hex, ByteArray<64>& signature) {
  const auto bytes = FromHex(hex);
  if (!bytes.ok() || bytes->size() != signature.size())
    return Invalid("its signature is not one of 64 bytes in hexadecimal");
  std::copy(bytes->begin(), bytes->end(), signature.begin());
  return Done{};
}

Status ReadInto(const Document& document, std::string_view name, Statement& statement, Json& json) {
  KC_ASSIGN(const SignedMember found, FindSignedMember(document.bytes(), name));
  auto parsed = ParseStrictJson(found.member);
  if (!parsed.ok()) return Invalid(parsed.error().detail());
  json = *std::move(parsed);
  statement.source = document.source();
  statement.text = SignedText(ToBytes(found.member), found.signature);
  KC_ASSIGN(statement.version, GetNumber(json, "version", UINT32_MAX));
  KC_ASSIGN(statement.issue_date, GetTime(json, "issueDate"));
  KC_ASSIGN(statement.next_update, GetTime(json, "nextUpdate"));
  KC_ASSIGN(statement.evaluation_number, GetNumber(json, "tcbEvaluationDataNumber", UINT32_MAX));
  return Done{};
}

}  // namespace

Status SignedText::VerifyUnder(const PublicKey& key) const {
  if (state_ == nullptr) return Fail(Code::kEvidenceSignature, "nobody signed it");
  if (state_->good.Has(key.spki())) return Done{};
  const ByteSpan both = state_->signature;
  KC_CHECK_OK(key.VerifyEcdsa(SignatureScheme::kEcdsaP256Sha256, state_->bytes, both.first(32),
                              both.subspan(32)));
  state_->good.Add(key.spki());
  return Done{};
}

Result<SignedMember> FindSignedMember(ByteSpan text, std::string_view name) {
  Scanner scanner(AsText(text));
  std::optional<std::string_view> member;
  std::optional<std::string_view> signature;
  if (!scanner.Next('{')) return Invalid("not a JSON object");
  do {
    const auto key = scanner.String();
    if (!key.has_value() || !scanner.Next(':')) return Invalid("not a JSON object");
    const bool is_member = *key == name;
    if (!is_member && *key != "signature")
      return Invalid("a member that is neither " + std::string(name) + " nor signature");
    auto& into = is_member ? member : signature;
    if (into.has_value()) return Invalid("a member comes twice");
    into = is_member ? scanner.Object() : scanner.String();
    if (!into.has_value()) return Invalid("not JSON, or nested too deeply");
  } while (scanner.Next(','));
  if (!scanner.Next('}')) return Invalid("not a JSON object");
  scanner.SkipSpace();
  if (!scanner.AtEnd()) return Invalid("something stands behind the JSON object");
  if (!member.has_value() || !signature.has_value()) return Invalid("not signed");
  SignedMember found{AsBytes(*member), {}};
  KC_CHECK_OK(ReadSignature(*signature, found.signature));
  return found;
}

Status ReadStatement(const Document& document, std::string_view name, Statement& statement,
                     Json& json) {
  const auto read = ReadInto(document, name, statement, json);
  if (!read.ok()) return read.error().In(document.source());
  return Done{};
}

Result<const Json*> GetMember(const Json& object, const char* name) {
  if (!object.is_object()) return Invalid(std::string("no object with ") + name);
  const auto found = object.find(name);
  if (found == object.end()) return Invalid(std::string(name) + " is missing");
  return &*found;
}

Result<std::string> GetText(const Json& object, const char* name) {
  KC_ASSIGN(const Json* member, GetMember(object, name));
  const auto* text = member->get_ptr<const std::string*>();
  if (text == nullptr) return Invalid(std::string(name) + " is no text");
  return *text;
}

Result<uint64_t> GetNumber(const Json& object, const char* name, uint64_t max) {
  KC_ASSIGN(const Json* member, GetMember(object, name));
  const auto* number = member->get_ptr<const Json::number_unsigned_t*>();
  if (number == nullptr || *number > max) return Invalid(std::string(name) + " is out of range");
  return *number;
}

Result<UnixTime> GetTime(const Json& object, const char* name) {
  KC_ASSIGN(const std::string text, GetText(object, name));
  const auto time = ParseTime(text);
  if (!time.ok()) return Invalid(std::string(name) + " is no time");
  return *time;
}

Result<Bytes> GetHex(const Json& object, const char* name, size_t size) {
  KC_ASSIGN(const std::string text, GetText(object, name));
  auto bytes = FromHex(text);
  if (!bytes.ok() || bytes->size() != size)
    return Invalid(std::string(name) + " is not " + std::to_string(size) + " bytes in hexadecimal");
  return bytes;
}

Result<const Json*> GetArray(const Json& object, const char* name) {
  KC_ASSIGN(const Json* member, GetMember(object, name));
  if (!member->is_array() || member->empty())
    return Invalid(std::string(name) + " is no list of anything");
  return member;
}

Result<TcbFinding> GetFinding(const Json& level) {
  TcbFinding finding;
  KC_ASSIGN(const std::string word, GetText(level, "tcbStatus"));
  const auto status = TcbStatusFromIntel(word);
  if (!status.has_value()) return Invalid("unknown tcbStatus " + word);
  finding.status = *status;
  KC_ASSIGN(finding.date, GetTime(level, "tcbDate"));
  const auto advisories = level.find("advisoryIDs");
  if (advisories == level.end()) return finding;
  if (!advisories->is_array() || advisories->size() > kMaxAdvisories)
    return Invalid("advisoryIDs is no list");
  for (const Json& one : *advisories) {
    const auto* text = one.get_ptr<const std::string*>();
    if (text == nullptr) return Invalid("advisoryIDs has something else than texts");
    finding.advisories.push_back(*text);
  }
  return finding;
}

}  // namespace keyclave::attest::dcap
