#include "enclave/ctl/evidence_folder.h"

#include <gtest/gtest.h>

#include "enclave/base/file.h"
#include "tests/fakes/temporary_directory.h"

namespace keyclave::ctl {
namespace {

class PcrFile : public testing::Test {
 protected:
  // The error of a folder whose file of registers is this one; empty if there is none.
  std::string Refused(const std::string& text) const {
    const fakes::TemporaryDirectory folder;
    if (!WriteNewFile(folder.path() + "/pcrs_sha256.json", AsBytes(text), 0600).ok()) std::abort();
    const auto evidence = AssembleTpmEvidence(Folder(folder.path()));
    if (evidence.ok()) return {};
    EXPECT_EQ(evidence.code(), Code::kEvidenceMalformed);
    return evidence.error().Text();
  }
  const std::string value_ = std::string(64, 'a');
};

TEST_F(PcrFile, IsReadToItsEnd) {
  const std::string good = "{\"0\": \"" + value_ + "\"}";
  EXPECT_EQ(Refused(good), "");
  for (const std::string& more : {std::string(1, '\0'), std::string("\0{}", 3), good})
    EXPECT_NE(Refused(good + more).find("pcrs_sha256.json"), std::string::npos);
}

TEST_F(PcrFile, NamesEachRegisterOnce) {
  EXPECT_NE(Refused("{\"0\": \"" + value_ + "\", \"0\": \"" + value_ + "\"}"), "");
  for (const char* number : {"", "x", "-1", "256", " 1"})
    EXPECT_NE(Refused("{\"" + std::string(number) + "\": \"" + value_ + "\"}"), "") << number;
  EXPECT_NE(Refused("{\"0\": \"aa\"}"), "");
  EXPECT_NE(Refused("{\"0\": 1}"), "");
}

}  // namespace
}  // namespace keyclave::ctl
