#include <sys/wait.h>

#include <cstdlib>

#include "attest/produce/io.h"
#include "attest/produce/produce.h"

namespace keyclave::attest {
namespace {

constexpr std::chrono::milliseconds kTimeout{10000};
constexpr size_t kParts = 3;  // header, payload, signature (RFC 7515, compact serialization)

std::string Printable(std::string_view text) {
  std::string printable(Trimmed(text));
  for (char& c : printable) {
    if (c < 0x20 || c > 0x7e) c = ' ';
  }
  return printable;
}

bool IsBase64Url(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

// Whether it looks like a signed token. What it says is the verifier's business.
bool LooksLikeToken(std::string_view text) {
  size_t parts = 1;
  size_t length = 0;  // of the part
  for (const char c : text) {
    if (c == '.') {
      if (length == 0) return false;
      ++parts;
      length = 0;
    } else if (IsBase64Url(c)) {
      ++length;
    } else {
      return false;
    }
  }
  return parts == kParts && length > 0;
}

Result<Bytes> TakeToken(const std::string& source, ByteSpan content) {
  const std::string_view token = Trimmed(AsText(content));
  // What it is instead is not shown: it might be a secret.
  if (!LooksLikeToken(token)) {
    return Fail(Code::kEvidenceUnavailable,
                source +
                    ": wanted one signed JSON web token (three parts with dots between), got " +
                    std::to_string(token.size()) + " other characters");
  }
  return ToBytes(token);
}

Result<Bytes> FromFile(Host& host, const std::string& path) {
  Io io(host);
  auto content = io.ReadFile(path, kMaxEvidence);
  if (!content.ok())
    return Unavailable(path, content.error(), "it is configured as the file that holds the token");
  return TakeToken(path, *content);
}

std::string WithComplaint(std::string text, const CommandOutcome& outcome) {
  const std::string complaint = Printable(outcome.complaint);
  if (!complaint.empty()) text.append("; it says: ").append(complaint);
  return text;
}

Status CheckRun(const std::string& program, int result, const CommandOutcome& outcome) {
  if (result == -ETIMEDOUT) {
    return Fail(Code::kEvidenceUnavailable,
                WithComplaint(program + ": no token within " +
                                  std::to_string(kTimeout.count() / 1000) + " seconds",
                              outcome));
  }
  if (result == -EFBIG) {
    return Fail(Code::kEvidenceUnavailable,
                program + ": printed more than " + std::to_string(kMaxEvidence) + " bytes");
  }
  if (result < 0)
    return Unavailable(program, -result, "it is configured as the program that prints the token");
  // Somebody in this process waits for all children: how it ended is not known, but the token's
  // shape and, at the verifier, its signature will tell.
  if (!outcome.wait_status) return Done{};
  const int status = *outcome.wait_status;
  if (WIFSIGNALED(status)) {
    return Fail(
        Code::kEvidenceUnavailable,
        WithComplaint(program + ": ended by signal " + std::to_string(WTERMSIG(status)), outcome));
  }
  if (WEXITSTATUS(status) != 0) {
    return Fail(
        Code::kEvidenceUnavailable,
        WithComplaint(program + ": exit code " + std::to_string(WEXITSTATUS(status)), outcome));
  }
  return Done{};
}

Result<Bytes> FromCommand(Host& host, const std::vector<std::string>& arguments,
                          const ReportData& report_data) {
  const std::string& program = arguments[0];
  if (!program.starts_with('/'))
    return Fail(Code::kEvidenceUnavailable, program + ": wanted the program's absolute path");
  // A program that uses this very module would have it ask for a token, for ever.
  if (std::getenv(std::string(kReportDataVariable).c_str()) != nullptr) {
    return Fail(Code::kEvidenceUnavailable,
                program + ": " + std::string(kReportDataVariable) +
                    " is set: this process was itself started to make a token");
  }
  Command command;
  command.arguments = arguments;
  command.environment = {std::string(kReportDataVariable) + "=" + ToHex(report_data)};
  command.max_output = kMaxEvidence;
  command.timeout = kTimeout;
  CommandOutcome outcome;
  const int result = host.Run(command, outcome);
  KC_CHECK_OK(CheckRun(program, result, outcome));
  return TakeToken(program, outcome.output);
}

}  // namespace

Result<Bytes> ProduceToken(const ReportData& report_data, const ProducerConfig& config) {
  const bool has_command = !config.token_command.empty();
  if (has_command && !config.token_file.empty())
    return Fail(Code::kEvidenceUnavailable, "both a token's file and a command are configured");
  if (has_command) return FromCommand(HostOf(config), config.token_command, report_data);
  if (!config.token_file.empty()) return FromFile(HostOf(config), config.token_file);
  return Fail(Code::kEvidenceUnavailable, "neither a token's file nor a command is configured");
}

}  // namespace keyclave::attest
