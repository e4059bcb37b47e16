// What an apply would do: nothing twice, nothing replaced.
#include "enclave/ctl/apply_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "enclave/base/file.h"
#include "tests/fakes/temporary_directory.h"

namespace keyclave::ctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Action = PolicyStep::Action;

std::string Policy(const std::string& name, int version, const std::string& operations = "sign",
                   const std::string& head = {}) {
  return "policy: " + name + "\nversion: " + std::to_string(version) + "\n" + head +
         "permit:\n  - operations: [" + operations +
         "]\n    mechanisms: [ecdsa]\n    when: {measurement: {is: " + std::string(64, 'a') +
         "}}\n";
}
std::string InFile(const std::string& policy) {
  std::string indented = "policies:\n  - text: |\n";
  std::istringstream lines(policy);
  for (std::string line; std::getline(lines, line);) indented += "      " + line + "\n";
  return indented;
}

SecretsFile Read(const std::string& text) {
  auto file = ParseSecretsFile(text, "s.yaml");
  EXPECT_TRUE(file.ok()) << file.error().Text();
  return file.ok() ? std::move(file).value() : SecretsFile();
}
Plan Make(const SecretsFile& file, const Present& present) {
  auto plan = MakePlan(file, present);
  EXPECT_TRUE(plan.ok()) << plan.error().Text();
  return plan.ok() ? std::move(plan).value() : Plan();
}

// An object of the token, as it is when this type of key was made without further wishes.
wire::ObjectInfo Object(uint64_t object_class, const std::string& policy) {
  wire::ObjectInfo object;
  object.attributes.SetUlong(CKA_CLASS, object_class);
  object.attributes.SetText(CKA_LABEL, "k");
  object.attributes.SetText(kCkaPolicy, policy);
  return object;
}
wire::ObjectInfo AesKey(uint64_t bits, const std::string& policy, bool extractable = false) {
  wire::ObjectInfo key = Object(CKO_SECRET_KEY, policy);
  key.attributes.SetUlong(CKA_KEY_TYPE, CKK_AES);
  key.attributes.SetUlong(CKA_VALUE_LEN, bits / 8);
  for (const uint64_t type :
       {CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP, CKA_PRIVATE, CKA_SENSITIVE})
    key.attributes.SetBool(type, true);
  key.attributes.SetBool(CKA_EXTRACTABLE, extractable);
  return key;
}
wire::ObjectInfo Data(const std::string& policy, const std::optional<std::string>& value,
                      const std::string& application = {}) {
  wire::ObjectInfo data = Object(CKO_DATA, policy);
  if (!application.empty()) data.attributes.SetText(CKA_APPLICATION, application);
  if (value.has_value()) data.attributes.SetText(CKA_VALUE, *value);
  return data;
}

std::string Secret(const std::string& more) { return "secrets:\n  - {name: k, " + more + "}\n"; }

// Conflicts of one secret with what is there under its name.
std::vector<std::string> Conflicts(const std::string& more,
                                   const std::vector<wire::ObjectInfo>& objects) {
  const SecretsFile file = Read(Secret(more));
  Present present{.token = wire::TokenInfo()};
  present.objects["k"] = objects;
  return Make(file, present).conflicts;
}

TEST(ApplyPlan, WhatIsNotThereIsMade) {
  const SecretsFile file =
      Read(InFile(Policy("p", 3)) + Secret("type: ec:p256, policy: p, share: public"));
  const Plan plan = Make(file, {});
  ASSERT_THAT(plan.policies, SizeIs(2));
  EXPECT_EQ(plan.policies[0].action, Action::kCreate);
  EXPECT_EQ(plan.policies[0].after, 3U);
  EXPECT_EQ(plan.policies[1].name, "public");
  EXPECT_TRUE(authz::Policy::Parse(plan.policies[1].text, "public").ok());
  ASSERT_THAT(plan.secrets, SizeIs(1));
  EXPECT_TRUE(plan.secrets[0].creates);
  EXPECT_EQ(plan.secrets[0].public_policy, "public");
  EXPECT_FALSE(plan.IsDone());
  EXPECT_THAT(plan.conflicts, IsEmpty());
}

TEST(ApplyPlan, WhatIsThereStays) {
  const SecretsFile file = Read(InFile(Policy("p", 3)) + Secret("type: aes:256, policy: p"));
  Present present{.token = wire::TokenInfo()};
  present.policies["p"] = Policy("p", 3);
  present.objects["k"] = {AesKey(256, "p")};
  const Plan plan = Make(file, present);
  EXPECT_TRUE(plan.IsDone());
  EXPECT_THAT(plan.conflicts, IsEmpty());
}

