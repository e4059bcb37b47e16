#include "attest/token/describe.h"

#include <nlohmann/json.hpp>

namespace keyclave::attest::token {
namespace {

using Json = nlohmann::json;

// As deep as ParseStrictJson lets it be.
void Flatten(const std::string& name, const Json& value, std::vector<Field>& fields) {
  if (value.is_structured() && !value.empty()) {
    for (const auto& [key, below] : value.items()) Flatten(name + "." + key, below, fields);
  } else {
    fields.push_back({name, value.is_string() ? value.get<std::string>() : value.dump()});
  }
}

}  // namespace

std::vector<Field> DescribeToken(const Token& token) {
  std::vector<Field> fields;
  Flatten("header", *token.header, fields);
  Flatten("payload", *token.payload, fields);
  fields.push_back({"signature", ToHex(token.signature)});
  return fields;
}

}  // namespace keyclave::attest::token
