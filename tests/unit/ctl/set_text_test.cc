// Sets: entries that are added to a text, and what a new version lets in.
#include "enclave/ctl/set_text.h"

#include <gtest/gtest.h>

#include "enclave/ctl/weakening.h"

namespace keyclave::ctl {
namespace {

using authz::SetDocument;

const std::string kText =
    "# of the edge\nset: prod\nversion: 4\nentries:\n  - value: aa # the first\n    reason: one\n"
    "  - value: bb\n    not_after: 2027-01-01\n    reason: two\n";

SetDocument::Entry EntryOf(const std::string& value) {
  return {.value = value,
          .not_before = 1'800'000'000,
          .not_after = std::nullopt,
          .reason = "say \"why\": # here",
          .line = 0};
}

SetDocument Parsed(const std::string& text) {
  auto set = SetDocument::Parse(text, "test");
  EXPECT_TRUE(set.ok()) << set.error().Text();
  return *std::move(set);
}

TEST(SetText, KeepsWhatItsAuthorsWrote) {
  const auto changed = WithEntry(kText, EntryOf("cc"));
  ASSERT_TRUE(changed.ok()) << changed.error().Text();
  EXPECT_NE(changed->find("# of the edge\nset: prod\nversion: 5\n"), std::string::npos);
  EXPECT_NE(changed->find("aa # the first"), std::string::npos);
  const SetDocument set = Parsed(*changed);
  ASSERT_EQ(set.entries().size(), 3U);
  EXPECT_EQ(set.entries()[2].value, "cc");
  EXPECT_EQ(set.entries()[2].not_before, 1'800'000'000);
  EXPECT_EQ(set.entries()[2].reason, "say \"why\": # here");
}

TEST(SetText, KnowsTheUsualLayouts) {
  for (const std::string& text :
       {std::string("set: prod\nversion: 1\nentries: []\n"),
        std::string("set: prod\nversion: 1\nentries:\n- value: aa\n  reason: x\n"),
        std::string("set: prod\nversion: 1\nentries:\n  - value: aa\n    reason: x"),
        std::string("set: prod\nentries:\n  - {value: aa, reason: x}\nversion: 1\n")}) {
    const auto changed = WithEntry(text, EntryOf("cc"));
    ASSERT_TRUE(changed.ok()) << text;
    EXPECT_EQ(Parsed(*changed).version(), 2U);
    EXPECT_EQ(Parsed(*changed).entries().back().value, "cc");
  }
}

TEST(SetText, LeavesOthersToPeople) {
  for (const std::string& text :
       {std::string("{set: prod, version: 1, entries: []}\n"),
        std::string("set: prod\nversion: 1\nentries: [{value: aa, reason: x}]\n")})
    EXPECT_EQ(WithEntry(text, EntryOf("cc")).code(), Code::kInvalidArgument) << text;
}

TEST(Weakening, OfSetsIsWhatTheyLetIn) {
  const SetDocument before = Parsed(kText);
  const auto weaker = [&](const std::string& from, const std::string& to) {
    std::string text = kText;
    return Weakenings(before, Parsed(text.replace(text.find(from), from.size(), to))).size();
  };
  EXPECT_EQ(weaker("version: 4", "version: 5"), 0U);
  EXPECT_EQ(weaker("not_after: 2027-01-01", "not_after: 2026-12-01"), 0U);
  EXPECT_EQ(weaker("reason: one", "reason: another"), 0U);
  EXPECT_EQ(weaker("  - value: aa # the first\n    reason: one\n", ""), 0U);
  EXPECT_EQ(weaker("value: aa", "value: cc"), 1U);
  EXPECT_EQ(weaker("not_after: 2027-01-01", "not_after: 2027-01-02"), 1U);
  EXPECT_EQ(weaker("    not_after: 2027-01-01\n", ""), 1U);
  EXPECT_EQ(weaker("entries:", "change: {quorum: 1, of: [ops]}\nentries:"), 1U);
}

TEST(Weakening, DifferencesAreTold) {
  std::string text = kText;
  text.replace(text.find("bb"), 2, "cc");
  const std::vector<std::string> lines = Differences(Parsed(kText), Parsed(text));
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_TRUE(lines[0].starts_with("- bb until 2027-01-01T00:00:00Z"));
  EXPECT_TRUE(lines[1].starts_with("+ cc"));
}

}  // namespace
}  // namespace keyclave::ctl
