// root.key with more than one secret, and the witness's marks under several generations.
#include "enclave/keys/root_keyring.h"

#include <sys/stat.h>

#include "enclave/base/file.h"
#include "enclave/keys/root_file.h"
#include "tests/unit/keys/fixture.h"

namespace keyclave::keys {
namespace {

RootKeyring TestKeyring() {
  RootKeyring keyring(TestSecret());
  keyring.secrets.emplace(3, TestSecret(100));
  keyring.secrets.emplace(4, TestSecret(150));
  keyring.oldest = 3;
  keyring.member_key = TestSecret(200);
  return keyring;
}

class RootKeyringFile : public testing::Test {
 protected:
  Bytes Text() { return Must(ReadFile(path_, 100'000)); }

  fakes::TemporaryDirectory directory_;
  const std::string path_ = directory_.path() + "/root.key";
};

TEST_F(RootKeyringFile, ComesBackWhole) {
  MustOk(WriteRootSecret(path_, FileSealer(), TestKeyring()));
  struct stat info {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  const RootKeyring read = Must(ReadRootSecret(path_, FileSealer()));
  EXPECT_EQ(read.secrets.size(), 3U);
  EXPECT_TRUE(read.first() == TestSecret());
  EXPECT_TRUE(read.secrets.at(3) == TestSecret(100));
  EXPECT_TRUE(read.secrets.at(4) == TestSecret(150));
  EXPECT_EQ(read.oldest, 3U);
  EXPECT_TRUE(read.member_key == TestSecret(200));
  EXPECT_TRUE(read.Shareable().member_key.empty());
}

TEST_F(RootKeyringFile, OneSecretIsWrittenAsBefore) {
  MustOk(WriteRootSecret(path_, FileSealer(), TestSecret()));
  EXPECT_THAT(std::string(AsText(Text())), testing::StartsWith("keyclave-root-secret 2\n"));
  MustOk(ReplaceRootSecret(path_, FileSealer(), TestKeyring()));
  EXPECT_THAT(std::string(AsText(Text())), testing::StartsWith("keyclave-root-secret 3\n"));
  EXPECT_EQ(Must(ReadRootSecret(path_, FileSealer())).newest(), 4U);
  EXPECT_FALSE(WriteRootSecret(path_, FileSealer(), TestSecret()).ok()) << "it is there already";
}

TEST_F(RootKeyringFile, OpensOnlyWhole) {
  MustOk(WriteRootSecret(path_, FileSealer(), TestKeyring()));
  const Bytes whole = Text();
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(OpenRootFile(ByteSpan(whole).first(size), FileSealer()).ok()) << size;
  for (size_t at = 0; at < whole.size(); ++at) {
    Bytes edited = whole;
    edited[at] ^= 1;
    const auto opened = OpenRootFile(edited, FileSealer());
    ASSERT_FALSE(opened.ok()) << at;
    EXPECT_EQ(opened.code(), Code::kRootSecretInvalid) << at;
  }
  Bytes longer = whole;
  longer.push_back('\n');
  EXPECT_FALSE(OpenRootFile(longer, FileSealer()).ok());
}

TEST_F(RootKeyringFile, KeyringThatCannotBeIsNotWritten) {
  RootKeyring without_oldest = TestKeyring();
  without_oldest.oldest = 2;
  RootKeyring without_first = TestKeyring();
  without_first.secrets.erase(kFirstGeneration);
  RootKeyring of_another_size = TestKeyring();
  of_another_size.secrets.emplace(5, SecretBytes(31));
  for (const RootKeyring* bad : {&without_oldest, &without_first, &of_another_size})
    EXPECT_EQ(WriteRootSecret(path_, FileSealer(), *bad).code(), Code::kRootSecretInvalid);
}

TEST(WitnessGenerations, MarksAreUnderTheNewestAndThoseOfRetiredOnesAreNotTaken) {
  const fakes::TemporaryDirectory directory;
  const std::string path = directory.path() + "/witness";
  const auto first = MakeFileWitness(path, TestSecret());
  MustOk(first->Advance({1, {}}));
  RootKeyring keyring(TestSecret());
  keyring.secrets.emplace(2, TestSecret(100));
  EXPECT_EQ(Must(MakeFileWitness(path, keyring)->Read()).epoch, 1U);
  first->UseGeneration(TestSecret(100));
  MustOk(first->Advance({2, {}}));
  EXPECT_EQ(Must(MakeFileWitness(path, keyring)->Read()).epoch, 2U);
  EXPECT_EQ(Must(MakeFileWitness(path, TestSecret())->Read()).epoch, 1U)
      << "who has the first secret alone makes nothing of it";
  keyring.oldest = 2;
  EXPECT_EQ(Must(MakeFileWitness(path, keyring)->Read()).epoch, 2U);
  // A mark that somebody makes with the first secret, however new.
  const auto forged = MakeFileWitness(path, TestSecret());
  MustOk(forged->Advance({9, {}}));
  const auto read = MakeFileWitness(path, keyring)->Read();
  EXPECT_TRUE(!read.ok() || read->epoch == 2U);
}

}  // namespace
}  // namespace keyclave::keys
