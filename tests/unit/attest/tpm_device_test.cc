// Sealing and counting by a real TPM, in software.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <fstream>
#include <set>
#include <thread>

#include "tests/fakes/soft_tpm.h"

namespace keyclave::attest::tpm {
namespace {

using test::SoftTpm;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kSecret = "the root of the store: 32 bytes!";

SecretBytes Secret() { return SecretBytes::CopyOf(AsBytes(kSecret)); }

std::string Opened(const Result<SecretBytes>& opened) {
  if (!opened.ok()) return opened.error().Text();
  return std::string(AsText(opened->Expose(SecretAccess{})));
}

class TpmDevice : public testing::Test {
 protected:
  // Sealed to registers 0 and 7.
  Bytes SealSecret() {
    auto sealed = Seal(tpm_.Config(), {.registers = {7, 0}}, Secret());
    EXPECT_TRUE(sealed.ok()) << sealed.error().Text();
    return sealed.ok() ? *std::move(sealed) : Bytes();
  }
  SoftTpm tpm_;
};

TEST_F(TpmDevice, OpensWhatItSealedAlsoAfterARestart) {
  const Bytes sealed = SealSecret();
  EXPECT_EQ(Opened(Unseal(tpm_.Config(), sealed)), kSecret);
  tpm_.Restart();
  EXPECT_EQ(Opened(Unseal(tpm_.Config(), sealed)), kSecret);
}

TEST_F(TpmDevice, SealsSecretsOfEverySizeThatATpmTakes) {
  for (const size_t size : {size_t{1}, size_t{64}, size_t{128}}) {
    SecretBytes secret(size);
    const auto sealed = Seal(tpm_.Config(), {}, secret);
    ASSERT_TRUE(sealed.ok()) << sealed.error().Text();
    const auto opened = Unseal(tpm_.Config(), *sealed);
    ASSERT_TRUE(opened.ok()) << opened.error().Text();
    EXPECT_TRUE(*opened == secret);
  }
  for (const size_t size : {size_t{0}, size_t{129}})
    EXPECT_EQ(Seal(tpm_.Config(), {}, SecretBytes(size)).code(), Code::kInvalidArgument);
}

TEST_F(TpmDevice, NamesEachRegisterThatDiffers) {
  const Bytes sealed = SealSecret();
  tpm_.Extend(3);  // not among them
  EXPECT_EQ(Opened(Unseal(tpm_.Config(), sealed)), kSecret);
  tpm_.Extend(7);
  const auto refused = Unseal(tpm_.Config(), sealed);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.code(), Code::kSealingKeyUnavailable);
  EXPECT_THAT(refused.error().detail(),
              HasSubstr("PCR 7 (sha256): wanted " + std::string(64, '0') + ", got "));
  EXPECT_THAT(refused.error().detail(), Not(HasSubstr("PCR 0")));
  tpm_.Restart();
  EXPECT_EQ(Opened(Unseal(tpm_.Config(), sealed)), kSecret);
}

// The library compares the registers first; the TPM must refuse by itself.
TEST_F(TpmDevice, RefusesWhereTheFileWasEditedToFitTheRegisters) {
  const Bytes sealed = SealSecret();
  tpm_.Extend(7);
  const auto other = Seal(tpm_.Config(), {.registers = {7, 0}}, Secret());
  ASSERT_TRUE(other.ok());
  // The registers stand at the end: those of now behind the object of before.
  const size_t tail = 2 * (1 + 2 + 32);
  Bytes edited = sealed;
  std::copy(other->end() - tail, other->end(), edited.end() - tail);
  ASSERT_NE(edited, sealed);
  const auto refused = Unseal(tpm_.Config(), edited);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.code(), Code::kSealingKeyUnavailable);
  EXPECT_THAT(refused.error().detail(), HasSubstr("Load"));
}

TEST_F(TpmDevice, RefusesWhatAnotherTpmSealed) {
  const SoftTpm other;
  const auto sealed = Seal(other.Config(), {}, Secret());
  ASSERT_TRUE(sealed.ok());
  const auto refused = Unseal(tpm_.Config(), *sealed);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.code(), Code::kSealingKeyUnavailable);
  EXPECT_THAT(refused.error().detail(), HasSubstr("sealed by another TPM"));
}

TEST_F(TpmDevice, RefusesDamagedSecrets) {
  const Bytes sealed = SealSecret();
  for (size_t i = 0; i < sealed.size(); i += 7) {
    Bytes damaged = sealed;
    damaged[i] ^= 0x20;
    const auto refused = Unseal(tpm_.Config(), damaged);
    ASSERT_FALSE(refused.ok()) << i;
    EXPECT_THAT(refused.code(), testing::AnyOf(Code::kMalformed, Code::kSealingKeyUnavailable));
  }
}

