#include "enclave/ctl/output.h"

#include <gtest/gtest.h>

#include "enclave/ctl/command.h"
#include "enclave/ctl/installation.h"

namespace keyclave::ctl {
namespace {

TEST(Harmless, KeepsOrdinaryTextAndUmlauts) {
  EXPECT_EQ(Harmless("edge key-1 Schlüssel 鍵"), "edge key-1 Schlüssel 鍵");
  EXPECT_EQ(Harmless(""), "");
}

TEST(Harmless, ShowsControlCharactersInsteadOfSendingThem) {
  EXPECT_EQ(Harmless("a\x1b[31mred"), "a\\x1b[31mred");
  EXPECT_EQ(Harmless("two\nlines\r\t"), "two\\x0alines\\x0d\\x09");
  EXPECT_EQ(Harmless(std::string("nul\0end", 7)), "nul\\x00end");
  EXPECT_EQ(Harmless("del\x7f"), "del\\x7f");
  EXPECT_EQ(Harmless("csi\xc2\x9b"), "csi\\xc2\\x9b");  // U+009B, a control sequence introducer
}

TEST(Harmless, ShowsBrokenUtf8) {
  EXPECT_EQ(Harmless("\xff"), "\\xff");
  EXPECT_EQ(Harmless("cut\xe9\x8d"), "cut\\xe9\\x8d");
  EXPECT_EQ(Harmless("\x80"), "\\x80");
}

TEST(TableText, AlignsColumnsByCharacters) {
  Table table({"LABEL", "N"});
  table.Add({"ä", "1"});
  table.Add({"longer-label", "22"});
  EXPECT_EQ(table.Text(),
            "LABEL         N\n"
            "ä             1\n"
            "longer-label  22\n");
}

TEST(TableText, FillsShortRows) {
  Table table({"A", "B"});
  EXPECT_TRUE(table.empty());
  table.Add({"x"});
  EXPECT_FALSE(table.empty());
  EXPECT_EQ(table.Text(), "A  B\nx  \n");
}

TEST(FieldsText, AlignsValuesAndMakesThemHarmless) {
  Fields fields;
  fields.Add("uri", "pkcs11:object=a");
  fields.Add("label", "b\n");
  EXPECT_EQ(fields.Text(), "uri:    pkcs11:object=a\nlabel:  b\\x0a\n");
}

TEST(ExitCode, TellsUsageRefusalAndUnreachableApart) {
  EXPECT_EQ(ExitCodeOf(Code::kInvalidArgument), kExitUsage);
  EXPECT_EQ(ExitCodeOf(Code::kUnreachable), kExitUnreachable);
  EXPECT_EQ(ExitCodeOf(Code::kDeadline), kExitUnreachable);
  EXPECT_EQ(ExitCodeOf(Code::kDenied), kExitRefused);
  EXPECT_EQ(ExitCodeOf(Code::kConfigUnknownKey), kExitRefused);
}

TEST(ShellQuote, QuotesWhatAShellWouldRead) {
  EXPECT_EQ(ShellQuote("/usr/lib/keyclave.so"), "/usr/lib/keyclave.so");
  EXPECT_EQ(ShellQuote(""), "''");
  EXPECT_EQ(ShellQuote("a b"), "'a b'");
  EXPECT_EQ(ShellQuote("$(reboot)"), "'$(reboot)'");
  EXPECT_EQ(ShellQuote("it's"), "'it'\\''s'");
}

TEST(Tail, GivesTheLastLines) {
  EXPECT_EQ(Tail("a\nb\nc\n", 2), "b\nc");
  EXPECT_EQ(Tail("a\nb\nc", 1), "c");
  EXPECT_EQ(Tail("a\nb", 2), "a\nb");
  EXPECT_EQ(Tail("a\nb", 9), "a\nb");
  EXPECT_EQ(Tail("\n\nx\n", 1), "x");
  EXPECT_EQ(Tail("", 3), "");
}

TEST(OpensslConfig, ActivatesBothProvidersAndQuotesThePath) {
  const std::string text = OpensslConfigText("/opt/a$b \"c\"\\d/keyclave.so");
  EXPECT_NE(text.find("default = keyclave_default_provider\nkeyclave = keyclave_provider\n"),
            std::string::npos);
  EXPECT_NE(text.find("module = \"/opt/a\\$b \\\"c\\\"\\\\d/keyclave.so\"\nactivate = 1\n"),
            std::string::npos);
}

}  // namespace
}  // namespace keyclave::ctl
