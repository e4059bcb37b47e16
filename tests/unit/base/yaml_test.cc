#include "enclave/base/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

namespace keyclave {
namespace {

using testing::HasSubstr;

YamlValue MustParse(std::string_view text) {
  auto parsed = ParseYaml(text, "t.yaml");
  EXPECT_TRUE(parsed.ok()) << (parsed.ok() ? "" : parsed.error().Text()) << "\n" << text;
  return parsed.ok() ? std::move(parsed).value() : std::move(ParseYaml("", "t.yaml")).value();
}

YamlValue At(std::string_view text, std::string_view key) {
  auto map = MustParse(text).AsMap();
  EXPECT_TRUE(map.ok());
  auto value = map.value().Take(key);
  EXPECT_TRUE(value.has_value());
  return *value;
}

void ExpectRefused(std::string_view text, Code code, std::string_view part) {
  const auto parsed = ParseYaml(text, "t.yaml");
  ASSERT_FALSE(parsed.ok()) << text;
  EXPECT_EQ(CodeName(parsed.code()), CodeName(code)) << parsed.error().Text();
  EXPECT_THAT(parsed.error().Text(), HasSubstr(std::string(part)));
}

TEST(Yaml, EmptyDocumentsAreEmptyMappings) {
  for (const char* text : {"", "\n\n", "# only a comment\n", "---\n", "...\n"}) {
    auto map = MustParse(text).AsMap();
    ASSERT_TRUE(map.ok()) << text;
    EXPECT_TRUE(map.value().TakeAll().empty());
    EXPECT_TRUE(map.value().Finish().ok());
  }
}

TEST(Yaml, ReadsNestedValuesInBothStyles) {
  auto map = MustParse("a: 1\nb:\n  - x\n  - {c: true}\nd: [p, 'q']\n").AsMap();
  ASSERT_TRUE(map.ok());
  auto& m = map.value();
  EXPECT_EQ(m.Take("a")->AsInt(0, 9).value(), 1);
  auto list = m.Take("b")->AsList();
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list.value().size(), 2U);
  EXPECT_EQ(list.value()[0].AsText().value(), "x");
  auto inner = list.value()[1].AsMap();
  ASSERT_TRUE(inner.ok());
  EXPECT_TRUE(inner.value().Take("c")->AsBool().value());
  EXPECT_EQ(list.value()[1].Where(), "t.yaml:4: b[2]");
  EXPECT_EQ(inner.value().Take("c")->Where(), "t.yaml:4: b[2].c");
  auto d = m.Take("d")->AsList();
  ASSERT_TRUE(d.ok());
  EXPECT_FALSE(d.value()[0].IsQuoted());
  EXPECT_TRUE(d.value()[1].IsQuoted());
  EXPECT_TRUE(m.Finish().ok());
}

TEST(Yaml, ValuesOutliveTheDocumentThatTheyCameFrom) {
  std::optional<YamlValue> kept;
  {
    auto map = MustParse("outer:\n  inner: [1, 2]\n").AsMap();
    auto inner = map.value().Take("outer")->AsMap();
    kept = inner.value().Take("inner");
  }
  EXPECT_EQ(kept->AsList().value()[1].Where(), "t.yaml:2: outer.inner[2]");
}

TEST(Yaml, RefusesDuplicateKeysAtEveryDepth) {
  ExpectRefused("a: 1\nb: 2\na: 3\n", Code::kConfigDuplicateKey, "t.yaml:3: the key a");
  ExpectRefused("x:\n  - {k: 1, k: 1}\n", Code::kConfigDuplicateKey, "t.yaml:2");
  ExpectRefused("a: 1\n\"a\": 1\n", Code::kConfigDuplicateKey, "t.yaml:2");
  MustParse("a: {k: 1}\nb: {k: 1}\n");
}

TEST(Yaml, RefusesAnchorsAliasesAndTags) {
  ExpectRefused("a: &x 1\n", Code::kConfigSyntax, "t.yaml:1: anchors");
  ExpectRefused("a: &x {b: 1}\n", Code::kConfigSyntax, "anchors");
  ExpectRefused("a: &x [1]\n", Code::kConfigSyntax, "anchors");
  ExpectRefused("&k a: 1\n", Code::kConfigSyntax, "anchors");
  ExpectRefused("a: &x\n", Code::kConfigSyntax, "anchors");
  ExpectRefused("a: *x\n", Code::kConfigSyntax, "t.yaml:1");
  ExpectRefused("a: !!str 1\n", Code::kConfigSyntax, "t.yaml:1: tags");
  ExpectRefused("a: !mine 1\n", Code::kConfigSyntax, "tags");
  ExpectRefused("a: ! 1\n", Code::kConfigSyntax, "tags");
  ExpectRefused("a: ! 'x'\n", Code::kConfigSyntax, "tags");
  ExpectRefused("a: !!map {b: 1}\n", Code::kConfigSyntax, "tags");
  ExpectRefused("a: ! {b: 1}\n", Code::kConfigSyntax, "tags");
  ExpectRefused("a: !!seq [1]\n", Code::kConfigSyntax, "tags");
  ExpectRefused("a: ! [1]\n", Code::kConfigSyntax, "tags");
  ExpectRefused("!!str a: 1\n", Code::kConfigSyntax, "tags");
  // An alias whose anchor exists is refused at the anchor; quoted, both are ordinary text.
  ExpectRefused("a: &x 1\nb: *x\n", Code::kConfigSyntax, "anchors");
  EXPECT_EQ(At("a: '&x'", "a").AsText().value(), "&x");
  EXPECT_EQ(At("a: '!x'", "a").AsText().value(), "!x");
  EXPECT_EQ(At("caf\xc3\xa9: 'x'\na: '!x'", "a").AsText().value(), "!x");
}

TEST(Yaml, RefusesASecondDocument) {
  ExpectRefused("a: 1\n---\nb: 2\n", Code::kConfigSyntax, "second document");
  ExpectRefused("a: 1\n---\n", Code::kConfigSyntax, "t.yaml:2");
  ExpectRefused("{a: 1}}\n", Code::kConfigSyntax, "t.yaml:1");
  ExpectRefused("[a]]\n", Code::kConfigSyntax, "t.yaml:1");
}

TEST(Yaml, RefusesKeysThatAreNotTexts) {
  ExpectRefused("? [a]\n: 1\n", Code::kConfigSyntax, "not a text");
  ExpectRefused("? {a: 1}\n: 1\n", Code::kConfigSyntax, "not a text");
  ExpectRefused("{: 1}\n", Code::kConfigSyntax, "t.yaml:1");
  ExpectRefused("~: 1\n", Code::kConfigSyntax, "empty");
}

TEST(Yaml, RefusesBrokenSyntaxWithItsLine) {
  ExpectRefused("a: 1\nb: [1, 2\n", Code::kConfigSyntax, "t.yaml:");
  ExpectRefused("a: 1\nb: {x\n", Code::kConfigSyntax, "t.yaml:");
  ExpectRefused("a: b: c\n", Code::kConfigSyntax, "t.yaml:1");
  for (const char* text : {"a: \"open\n", "a: \"open", "a: 'open\n", "a: 'open", "a: \"x\\\"\n"})
    ExpectRefused(text, Code::kConfigSyntax, "t.yaml:");
  ExpectRefused("a: 1\n b: 2\n", Code::kConfigSyntax, "t.yaml:");
  ExpectRefused("a: 1\n\tb: 2\n", Code::kConfigSyntax, "t.yaml:");
}

TEST(Yaml, RefusesOddCharacters) {
  ExpectRefused(std::string_view("a: 1\nb: \0\n", 10), Code::kConfigSyntax,
                "t.yaml:2: control character");
  ExpectRefused("a: \x1b[31m\n", Code::kConfigSyntax, "control character");
  ExpectRefused(
      "\xef\xbb\xbf"
      "a: 1\n",
      Code::kConfigSyntax, "UTF-8");
  ExpectRefused("a: \xff\xfe\n", Code::kConfigSyntax, "UTF-8");
  ExpectRefused("a: \xc0\xaf\n", Code::kConfigSyntax, "UTF-8");
  EXPECT_EQ(At("a: caf\xc3\xa9\r\n", "a").AsText().value(), "caf\xc3\xa9");
}

TEST(Yaml, DepthIsBounded) {
  const auto nested = [](size_t n) { return std::string(n, '[') + "1" + std::string(n, ']'); };
  MustParse(nested(32));
  ExpectRefused(nested(33), Code::kTooLarge, "nested deeper than 32");
  for (const char* step : {"[", "{", "{a: ", "- ", "? ", "[{a: "}) {
    std::string hostile;
    while (hostile.size() < 100'000) hostile += step;
    const auto parsed = ParseYaml(hostile, "t.yaml");
    EXPECT_FALSE(parsed.ok()) << step;
  }
}

TEST(Yaml, SizesAreBounded) {
  const std::string comment = "# " + std::string((size_t{1} << 20) - 3, 'x') + "\n";
  ASSERT_EQ(comment.size(), size_t{1} << 20);
  MustParse(comment);
  ExpectRefused(comment + "\n", Code::kTooLarge, "1 MiB");
  std::string many = "[";
  for (int i = 0; i < 70'000; ++i) many += "1,\n";
  ExpectRefused(many + "]", Code::kTooLarge, "65536 values");
}

TEST(Yaml, BooleansAreExactlyTrueOrFalse) {
  EXPECT_TRUE(At("a: true", "a").AsBool().value());
  EXPECT_FALSE(At("a: false", "a").AsBool().value());
  for (const char* bad : {"a: yes", "a: True", "a: 'true'", "a: 1", "a: on", "a: ", "a: [true]"})
    EXPECT_EQ(At(bad, "a").AsBool().code(), Code::kConfigWrongType) << bad;
}

TEST(Yaml, IntegersAreDecimalAndInRange) {
  EXPECT_EQ(At("a: 0", "a").AsInt(0, 5).value(), 0);
  EXPECT_EQ(At("a: -7", "a").AsInt(-7, 5).value(), -7);
  EXPECT_EQ(At("a: 9223372036854775807", "a").AsInt(0, INT64_MAX).value(), INT64_MAX);
  EXPECT_EQ(At("a: -9223372036854775808", "a").AsInt(INT64_MIN, 0).value(), INT64_MIN);
  for (const char* bad : {"a: 6", "a: -1", "a: 9223372036854775808", "a: 99999999999999999999"})
    EXPECT_EQ(At(bad, "a").AsInt(0, 5).code(), Code::kConfigBadValue) << bad;
  for (const char* bad : {"a: '1'", "a: 0x1", "a: 01", "a: -0", "a: +1", "a: 1.0", "a: 1e0",
                          "a: 1_0", "a: x", "a: ", "a: [1]", "a: 1 2"})
    EXPECT_EQ(At(bad, "a").AsInt(0, 5).code(), Code::kConfigWrongType) << bad;
}

TEST(Yaml, SecondsHaveAUnit) {
  EXPECT_EQ(At("a: 90s", "a").AsSeconds().value(), 90U);
  EXPECT_EQ(At("a: 15m", "a").AsSeconds().value(), 900U);
  EXPECT_EQ(At("a: 12h", "a").AsSeconds().value(), 43200U);
  EXPECT_EQ(At("a: 7d", "a").AsSeconds().value(), 604800U);
  EXPECT_EQ(At("a: 0s", "a").AsSeconds().value(), 0U);
  for (const char* bad : {"a: 5", "a: s", "a: 5w", "a: -5s", "a: '5s'", "a: 5 s", "a: 1.5h", "a: "})
    EXPECT_EQ(At(bad, "a").AsSeconds().code(), Code::kConfigWrongType) << bad;
  for (const char* bad : {"a: 99999999999999999999s", "a: 18446744073709551615d", "a: 36601d"})
    EXPECT_EQ(At(bad, "a").AsSeconds().code(), Code::kConfigBadValue) << bad;
}

TEST(Yaml, WrongTypesNameThePlace) {
  const auto value = At("a: 1\nexpect:\n  tee: [x]\n", "expect");
  EXPECT_THAT(value.AsText().error().Text(), HasSubstr("t.yaml:2: expect: wanted a text"));
  EXPECT_THAT(value.AsList().error().Text(), HasSubstr("t.yaml:2: expect: wanted a list"));
  const auto tee = *value.AsMap().value().Take("tee");
  EXPECT_THAT(tee.AsMap().error().Text(), HasSubstr("t.yaml:3: expect.tee: wanted a mapping"));
  EXPECT_THAT(tee.Bad("why").Text(), HasSubstr("t.yaml:3: expect.tee: why"));
  EXPECT_EQ(tee.Bad("why").code(), Code::kConfigBadValue);
}

TEST(Yaml, ValuesThatAreMissingHaveNoType) {
  for (const char* text : {"a:", "a: ~", "a: null"}) {
    const auto value = At(text, "a");
    EXPECT_FALSE(value.IsScalar() || value.IsList() || value.IsMap());
    EXPECT_EQ(value.AsText().code(), Code::kConfigWrongType);
    EXPECT_EQ(value.AsMap().code(), Code::kConfigWrongType);
  }
  EXPECT_EQ(At("a: ''", "a").AsText().value(), "");
  EXPECT_EQ(At("a: 'null'", "a").AsText().value(), "null");
}

TEST(Yaml, UnknownKeysAreNamedWithThoseKnown) {
  auto map = MustParse("listen: 1\nworker: 2\n").AsMap();
  ASSERT_TRUE(map.ok());
  EXPECT_TRUE(map.value().Take("listen").has_value());
  EXPECT_FALSE(map.value().Take("workers").has_value());
  const Status finish = map.value().Finish();
  ASSERT_FALSE(finish.ok());
  EXPECT_EQ(finish.code(), Code::kConfigUnknownKey);
  EXPECT_THAT(finish.error().Text(), HasSubstr("t.yaml:2: worker"));
  EXPECT_THAT(finish.error().Text(), HasSubstr("did you mean workers?"));
  EXPECT_THAT(finish.error().Text(), HasSubstr("known here: listen, workers"));
}

TEST(Yaml, HostileKeysDoNotReachTheTerminal) {
  auto map = MustParse("\"\\e[31m\\n" + std::string(500, 'k') + "\": 1\n").AsMap();
  ASSERT_TRUE(map.ok());
  const Status finish = map.value().Finish();
  ASSERT_FALSE(finish.ok());
  EXPECT_THAT(finish.error().Text(), HasSubstr("?[31m?kkk"));
  EXPECT_LT(finish.error().Text().size(), 300U);
}

TEST(Yaml, RequireNamesTheMissingKey) {
  auto map = MustParse("a: 1\n").AsMap();
  EXPECT_TRUE(map.value().Require("a").ok());
  const auto missing = map.value().Require("state");
  EXPECT_EQ(missing.code(), Code::kConfigMissingKey);
  EXPECT_THAT(missing.error().Text(), HasSubstr("t.yaml:1: the key state is missing"));
}

TEST(Yaml, TakeAllKeepsTheOrderOfTheFile) {
  auto map = MustParse("z: 1\na: 2\n<<: 3\n").AsMap();
  const auto all = map.value().TakeAll();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].first, "z");
  EXPECT_EQ(all[1].first, "a");
  EXPECT_EQ(all[2].first, "<<");  // a key like any other: nothing is merged
  EXPECT_TRUE(map.value().Finish().ok());
}

TEST(Yaml, FilesThatCannotBeReadSayWhy) {
  const auto missing = ParseYamlFile("/nonexistent/x.yaml");
  EXPECT_EQ(missing.code(), Code::kConfigNotFound);
  EXPECT_THAT(missing.error().Text(), HasSubstr("/nonexistent/x.yaml: No such file"));
  EXPECT_EQ(ParseYamlFile("/").code(), Code::kConfigNotFound);
  std::string path = "/tmp/keyclave_yaml_XXXXXX";
  const int fd = mkstemp(path.data());
  ASSERT_GE(fd, 0);
  close(fd);
  std::ofstream(path) << "a: 5\n";
  const auto parsed = ParseYamlFile(path);
  unlink(path.c_str());
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed.value().AsMap().value().Take("a")->Where(), path + ":1: a");
}

// Whatever is cut from, or flipped in, a text: an answer, never an exception or a crash.
TEST(Yaml, DamagedTextsAreAnswered) {
  const std::string good =
      "a: {b: [1, 'two', \"three\\n\"], c: |\n  block\n }\nd:\n  - e: >-\n      folded\n    f: g\n";
  for (size_t n = 0; n <= good.size(); ++n) (void)ParseYaml(good.substr(0, n), "t");
  for (size_t i = 0; i < good.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
      const auto parsed = ParseYaml(bad, "t");
      EXPECT_TRUE(parsed.ok() || !parsed.error().detail().empty());
    }
  }
}

}  // namespace
}  // namespace keyclave