TEST_F(TpmDevice, SaysWhatIsNotThere) {
  const auto no_bank = Seal(tpm_.Config(), {.bank = "sm3_256"}, Secret());
  ASSERT_FALSE(no_bank.ok());
  EXPECT_THAT(no_bank.error().detail(), HasSubstr("PCR_Read"));
  const auto no_register = Seal(tpm_.Config(), {.registers = {24}}, Secret());
  ASSERT_FALSE(no_register.ok());
  EXPECT_EQ(no_register.code(), Code::kInvalidArgument);
  DeviceConfig config = tpm_.Config();
  config.tcti = "nosuch:1";
  const auto no_module = Prepare(config);
  ASSERT_FALSE(no_module.ok());
  EXPECT_THAT(no_module.error().detail(), HasSubstr("libtss2-tcti-nosuch.so.0"));
  config.tcti = "/tmp/evil.so";
  EXPECT_EQ(Prepare(config).code(), Code::kInvalidArgument);
}

TEST_F(TpmDevice, AStoppedTpmIsAClearError) {
  const Bytes sealed = SealSecret();
  tpm_.Stop();
  const auto refused = Unseal(tpm_.Config(), sealed);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.code(), Code::kSealingKeyUnavailable);
  EXPECT_THAT(refused.error().detail(), HasSubstr(tpm_.tcti()));
  EXPECT_FALSE(Prepare(tpm_.Config()).ok());
  tpm_.Start();
  EXPECT_EQ(Opened(Unseal(tpm_.Config(), sealed)), kSecret);
}

TEST_F(TpmDevice, ThreadsAndProcessesTakeTurns) {
  const Bytes sealed = SealSecret();
  const auto open_often = [&] {
    for (int i = 0; i < 8; ++i) {
      const std::string opened = Opened(Unseal(tpm_.Config(), sealed));
      if (opened != kSecret) {
        ADD_FAILURE() << opened;
        return false;
      }
    }
    return true;
  };
  std::vector<pid_t> children;
  for (int i = 0; i < 2; ++i) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) _exit(open_often() ? 0 : 1);
    children.push_back(child);
  }
  bool other = false;
  std::thread thread([&] { other = open_often(); });
  EXPECT_TRUE(open_often());
  thread.join();
  EXPECT_TRUE(other);
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
}

// Files that are mapped to be run.
std::set<std::string> Programs() {
  std::set<std::string> files;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const size_t name = line.find('/');
    if (name != std::string::npos && line.find(" r-xp ") != std::string::npos)
      files.insert(line.substr(name));
  }
  return files;
}

TEST_F(TpmDevice, LoadsNothingOncePrepared) {
  ASSERT_TRUE(Prepare(tpm_.Config()).ok());
  const std::set<std::string> before = Programs();
  const Bytes sealed = SealSecret();
  EXPECT_EQ(Opened(Unseal(tpm_.Config(), sealed)), kSecret);
  EXPECT_TRUE(DefineCounter(tpm_.Config()).ok());
  EXPECT_EQ(Programs(), before);
}

TEST_F(TpmDevice, ACounterOnlyRises) {
  const DeviceConfig config = tpm_.Config();
  EXPECT_EQ(ReadCounter(config).code(), Code::kWitnessMissing);
  EXPECT_EQ(IncrementCounter(config).code(), Code::kWitnessMissing);
  EXPECT_EQ(RemoveCounter(config).code(), Code::kWitnessMissing);
  const auto first = DefineCounter(config);
  ASSERT_TRUE(first.ok()) << first.error().Text();
  EXPECT_EQ(DefineCounter(config).code(), Code::kStoreExists);
  EXPECT_EQ(*ReadCounter(config), *first);
  EXPECT_EQ(*IncrementCounter(config), *first + 1);
  EXPECT_EQ(*IncrementCounter(config), *first + 2);
  tpm_.Restart();  // without a shutdown
  EXPECT_EQ(*ReadCounter(config), *first + 2);
  ASSERT_TRUE(RemoveCounter(config).ok());
  EXPECT_EQ(ReadCounter(config).code(), Code::kWitnessMissing);
  const auto again = DefineCounter(config);
  ASSERT_TRUE(again.ok()) << again.error().Text();
  EXPECT_GT(*again, *first + 2);
}

// Who may define NV indices can put one there that holds any number.
TEST_F(TpmDevice, AnotherIndexInTheCountersPlaceIsRefused) {
  const DeviceConfig config = tpm_.Config();
  ASSERT_TRUE(
      tpm_.Tool({"tpm2_nvdefine", "0x1800001", "-s", "8", "-a", "authread|authwrite|no_da"}));
  EXPECT_EQ(ReadCounter(config).code(), Code::kWitnessInvalid);
  EXPECT_EQ(IncrementCounter(config).code(), Code::kWitnessInvalid);
  EXPECT_EQ(DefineCounter(config).code(), Code::kWitnessInvalid);
}

// A definition that was cut off before the first count is carried on.
TEST_F(TpmDevice, ACounterThatNeverCountedIsNone) {
  const DeviceConfig config = tpm_.Config();
  ASSERT_TRUE(tpm_.Tool(
      {"tpm2_nvdefine", "0x1800001", "-s", "8", "-a", "authread|authwrite|no_da|nt=counter"}));
  EXPECT_EQ(ReadCounter(config).code(), Code::kWitnessMissing);
  EXPECT_TRUE(DefineCounter(config).ok());
  EXPECT_TRUE(ReadCounter(config).ok());
}

}  // namespace
}  // namespace keyclave::attest::tpm
