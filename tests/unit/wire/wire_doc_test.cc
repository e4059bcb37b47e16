// docs/wire.md says what the messages and ops.inc say: every operation, every message, every field
// number.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>
#include <sstream>

#include "enclave/wire/messages.h"
#include "tests/fakes/paths.h"

namespace keyclave::wire {
namespace {

std::string ReadSource(const std::string& name) {
  std::ifstream file(fakes::SourcePath(name));
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_FALSE(text.str().empty()) << name;
  return text.str();
}

using Fields = std::map<unsigned, std::string>;
using Messages = std::map<std::string, Fields>;

// The fields of each struct, by the lists that its Visit is made of.
Messages ReadHeader(const std::string& text) {
  Messages messages;
  std::string current;
  std::istringstream lines(text);
  const std::regex begin(R"((?:struct|class) (\w+) \{.*)");
  const std::regex listed(R"(\s*KC_FIELDS_\d\((.*)\)\s*)");
  const std::regex visited(R"(\s*v\((\d+), (\w+)\);)");
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_match(line, match, begin)) {
      current = match[1];
    } else if (line == "};") {
      current.clear();
    } else if (!current.empty() && std::regex_match(line, match, listed)) {
      std::istringstream names(match[1]);
      unsigned number = 1;
      for (std::string name; std::getline(names, name, ',');) {
        messages[current][number++] = name.substr(name.find_first_not_of(' '));
      }
    } else if (!current.empty() && std::regex_match(line, match, visited)) {
      messages[current][static_cast<unsigned>(std::stoul(match[1]))] = match[2];
    }
  }
  return messages;
}

Messages ReadDocument(const std::string& text) {
  Messages messages;
  std::string current;
  std::istringstream lines(text);
  const std::regex heading(R"(### (\w+))");
  const std::regex row(R"(\| (\d+) \| (\w+) \|.*)");
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_match(line, match, heading)) {
      current = match[1];
    } else if (line.starts_with("## ")) {
      current.clear();
    } else if (!current.empty() && std::regex_match(line, match, row)) {
      messages[current][static_cast<unsigned>(std::stoul(match[1]))] = match[2];
    }
  }
  return messages;
}

TEST(WireDocument, HasEveryMessageFieldAndNumber) {
  Messages declared;
  for (const char* header :
       {"messages.h", "key_messages.h", "message_parts.h", "admin_messages.h", "mech_param.h",
        "attributes.h", "runtime_claims.h", "receipt.h", "key_attestation.h", "store_messages.h",
        "fleet_messages.h", "backup_messages.h", "recovery.h", "upgrade_messages.h",
        "mark_messages.h"}) {
    declared.merge(ReadHeader(ReadSource(std::string("enclave/wire/") + header)));
  }
  EXPECT_GT(declared.size(), 50U) << "the headers were understood";
  const Messages documented = ReadDocument(ReadSource("docs/wire.md"));
  for (const auto& [name, fields] : declared) {
    const auto found = documented.find(name);
    ASSERT_NE(found, documented.end()) << "docs/wire.md lacks " << name;
    EXPECT_EQ(found->second, fields) << name;
  }
  for (const auto& [name, fields] : documented) {
    EXPECT_TRUE(declared.contains(name)) << "docs/wire.md knows a message that is not: " << name;
  }
}

TEST(WireDocument, HasEveryOperation) {
  const std::string text = ReadSource("docs/wire.md");
  const struct {
    unsigned number;
    std::string name;
    unsigned factor;
  } operations[] = {
#define KC_OP(number, name, factor) {number, #name, factor},
#include "enclave/wire/ops.inc"
#undef KC_OP
  };
  for (const auto& op : operations) {
    const std::regex row("\\| " + std::to_string(op.number) + " \\| " + op.name +
                         " \\| [^|]* \\| [^|]* \\| " + std::to_string(op.factor) + " \\|");
    EXPECT_TRUE(std::regex_search(text, row)) << op.name;
  }
}

}  // namespace
}  // namespace keyclave::wire