TEST(ApplyPlan, PoliciesChangeByVersionsThatRise) {
  const auto step = [](const std::string& now, const std::string& before) {
    const SecretsFile file = Read(InFile(now));
    Present present{.token = wire::TokenInfo()};
    present.policies["p"] = before;
    return Make(file, present);
  };
  const Plan raised = step(Policy("p", 4, "sign, verify"), Policy("p", 3));
  EXPECT_EQ(raised.policies[0].action, Action::kChange);
  EXPECT_EQ(raised.policies[0].before, 3U);
  EXPECT_EQ(raised.policies[0].after, 4U);
  EXPECT_EQ(authz::Overall(raised.policies[0].changes), authz::ChangeVerdict::kWeaker);
  EXPECT_THAT(step(Policy("p", 3, "sign, verify"), Policy("p", 3)).conflicts,
              ElementsAre(HasSubstr("raise its version")));
  EXPECT_THAT(step(Policy("p", 2), Policy("p", 3)).conflicts, SizeIs(1));
  EXPECT_THAT(step(Policy("p", 4), Policy("p", 3, "sign", "locked: true\n")).conflicts,
              ElementsAre(HasSubstr("is locked")));
}

TEST(ApplyPlan, APolicyWithoutAVersionTakesTheNext) {
  SecretsFile file = Read(InFile(Policy("p", 1)));
  file.policies[0].any_version = true;
  Present present{.token = wire::TokenInfo()};
  present.policies["p"] = Policy("p", 7);
  EXPECT_TRUE(Make(file, present).IsDone()) << "it says the same";
  present.policies["p"] = Policy("p", 7, "sign, verify");
  const Plan plan = Make(file, present);
  EXPECT_EQ(plan.policies[0].action, Action::kChange);
  const auto next = authz::Policy::Parse(plan.policies[0].text, "next");
  ASSERT_TRUE(next.ok());
  EXPECT_EQ(next->version(), 8U);
}

TEST(ApplyPlan, TheTokensOwnPolicyForPublicPartsCounts) {
  const SecretsFile file = Read(Secret("type: ec:p256, share: public"));
  Present present{.token = wire::TokenInfo()};
  present.policies["public"] = Policy("public", 5, "verify");
  EXPECT_THAT(Make(file, present).policies, IsEmpty());
}

TEST(ApplyPlan, WhatIsThereAndDiffersIsAConflict) {
  EXPECT_THAT(Conflicts("type: aes:256", {AesKey(256, "any")}), IsEmpty());
  EXPECT_THAT(Conflicts("type: aes:128", {AesKey(256, "p")}),
              ElementsAre(HasSubstr("is there as AES 256, wanted aes:128")));
  EXPECT_THAT(Conflicts("type: sm2", {AesKey(256, "p")}), Not(IsEmpty()));
  EXPECT_THAT(Conflicts("type: aes:256, policy: q", {AesKey(256, "p")}),
              ElementsAre(HasSubstr("is under policy p, wanted q")));
  EXPECT_THAT(Conflicts("type: aes:256", {AesKey(256, "p", true)}),
              ElementsAre(HasSubstr("its extractable is yes, wanted no")));
  EXPECT_THAT(Conflicts("type: aes:256, usage: [encrypt]", {AesKey(256, "p")}), SizeIs(3));
  EXPECT_THAT(Conflicts("type: aes:256", {AesKey(256, "p"), AesKey(256, "p")}),
              ElementsAre(HasSubstr("is there 2 times")));
  EXPECT_THAT(Conflicts("type: aes:256", {AesKey(256, "p"), Data("p", "x")}),
              ElementsAre(HasSubstr("is there as a data")));
  EXPECT_THAT(Conflicts("type: ec:p256", {Object(CKO_CERTIFICATE, "p")}),
              ElementsAre(HasSubstr("alone")));
  EXPECT_THAT(Conflicts("type: data, value: x, secret: false", {Data("p", "x")}), IsEmpty());
  EXPECT_THAT(Conflicts("type: data, value: x, secret: false", {Data("p", "y")}),
              ElementsAre(HasSubstr("another value")));
  const std::string configuration(kConfigurationApplication);
  EXPECT_THAT(
      Conflicts("type: configuration, values: {a: b}", {Data("p", R"({"a":"b"})", configuration)}),
      IsEmpty());
  EXPECT_THAT(Conflicts("type: configuration, values: {a: b}", {Data("p", R"({"a":"b"})")}),
              ElementsAre(HasSubstr("is there as data, and no configuration")));
}

