// Requests in files: what is shown is what is signed, and a file of another form is none.
#include "enclave/ctl/request_file.h"

#include <gtest/gtest.h>

#include "enclave/base/hash.h"
#include "enclave/ctl/document_history.h"
#include "enclave/ctl/request_text.h"

namespace keyclave::ctl {
namespace {

using wire::Op;

constexpr std::string_view kPolicy =
    "policy: edge\nversion: 2\npermit:\n  - operations: [sign]\n    when: {measurement: {is: "
    "abab}}\n";

template <Op op>
wire::Statement StatementOf(typename wire::OpTraits<op>::Request request, uint8_t token = 1) {
  wire::TokenId id{};
  id[0] = token;
  if constexpr (requires { request.token; }) request.token = id;
  return {.label = std::string(wire::kStatementLabel),
          .enclave_id = std::string(32, 'e'),
          .token = id,
          .sequence = 7,
          .expires = 4'000'000'000,
          .op = static_cast<uint64_t>(op),
          .request = wire::Encode(request)};
}

wire::Statement Apply(uint8_t token = 1) {
  return StatementOf<Op::kApplyPolicy>({.token = {}, .text = std::string(kPolicy)}, token);
}

RequestFile FileOf(const std::vector<wire::Statement>& statements) {
  RequestFile file;
  file.token_label = "edge";
  for (const wire::Statement& statement : statements) {
    auto item = MakeRequestItem({wire::Encode(statement), {{"ops", ToBytes("signature")}}});
    EXPECT_TRUE(item.ok()) << item.error().Text();
    file.items.push_back(*std::move(item));
  }
  return file;
}

bool Says(const std::vector<std::string>& lines, std::string_view what) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const std::string& line) { return line.find(what) != std::string::npos; });
}

TEST(RequestFile, IsReadAsItWasWritten) {
  const RequestFile file = FileOf({Apply(), StatementOf<Op::kDeleteToken>({})});
  const auto read = ParseRequestFile(PrintRequestFile(file));
  ASSERT_TRUE(read.ok()) << read.error().Text();
  ASSERT_EQ(read->items.size(), 2U);
  EXPECT_EQ(read->token_label, "edge");
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(read->items[i].request.statement, file.items[i].request.statement);
    EXPECT_EQ(read->items[i].request.signatures[0].owner, "ops");
    EXPECT_EQ(read->items[i].what, file.items[i].what);
  }
}

TEST(RequestFile, OtherFilesAreNone) {
  const std::string good = PrintRequestFile(FileOf({Apply()}));
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    return ParseRequestFile(text.replace(text.find(from), from.size(), to)).ok();
  };
  EXPECT_TRUE(with("edge", "edge"));
  EXPECT_FALSE(with("keyclave/request/1", "keyclave/request/2"));
  EXPECT_FALSE(with("\"token\"", "\"taken\""));
  EXPECT_FALSE(with("\"signatures\": [", "\"signatures\": [0, "));
  EXPECT_FALSE(with("\"token\"", "\"token\": \"a\", \"token\""));
  EXPECT_FALSE(ParseRequestFile("").ok());
  EXPECT_FALSE(ParseRequestFile(PrintRequestFile(FileOf({Apply(1), Apply(2)}))).ok());
}

// lesson 19: the words of the file are nothing; what is shown comes from the signed bytes.
TEST(RequestText, EveryRequestIsShown) {
  EXPECT_TRUE(Says(*DescribeStatement(Apply()), "measurement: {is: abab}"));
  EXPECT_TRUE(Says(*DescribeStatement(StatementOf<Op::kApplySet>({{}, "set: x\n"})), "set: x"));
  EXPECT_TRUE(Says(*DescribeStatement(StatementOf<Op::kDeleteToken>({})), "every key"));
  wire::DestroyObjectRequest destroy;
  destroy.object.label = "www";
  EXPECT_TRUE(Says(*DescribeStatement(StatementOf<Op::kDestroyObject>(destroy)), "label www"));
  wire::RevokeRequest revoke;
  revoke.whom = "svn: {max: 3}";
  revoke.reason = "CVE";
  const auto revoked = *DescribeStatement(StatementOf<Op::kRevoke>(revoke));
  EXPECT_TRUE(Says(revoked, "svn: {max: 3}"));
  EXPECT_TRUE(Says(revoked, "reason: CVE"));
  wire::SetOwnerRequest owner;
  owner.owner.owner.name = "eve";
  EXPECT_TRUE(Says(*DescribeStatement(StatementOf<Op::kSetOwner>(owner)), "eve, an owner"));
}

TEST(RequestText, WhatCannotBeShownIsNoRequest) {
  EXPECT_FALSE(DescribeStatement(StatementOf<Op::kOwnerLogin>({})).ok());
  EXPECT_FALSE(DescribeStatement(StatementOf<Op::kAdminister>({})).ok());
  EXPECT_FALSE(DescribeStatement(StatementOf<Op::kShowPolicy>({})).ok());
  wire::Statement unknown = Apply();
  unknown.op = 59999;
  EXPECT_FALSE(DescribeStatement(unknown).ok());
  wire::Statement cut = Apply();
  cut.request.pop_back();
  EXPECT_FALSE(DescribeStatement(cut).ok());
  // Of one token in the statement and another in the request, one would be shown and one changed.
  wire::Statement other = Apply();
  other.token[0] = 9;
  EXPECT_FALSE(DescribeStatement(other).ok());
}

TEST(RequestText, TerminalsAreNotFooled) {
  const auto lines =
      *DescribeStatement(StatementOf<Op::kApplySet>({{}, "set: x # \x1b[2K\rnothing\n"}));
  for (const std::string& line : lines) EXPECT_EQ(line.find('\x1b'), std::string::npos);
}

TEST(RequestFile, HistoryNeedsMoreThanASignature) {
  wire::DocumentVersion version{.name = "edge",
                                .version = 2,
                                .text = std::string(kPolicy),
                                .digest = Sha256(AsBytes(kPolicy)),
                                .applied = 1,
                                .authority = wire::AdministerRequest{wire::Encode(Apply()), {}}};
  const wire::TokenId token = Apply().token;
  const auto bad = [&](const wire::DocumentVersion& of) {
    return CheckVersion(of, wire::DocumentKind::kPolicy, std::string(32, 'e'), token, {}).bad;
  };
  EXPECT_NE(bad(version).find("no signature"), std::string::npos);
  version.authority->signatures.push_back({"ops", ToBytes("x")});
  EXPECT_NE(bad(version).find("no key of ops"), std::string::npos);
  wire::DocumentVersion other = version;
  other.version = 3;
  EXPECT_NE(bad(other).find("another name or version"), std::string::npos);
  other = version;
  other.text += "# more\n";
  EXPECT_NE(bad(other).find("digest"), std::string::npos);
  other.digest = Sha256(AsBytes(other.text));
  EXPECT_NE(bad(other).find("not the one that was signed"), std::string::npos);
  other = version;
  other.authority->statement = wire::Encode(Apply(2));
  EXPECT_NE(bad(other).find("another enclave or token"), std::string::npos);
  other.authority->statement = wire::Encode(StatementOf<Op::kDeleteToken>({}));
  EXPECT_NE(bad(other).find("something else"), std::string::npos);
}

}  // namespace
}  // namespace keyclave::ctl
