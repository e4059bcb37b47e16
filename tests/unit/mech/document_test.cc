// docs/mechanisms.md says what the registry says.

#include <fstream>

#include "tests/fakes/paths.h"
#include "tests/unit/mech/mech_testing.h"

namespace keyclave::mech {
namespace {

std::string FlagWords(uint64_t flags) {
  const std::pair<uint64_t, std::string_view> words[] = {{CKF_ENCRYPT, "encrypt"},
                                                         {CKF_DECRYPT, "decrypt"},
                                                         {CKF_SIGN, "sign"},
                                                         {CKF_VERIFY, "verify"},
                                                         {CKF_GENERATE, "generate"},
                                                         {CKF_GENERATE_KEY_PAIR, "generate pair"},
                                                         {CKF_WRAP, "wrap"},
                                                         {CKF_UNWRAP, "unwrap"},
                                                         {CKF_DERIVE, "derive"},
                                                         {CKF_SIGN_RECOVER, "sign-recover"},
                                                         {CKF_VERIFY_RECOVER, "verify-recover"},
                                                         {CKF_ENCAPSULATE, "encapsulate"},
                                                         {CKF_DECAPSULATE, "decapsulate"},
                                                         {CKF_DIGEST, "digest"}};
  std::string text;
  for (const auto& [flag, word] : words) {
    if ((flags & flag) != 0) text.append(text.empty() ? "" : " ").append(word);
  }
  return text;
}

std::string HexNumber(uint64_t number) {
  Bytes bytes = wire::UlongBytes(number);
  std::reverse(bytes.begin(), bytes.end());
  return "0x" + ToHex(ByteSpan(bytes).last(4));
}

// A row of the table without its first column, the mechanism's name.
std::string RowText(const MechEntry& entry) {
  const MechRow& row = *entry.row;
  return " | " + HexNumber(row.type) + " | " + std::string(entry.family->name) + " | " +
         std::to_string(row.min_key_size) + "–" + std::to_string(row.max_key_size) + " | " +
         FlagWords(row.flags) + " |";
}

TEST(MechanismsDocumentTest, HasExactlyTheRowsOfTheRegistry) {
  std::ifstream in(fakes::SourcePath("docs/mechanisms.md"));
  std::vector<std::string> documented;
  for (std::string line; std::getline(in, line);) {
    const size_t end = line.find("` | 0x");
    if (line.starts_with("| `") && end != std::string::npos)
      documented.push_back(line.substr(end + 1));
  }
  std::vector<std::string> rows;
  for (const MechEntry& entry : EveryMechanism()) rows.push_back(RowText(entry));
  EXPECT_EQ(documented, rows);
}

}  // namespace
}  // namespace keyclave::mech
