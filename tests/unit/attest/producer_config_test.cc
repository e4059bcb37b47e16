// `token:` and `evidence:` of a configuration: what they take, and each mistake with its place.

#include "attest/producer_config.h"

#include "tests/fakes/fake_enclaves.h"
#include "tests/unit/attest/produce_fixture.h"

namespace keyclave::attest {
namespace {

class ProducerConfigTest : public ProduceTest {
 protected:
  Status Read(const std::string& text, ProducerConfig& producer) {
    KC_ASSIGN(const YamlValue yaml, ParseYaml(text, "client.yaml"));
    KC_ASSIGN(YamlMap map, yaml.AsMap());
    KC_CHECK_OK(ReadProducer(map, producer));
    return map.Finish();
  }
  Result<std::string> Type(const std::string& word, const ProducerConfig& producer) {
    KC_ASSIGN(const YamlValue yaml, ParseYaml("evidence: " + word, "client.yaml"));
    KC_ASSIGN(YamlMap map, yaml.AsMap());
    KC_ASSIGN(const YamlValue value, map.Require("evidence"));
    return ReadEvidenceType(value, producer);
  }
};

TEST_F(ProducerConfigTest, ATokenComesFromAFileOrACommand) {
  ProducerConfig none;
  ASSERT_TRUE(Read("", none).ok());
  EXPECT_TRUE(none.token_file.empty() && none.token_command.empty());
  ProducerConfig file;
  ASSERT_TRUE(Read("token: {file: /run/token.jwt}", file).ok());
  EXPECT_EQ(file.token_file, "/run/token.jwt");
  EXPECT_TRUE(file.token_command.empty());
  ProducerConfig command;
  ASSERT_TRUE(Read("token: {command: [/usr/bin/print-token, --json, \"\"]}", command).ok());
  EXPECT_EQ(command.token_command,
            (std::vector<std::string>{"/usr/bin/print-token", "--json", ""}));
  EXPECT_TRUE(command.token_file.empty());
}

TEST_F(ProducerConfigTest, NamesEachMistakeAndItsPlace) {
  struct Row {
    const char* text;
    const char* says;
  };
  const Row rows[] = {{"token: {}", "either file or command"},
                      {"token: {file: /a, command: [/b]}", "either file or command"},
                      {"token: {file: token.jwt}", "absolute path"},
                      {"token: {file: \"\"}", "absolute path"},
                      {"token: {file: [/a]}", "token.file"},
                      {"token: {command: []}", "absolute path"},
                      {"token: {command: [print-token]}", "absolute path"},
                      {"token: {command: /usr/bin/print-token}", "token.command"},
                      {"token: {command: [{a: b}]}", "token.command"},
                      {"token: {file: /a, files: /b}", "files"},
                      {"token: /run/token.jwt", "token"}};
  for (const Row& row : rows) {
    ProducerConfig producer;
    const Status read = Read(row.text, producer);
    ASSERT_FALSE(read.ok()) << row.text;
    EXPECT_THAT(read.error().Text(), testing::HasSubstr(row.says)) << row.text;
    EXPECT_THAT(read.error().Text(), testing::HasSubstr("client.yaml:1")) << row.text;
  }
}

TEST_F(ProducerConfigTest, EvidenceIsOfAKnownType) {
  for (const TeeType* type : AllTeeTypes()) {
    const auto found = Type(std::string(type->name), Config());
    ASSERT_TRUE(found.ok()) << type->name;
    EXPECT_EQ(*found, type->name);
  }
  for (const char* word : {"abacus", "\"\"", "SGX", "[sgx]"}) {
    const auto found = Type(word, Config());
    ASSERT_FALSE(found.ok()) << word;
    EXPECT_THAT(found.error().Text(), testing::HasSubstr("client.yaml:1")) << word;
  }
  EXPECT_THAT(Type("abacus", Config()).error().Text(), testing::HasSubstr("none, auto, "));
}

TEST_F(ProducerConfigTest, AutoIsWhatTheMachineHas) {
  const auto nothing = Type("auto", Config());
  ExpectUnavailable(nothing, {"client.yaml:1", "nothing here makes evidence"});
  ProducerConfig token = Config();
  token.token_command = {"/usr/bin/print-token"};
  EXPECT_EQ(*Type("auto", token), "token");
  fakes::FakeGramine gramine;
  host_.Add(gramine);
  EXPECT_EQ(*Type("auto", Config()), "sgx");
}

}  // namespace
}  // namespace keyclave::attest
