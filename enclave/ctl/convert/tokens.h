// The words of an expression in Rhai or Rego.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "enclave/base/result.h"

namespace keyclave::ctl::convert {

enum class TokenKind { kEnd, kNewline, kName, kText, kNumber, kSign };

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;  // of a text, what it stands for
  int64_t number = 0;
  int line = 1;
  size_t begin = 0;  // in the source
  size_t end = 0;
};

struct Lexis {
  bool hash_comments = false;  // # to the end of the line
  bool newlines = false;       // they separate statements
};

// The last one is kEnd. kUnsupported with `where` and the line for a character, an escape or a
// number that neither subset has.
Result<std::vector<Token>> Tokenize(std::string_view source, const std::string& where, Lexis lexis);

class TokenReader {
 public:
  TokenReader(std::string_view source, std::string where, std::vector<Token> tokens)
      : source_(source), where_(std::move(where)), tokens_(std::move(tokens)) {}

  const Token& Peek() const { return tokens_[at_]; }
  Token Take();
  bool IsSign(std::string_view sign) const { return Is(TokenKind::kSign, sign); }
  bool IsName(std::string_view name) const { return Is(TokenKind::kName, name); }
  bool TakeSign(std::string_view sign) { return IsSign(sign) && Skip(); }
  bool TakeName(std::string_view name) { return IsName(name) && Skip(); }
  void SkipNewlines();
  // What the source has from this token up to where the reader is.
  std::string TextFrom(const Token& first) const;
  // kUnsupported with the line of the next token.
  Error Bad(std::string_view why) const;

 private:
  bool Is(TokenKind kind, std::string_view text) const {
    return Peek().kind == kind && Peek().text == text;
  }
  bool Skip() {
    (void)Take();
    return true;
  }

  std::string_view source_;
  std::string where_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
};

}  // namespace keyclave::ctl::convert
