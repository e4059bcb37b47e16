#include "enclave/authz/verifier_trouble.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace keyclave::authz {
namespace {

using testing::HasSubstr;

Result<uint64_t> Parse(const std::string& text) {
  KC_ASSIGN(const YamlValue root, ParseYaml("on_verifier_trouble: " + text, "p.yaml"));
  KC_ASSIGN(YamlMap map, root.AsMap());
  KC_ASSIGN(const YamlValue yaml, map.Require("on_verifier_trouble"));
  return ParseVerifierTrouble(yaml);
}

TEST(VerifierTrouble, ReadsBothForms) {
  const std::vector<std::pair<std::string, uint64_t>> cases = {{"deny", 0},
                                                               {"use_cached(1s)", 1},
                                                               {"use_cached(90m)", 5400},
                                                               {"use_cached(24h)", 86400},
                                                               {"use_cached(30d)", 2592000}};
  for (const auto& [text, seconds] : cases) {
    const auto parsed = Parse(text);
    ASSERT_TRUE(parsed.ok()) << parsed.error().Text();
    EXPECT_EQ(*parsed, seconds) << text;
    const auto again = Parse(PrintVerifierTrouble(*parsed));
    ASSERT_TRUE(again.ok()) << again.error().Text();
    EXPECT_EQ(*again, seconds) << text;
  }
}

TEST(VerifierTrouble, RefusesWhatItDoesNotUnderstand) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"allow", "wanted deny"},
      {"Deny", "wanted deny"},
      {"use_cached", "wanted deny"},
      {"use_cached()", "wanted deny"},
      {"use_cached(24)", "wanted deny"},
      {"use_cached(24h", "wanted deny"},
      {"use_cached( 24h )", "wanted deny"},
      {"use_cached(-1h)", "wanted deny"},
      {"use_cached(1h)(1h)", "wanted deny"},
      {"use_cached(0s)", "say deny"},
      {"use_cached(31d)", "no more than use_cached(30d)"},
      {"use_cached(99999999999999999999d)", "no more than use_cached(30d)"},
      {"[deny]", "a text"}};
  for (const auto& [text, part] : cases) {
    const auto parsed = Parse(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_THAT(parsed.error().Text(), HasSubstr(part)) << text;
    EXPECT_THAT(parsed.error().Text(), HasSubstr("p.yaml:1")) << text;
  }
}

}  // namespace
}  // namespace keyclave::authz
