#include "enclave/config/other_enclave.h"

namespace keyclave::config {

Result<Endpoint> ReadEndpoint(const YamlValue& value) {
  KC_ASSIGN(const std::string text, value.AsText());
  auto endpoint = ParseEndpoint(text);
  if (!endpoint.ok()) return value.Bad(endpoint.error().detail());
  return endpoint;
}

Result<OtherEnclave> ReadOtherEnclave(const YamlValue& value) {
  KC_ASSIGN(YamlMap map, value.AsMap());
  KC_ASSIGN(const YamlValue address, map.Require("endpoint"));
  KC_ASSIGN(Endpoint endpoint, ReadEndpoint(address));
  KC_ASSIGN(const YamlValue id, map.Require("enclave"));
  KC_ASSIGN(std::string enclave, id.AsText());
  if (enclave.size() != 32 || enclave.find_first_not_of("0123456789abcdef") != enclave.npos)
    return id.Bad("must be the 32 hexadecimal digits that keyclave status shows");
  KC_ASSIGN(const YamlValue expect, map.Require("expect"));
  KC_ASSIGN(attest::Expression expression, attest::Expression::Parse(expect));
  KC_CHECK_OK(map.Finish());
  return OtherEnclave{std::move(endpoint), std::move(enclave), std::move(expression)};
}

}  // namespace keyclave::config