TEST(ApplyPlan, WhatCannotBeComparedIsSaid) {
  const SecretsFile file = Read(Secret("type: data, value: x, secret: false"));
  Present present{.token = wire::TokenInfo()};
  present.objects["k"] = {Data("p", std::nullopt)};
  const Plan plan = Make(file, present);
  EXPECT_THAT(plan.conflicts, IsEmpty());
  EXPECT_THAT(plan.secrets[0].note, HasSubstr("cannot be compared"));
}

TEST(ApplyPlan, WhatTheFileGetsWrongIsAnErrorWithItsPlace) {
  const auto wrong = [](const std::string& text) {
    const auto plan = MakePlan(Read(text), {});
    return plan.ok() ? std::string() : plan.error().Text();
  };
  EXPECT_THAT(wrong(InFile("policy: p\n")), HasSubstr("s.yaml:2: policies[1]"));
  EXPECT_THAT(wrong(InFile(Policy("p", 1)) + "  - text: 'policy: p'\n"), HasSubstr("s.yaml"));
  EXPECT_THAT(wrong(InFile(Policy("p", 1)) + Secret("type: sm2, policy: p, extractable: true")),
              HasSubstr("s.yaml:10: secrets[1].extractable: no permit of policy p"));
  EXPECT_THAT(
      wrong("token: {label: a, create: true, default_policy: q}\n" + InFile(Policy("p", 1))),
      HasSubstr("token.default_policy: q is none of the policies"));
}

TEST(ApplyPlan, SecretsAreUnderPoliciesThatThereAre) {
  const SecretsFile file = Read(Secret("type: aes:256, policy: p, extractable: true"));
  Present present{.token = wire::TokenInfo()};
  const auto wrong = [&] {
    const auto plan = MakePlan(file, present);
    return plan.ok() ? std::string() : plan.error().Text();
  };
  EXPECT_EQ(wrong(), "") << "nobody knows";
  present.absent = {"p"};
  EXPECT_THAT(wrong(), HasSubstr("s.yaml:2: secrets[1].policy: p is none of the file's"));
  present.absent = {};
  present.policies["p"] = Policy("p", 1);
  EXPECT_THAT(wrong(), HasSubstr("s.yaml:2: secrets[1].extractable: no permit of policy p"));
  present.policies["p"] = Policy("p", 1, "sign, release");
  EXPECT_EQ(wrong(), "");
}

TEST(ApplyPlan, TheNamesOfPoliciesAreThoseThatArePutAndUsed) {
  const auto names =
      PolicyNamesOf(Read(InFile(Policy("p", 1)) +
                         "secrets:\n  - {name: a, type: sm2, policy: p, share: public}\n"
                         "  - {name: b, type: sm2, policy: q}\n  - {name: c, type: sm2}\n"));
  ASSERT_TRUE(names.ok()) << names.error().Text();
  EXPECT_THAT(names->put, ElementsAre("p", "public"));
  EXPECT_THAT(names->used, ElementsAre("q"));
}

TEST(ApplyPlan, FilesAreLookedForBesideTheFile) {
  const fakes::TemporaryDirectory folder;
  const std::string path = folder.path() + "/s.yaml";
  const auto write = [&](const std::string& name, std::string_view text) {
    ASSERT_TRUE(WriteNewFile(folder.path() + "/" + name, AsBytes(text), 0600).ok());
  };
  write("p.yaml", Policy("p", 1));
  write("blob", "blob");
  write("short", "short");
  write("empty", "");
  SecretsFile file = Read("policies: [{file: p.yaml}]\n" + Secret("type: data, file: blob"));
  ASSERT_TRUE(ReadNamedFiles(file, path).ok());
  EXPECT_EQ(file.policies[0].text, Policy("p", 1));
  EXPECT_EQ(AsText(file.secrets[0].value->Expose(SecretAccess())), "blob");
  const auto wrong = [&](const std::string& text) {
    SecretsFile one = Read(text);
    const Status read = ReadNamedFiles(one, path);
    return read.ok() ? std::string() : read.error().Text();
  };
  EXPECT_THAT(wrong("policies: [{file: none.yaml}]\n"), HasSubstr("s.yaml:1: policies[1]"));
  EXPECT_THAT(wrong(Secret("type: data, file: none")), HasSubstr("s.yaml:2: secrets[1]"));
  EXPECT_THAT(wrong(Secret("type: data, file: empty")), HasSubstr("it is empty"));
  EXPECT_THAT(wrong(Secret("type: aes:256, import: short")),
              HasSubstr("wanted the key's 32 bytes themselves, got 5"));
  EXPECT_THAT(wrong(Secret("type: sm2, import: short")), HasSubstr("short"));
}

}  // namespace
}  // namespace keyclave::ctl
