#include "enclave/ctl/convert/tokens.h"

#include <array>
#include <charconv>

namespace keyclave::ctl::convert {
namespace {

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

constexpr std::array<std::string_view, 7> kDoubleSigns = {"==", "!=", "<=", ">=", "&&", "||", ":="};
constexpr std::string_view kSigns = "<>!()[]{}.,=;:";

class Tokenizer {
 public:
  Tokenizer(std::string_view source, const std::string& where, Lexis lexis)
      : source_(source), where_(where), lexis_(lexis) {}

  Result<std::vector<Token>> Run() {
    while (SkipBlank()) {
      Token token{.text = {}, .line = line_, .begin = at_};
      KC_CHECK_OK(Read(token));
      token.end = at_;
      if (token.kind == TokenKind::kNewline) ++line_;
      tokens_.push_back(std::move(token));
    }
    tokens_.push_back({.text = {}, .line = line_, .begin = at_, .end = at_});
    return std::move(tokens_);
  }

 private:
  Error Bad(std::string_view why) const {
    return Fail(Code::kUnsupported, where_ + ":" + std::to_string(line_) + ": " + std::string(why));
  }

  // To the next token; false at the end.
  bool SkipBlank() {
    for (; at_ < source_.size(); ++at_) {
      const char c = source_[at_];
      if (c == '#' && lexis_.hash_comments) {
        while (at_ + 1 < source_.size() && source_[at_ + 1] != '\n') ++at_;
      } else if (c == '\n' && lexis_.newlines) {
        return true;
      } else if (c == '\n') {
        ++line_;
      } else if (c != ' ' && c != '\t' && c != '\r') {
        return true;
      }
    }
    return false;
  }

  Status Read(Token& token) {
    const char c = source_[at_];
    if (c == '\n') {
      token.kind = TokenKind::kNewline;
      ++at_;
      return Done{};
    }
    if (IsLetter(c)) {
      token.kind = TokenKind::kName;
      while (at_ < source_.size() && (IsLetter(source_[at_]) || IsDigit(source_[at_])))
        token.text += source_[at_++];
      return Done{};
    }
    if (IsDigit(c)) return ReadNumber(token);
    if (c == '"') return ReadText(token);
    return ReadSign(token);
  }

  Status ReadNumber(Token& token) {
    token.kind = TokenKind::kNumber;
    while (at_ < source_.size() && IsDigit(source_[at_])) token.text += source_[at_++];
    const char* end = token.text.data() + token.text.size();
    const auto [stop, error] = std::from_chars(token.text.data(), end, token.number);
    const bool more = at_ < source_.size() && (IsLetter(source_[at_]) || source_[at_] == '.');
    if (error != std::errc() || stop != end || more)
      return Bad("only whole decimal numbers are read");
    return Done{};
  }

  Status ReadText(Token& token) {
    token.kind = TokenKind::kText;
    for (++at_; at_ < source_.size(); ++at_) {
      char c = source_[at_];
      if (c == '"') {
        ++at_;
        return Done{};
      }
      if (c == '\n') break;
      if (c == '\\') {
        c = ++at_ < source_.size() ? source_[at_] : '\0';
        if (c != '"' && c != '\\') return Bad("of escapes in texts only \\\" and \\\\ are read");
      }
      token.text += c;
    }
    return Bad("a text does not end");
  }

  Status ReadSign(Token& token) {
    token.kind = TokenKind::kSign;
    const std::string_view two = source_.substr(at_, 2);
    for (const std::string_view sign : kDoubleSigns) {
      if (two != sign) continue;
      token.text = sign;
      at_ += sign.size();
      return Done{};
    }
    if (kSigns.find(source_[at_]) == std::string_view::npos)
      return Bad("a character that is not in the subset that is read");
    token.text = source_[at_++];
    return Done{};
  }

  std::string_view source_;
  const std::string& where_;
  Lexis lexis_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  int line_ = 1;
};

}  // namespace

Result<std::vector<Token>> Tokenize(std::string_view source, const std::string& where,
                                    Lexis lexis) {
  return Tokenizer(source, where, lexis).Run();
}

Token TokenReader::Take() {
  Token token = tokens_[at_];
  if (at_ + 1 < tokens_.size()) ++at_;
  return token;
}

void TokenReader::SkipNewlines() {
  while (Peek().kind == TokenKind::kNewline) (void)Take();
}

std::string TokenReader::TextFrom(const Token& first) const {
  const size_t end = at_ == 0 ? first.end : tokens_[at_ - 1].end;
  return std::string(source_.substr(first.begin, end > first.begin ? end - first.begin : 0));
}

Error TokenReader::Bad(std::string_view why) const {
  const Token& token = Peek();
  const std::string found = token.kind == TokenKind::kEnd ? "the end"
                            : token.kind == TokenKind::kNewline
                                ? "the end of the line"
                                : std::string(source_.substr(token.begin, token.end - token.begin));
  return Fail(Code::kUnsupported, where_ + ":" + std::to_string(token.line) + ": " +
                                      std::string(why) + ", found " + found.substr(0, 64));
}

}  // namespace keyclave::ctl::convert
