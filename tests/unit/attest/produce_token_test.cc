// Tokens out of a file or a program.

#include <sys/wait.h>

#include "tests/fakes/fake_host.h"
#include "tests/unit/attest/produce_fixture.h"

namespace keyclave::attest {
namespace {

using fakes::Call;

constexpr std::string_view kToken = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJtZSJ9.c2ln-_";

class ProduceTokenTest : public ProduceTest {
 protected:
  ProduceTokenTest() { host_.Add(files_); }
  ProducerConfig WithFile() {
    ProducerConfig config = Config();
    config.token_file = "/run/token";
    return config;
  }
  ProducerConfig WithCommand() {
    ProducerConfig config = Config();
    config.token_command = {"/usr/bin/token", "--for", "me"};
    return config;
  }
  // The program writes this and exits with that.
  void Prints(std::string_view output, int exit_code = 0, std::string complaint = "") {
    host_.run = [this, output = std::string(output), exit_code, complaint](
                    const Command& command, CommandOutcome& outcome) {
      last_ = command;
      outcome.output = ToBytes(output);
      outcome.complaint = complaint;
      outcome.wait_status = W_EXITCODE(exit_code, 0);
      return 0;
    };
  }
  fakes::FakeFiles files_;
  Command last_;
};

TEST_F(ProduceTokenTest, FromAFile) {
  files_.content["/run/token"] = ToBytes(std::string(kToken) + "\n");
  EXPECT_EQ(*ProduceToken(report_data_, WithFile()), ToBytes(kToken));
}

TEST_F(ProduceTokenTest, FromAFileThatIsNone) {
  ExpectUnavailable(ProduceToken(report_data_, WithFile()), {"/run/token", "No such file"});
  host_.FailNext(Call::kOpen, "/run/token", EACCES);
  ExpectUnavailable(ProduceToken(report_data_, WithFile()), {"Permission denied"});
  files_.content["/run/token"] = Bytes(kMaxEvidence + 1, 'a');
  ExpectUnavailable(ProduceToken(report_data_, WithFile()), {"File too large"});
}

TEST_F(ProduceTokenTest, FromAProgram) {
  Prints(std::string(kToken) + "\r\n");
  const auto token = ProduceToken(report_data_, WithCommand());
  ASSERT_TRUE(token.ok()) << token.error().Text();
  EXPECT_EQ(*token, ToBytes(kToken));
  EXPECT_EQ(last_.arguments, (std::vector<std::string>{"/usr/bin/token", "--for", "me"}));
  EXPECT_EQ(last_.environment,
            (std::vector<std::string>{"KEYCLAVE_REPORT_DATA=" + ToHex(report_data_)}));
  EXPECT_EQ(last_.max_output, kMaxEvidence);
  EXPECT_EQ(last_.timeout, std::chrono::seconds(10));
}

TEST_F(ProduceTokenTest, WhatIsNoTokenIsRefusedAndNotShown) {
  for (const std::string text : {"", "\n", "secret", "a.b", "a.b.c.d", "a..c", ".b.c", "a.b.",
                                 "a.b.c d", "a.b.c=", "{\"a\": 1}"}) {
    Prints(text);
    const auto token = ProduceToken(report_data_, WithCommand());
    ExpectUnavailable(token, {"/usr/bin/token", "wanted one signed JSON web token"});
    EXPECT_THAT(token.error().detail(), testing::Not(testing::HasSubstr("secret")));
  }
}

TEST_F(ProduceTokenTest, AProgramThatFailsIsQuoted) {
  Prints(kToken, 3, "no such\nprofile\x1b[31m\n");
  ExpectUnavailable(ProduceToken(report_data_, WithCommand()),
                    {"/usr/bin/token: exit code 3; it says: no such profile [31m"});
  host_.run = [](const Command&, CommandOutcome& outcome) {
    outcome.wait_status = 9;
    return 0;
  };
  ExpectUnavailable(ProduceToken(report_data_, WithCommand()), {"ended by signal 9"});
}

TEST_F(ProduceTokenTest, AProgramThatCannotRunOrDoesNotEnd) {
  const std::pair<int, const char*> failures[] = {{ENOENT, "No such file"},
                                                  {EACCES, "Permission denied"},
                                                  {ETIMEDOUT, "no token within 10 seconds"},
                                                  {EFBIG, "printed more than 65536 bytes"}};
  for (const auto& [error, words] : failures) {
    host_.run = [error = error](const Command&, CommandOutcome&) { return -error; };
    ExpectUnavailable(ProduceToken(report_data_, WithCommand()), {"/usr/bin/token", words});
  }
}

TEST_F(ProduceTokenTest, AnotherReaperInTheProcessIsNoFailure) {
  host_.run = [](const Command&, CommandOutcome& outcome) {
    outcome.output = ToBytes(kToken);
    return 0;
  };
  EXPECT_TRUE(ProduceToken(report_data_, WithCommand()).ok());
}

TEST_F(ProduceTokenTest, TheConfigurationMustNameOneSource) {
  ExpectUnavailable(ProduceToken(report_data_, Config()), {"neither"});
  ProducerConfig both = WithCommand();
  both.token_file = "/run/token";
  ExpectUnavailable(ProduceToken(report_data_, both), {"both"});
  ProducerConfig relative = WithCommand();
  relative.token_command[0] = "token";
  ExpectUnavailable(ProduceToken(report_data_, relative), {"absolute path"});
}

TEST_F(ProduceTokenTest, AProgramThatNeedsATokenItselfDoesNotGetOne) {
  Prints(kToken);
  ASSERT_EQ(setenv("KEYCLAVE_REPORT_DATA", "00", 1), 0);
  const auto token = ProduceToken(report_data_, WithCommand());
  unsetenv("KEYCLAVE_REPORT_DATA");
  ExpectUnavailable(token, {"itself started to make a token"});
}

}  // namespace
}  // namespace keyclave::attest
