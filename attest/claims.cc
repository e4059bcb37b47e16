#include "attest/claims.h"

namespace keyclave::attest {
namespace {

struct TextOf {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(int64_t value) const { return std::to_string(value); }
  std::string operator()(const std::string& value) const { return value; }
  std::string operator()(const std::vector<std::string>& values) const {
    std::string text = "[";
    for (const std::string& value : values) text.append(text.size() > 1 ? ", " : "").append(value);
    return text + "]";
  }
};

}  // namespace

std::string ToText(const ClaimValue& value) { return std::visit(TextOf(), value); }

}  // namespace keyclave::attest
