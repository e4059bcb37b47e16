// Sources that were made to hurt: cut, nested, huge. And what all conversions promise.

#include <filesystem>

#include "tests/fakes/paths.h"
#include "tests/unit/convert/convert_checks.h"

namespace keyclave::ctl::convert {
namespace {

namespace fs = std::filesystem;

Options Generous() {
  Options options;
  options.allow_unattested = true;
  options.resource = "night/keys/one";
  return options;
}

Options For(const std::string& dialect) {
  Options options;
  options.allow_unattested = true;
  if (dialect == "trustee") options.resource = "night/keys/one";
  if (dialect == "capsulemanager") options.parties["MILL"] = {"tls.san", "mill.example"};
  return options;
}

const std::vector<std::string> kDialects = {"azure-skr", "aecs", "capsulemanager", "trustee"};

// Whatever came out is a policy, and gives nothing to who shows nothing.
void ExpectSound(const Result<std::vector<Converted>>& list) {
  if (!list.ok()) return;
  for (const Converted& converted : *list) {
    if (!converted.text.has_value()) continue;
    EXPECT_FALSE(Allows(converted, ClaimSet(), Operation::kRelease)) << *converted.text;
    EXPECT_FALSE(Allows(converted, ClaimSet(), Operation::kRead)) << *converted.text;
  }
}

TEST(Conversions, EveryExampleCutAnywhere) {
  size_t files = 0;
  for (const std::string& dialect : kDialects) {
    const fs::path folder = fs::path(fakes::SourcePath("tests/data/convert")) / dialect;
    for (const auto& entry : fs::directory_iterator(folder)) {
      const std::string text = Example(dialect, entry.path().filename());
      for (size_t length = 0; length <= text.size(); ++length)
        ExpectSound(Convert(dialect, text.substr(0, length), "cut", For(dialect)));
      ++files;
    }
  }
  EXPECT_GT(files, 12U);
}

TEST(Conversions, DeepNesting) {
  for (const size_t depth : {30U, 40U, 100'000U}) {
    const std::string condition =
        R"({"claim": "x-ms-sgx-mrenclave", "equals": ")" + Repeated("6d", 32) + "\"}";
    std::string open;
    std::string close;
    for (size_t i = 0; i < depth; ++i) {
      open += R"({"anyOf":[)";
      close += "]}";
    }
    ExpectSound(
        Convert("azure-skr",
                R"({"version": "1.0.0", "anyOf": [{"authority": "https://a.example", "allOf": [)" +
                    open + condition + close + "]}]}",
                "deep", For("azure-skr")));
    const std::string inner = Repeated("(", depth) + "true" + Repeated(")", depth);
    for (const std::string& expression :
         {inner, Repeated("!", depth) + "true", inner + " || " + inner}) {
      const nlohmann::json policy = {
          {"data_uuid", "d"},
          {"rules",
           {{{"grantee_party_ids", {"MILL"}},
             {"columns", {"*"}},
             {"op_constraints", {{{"op_name", "*"}, {"constraints", {expression}}}}},
             {"global_constraints",
              {"r.env.tee.sgx.mr_enclave == \"" + Repeated("6d", 32) + "\""}}}}}};
      ExpectSound(Convert("capsulemanager", policy.dump(), "deep", For("capsulemanager")));
    }
    ExpectSound(Convert(
        "trustee",
        "package policy\ndefault allow = false\nallow if {\n" + Repeated("{", depth) + "\n}\n",
        "deep", For("trustee")));
  }
}

// More than a policy can hold is refused, and does not take for ever.
TEST(Conversions, Huge) {
  std::string conditions;
  for (int i = 0; i < 20'000; ++i) {
    conditions.append(i == 0 ? "" : ",")
        .append(R"({"claim": "x-ms-sgx-svn", "equals": )" + std::to_string(i) + "}");
  }
  const auto azure =
      Convert("azure-skr",
              R"({"version": "1.0.0", "anyOf": [{"authority": "https://a.example", "anyOf": [)" +
                  conditions + "]}]}",
              "huge", For("azure-skr"));
  ASSERT_TRUE(azure.ok()) << azure.error().Text();
  EXPECT_EQ(azure->front().text, std::nullopt);
  std::string rows;
  for (int i = 0; i < 300; ++i) rows += "      - mrenclave: " + Repeated("6d", 32) + "\n";
  const auto aecs = Convert(
      "aecs",
      "kind: SecretPolicy\nsecrets:\n- spec:\n    name: k\n    type: SECRET_TYPE_AES256_KEY\n"
      "    policy:\n      enclaveMatchAnyRules:\n" +
          rows,
      "huge", {});
  ASSERT_TRUE(aecs.ok()) << aecs.error().Text();
  EXPECT_EQ(aecs->front().text, std::nullopt);  // more than 256 permits
  for (const std::string& dialect : kDialects)
    EXPECT_EQ(Convert(dialect, std::string(kMaxSource + 1, ' '), "huge", {}).code(),
              Code::kTooLarge);
}

TEST(Conversions, NamesAreMadeFit) {
  const auto named = [](const std::string& uuid) {
    const nlohmann::json policy = {{"data_uuid", uuid}, {"rules", nlohmann::json::array()}};
    const auto list = Convert("capsulemanager", policy.dump(), "p", {});
    return list.ok() ? list->front().name : list.error().Text();
  };
  EXPECT_EQ(named("a/b c"), "a-b-c");
  EXPECT_EQ(named("../x"), "x.-x");
  EXPECT_EQ(named("\n"), "x");
  EXPECT_EQ(named(std::string(100, 'a')).size(), 64U);
}

TEST(Conversions, OptionsOfOtherDialectsAreMistakes) {
  EXPECT_EQ(Convert("azure-skr", "{}", "p", Generous()).code(), Code::kInvalidArgument);
  EXPECT_EQ(Convert("opa", "{}", "p", {}).code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace keyclave::ctl::convert
