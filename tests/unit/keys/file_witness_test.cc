#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "enclave/base/file.h"
#include "enclave/keys/records.h"
#include "tests/unit/keys/fixture.h"

namespace keyclave::keys {
namespace {

constexpr size_t kSlot = 4096;

class FileWitness : public testing::Test {
 protected:
  std::unique_ptr<Witness> Open() { return MakeFileWitness(path_, TestSecret()); }
  static Witness::Mark MarkOf(uint64_t epoch) {
    return {epoch, Sha256(AsBytes(std::to_string(epoch)))};
  }
  void Advance(Witness& witness, uint64_t epoch) { MustOk(witness.Advance(MarkOf(epoch))); }
  uint64_t ReadEpoch() { return Must(Open()->Read()).epoch; }
  Bytes Content() { return Must(ReadFile(path_, 1 << 20)); }
  void Overwrite(ByteSpan content) { std::ofstream(path_, std::ios::binary) << AsText(content); }
  static void Scribble(std::span<uint8_t> bytes) {
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(byte ^ 0xa5);
  }

  fakes::TemporaryDirectory directory_;
  const std::string path_ = directory_.path() + "/witness";
};

TEST_F(FileWitness, IsMissingUntilTheFirstMarkAndSaysHowToMend) {
  const auto read = Open()->Read();
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.code(), Code::kWitnessMissing);
  EXPECT_THAT(read.error().detail(), testing::HasSubstr(path_));
  EXPECT_THAT(read.error().detail(), testing::HasSubstr("--accept-store"));
}

TEST_F(FileWitness, RemembersTheNewestMarkAcrossReopening) {
  auto witness = Open();
  for (uint64_t epoch = 1; epoch < 20; ++epoch) {
    Advance(*witness, epoch);
    EXPECT_EQ(Must(witness->Read()).epoch, epoch);
    EXPECT_EQ(ReadEpoch(), epoch);
    EXPECT_EQ(Must(Open()->Read()).head_digest, MarkOf(epoch).head_digest);
    if (epoch % 3 == 0) witness = Open();
  }
  EXPECT_EQ(Content().size(), 2 * kSlot);
}

TEST_F(FileWitness, FileIsForItsOwnerOnly) {
  const mode_t before = umask(0);
  auto witness = Open();
  Advance(*witness, 1);
  umask(before);
  struct stat info {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST_F(FileWitness, NeverGoesBack) {
  auto witness = Open();
  Advance(*witness, 5);
  EXPECT_EQ(witness->Advance(MarkOf(4)).code(), Code::kInternal);
  EXPECT_EQ(Open()->Advance(MarkOf(4)).code(), Code::kInternal);
  EXPECT_EQ(ReadEpoch(), 5U);
}

// A crash in the middle of a write spoils the slot being written, and no other.
TEST_F(FileWitness, TornWriteLeavesTheMarkBefore) {
  for (uint64_t last = 2; last < 6; ++last) {
    std::filesystem::remove(path_);
    auto witness = Open();
    Bytes before;
    for (uint64_t epoch = 1; epoch <= last; ++epoch) {
      before = epoch == 1 ? Bytes() : Content();
      Advance(*witness, epoch);
    }
    const Bytes after = Content();
    for (size_t cut = 0; cut <= 2 * kMarkSize; cut += 4) {
      Bytes torn = before;
      for (size_t at = 0; at < torn.size(); ++at) {
        if (at % kSlot < cut) torn[at] = after[at];
      }
      Overwrite(torn);
      const uint64_t found = ReadEpoch();
      EXPECT_EQ(found, cut < kMarkSize ? last - 1 : last) << cut;
    }
  }
}

TEST_F(FileWitness, RefusesAFileWithoutAnyMarkOfThisEnclave) {
  {
    auto witness = Open();
    Advance(*witness, 1);
    Advance(*witness, 2);
  }
  Bytes both = Content();
  Scribble(std::span(both).first(kMarkSize));
  Overwrite(both);
  EXPECT_EQ(ReadEpoch(), 2U);
  Scribble(std::span(both).subspan(kSlot, kMarkSize));
  Overwrite(both);
  EXPECT_EQ(Open()->Read().code(), Code::kWitnessInvalid);
  EXPECT_EQ(Open()->Advance(MarkOf(3)).code(), Code::kWitnessInvalid);
  for (const size_t size : {size_t{0}, size_t{1}, kMarkSize - 1}) {
    Overwrite(Bytes(size));
    EXPECT_EQ(Open()->Read().code(), Code::kWitnessInvalid) << size;
  }
}

TEST_F(FileWitness, RefusesAnotherEnclavesFile) {
  Advance(*MakeFileWitness(path_, TestSecret(1)), 9);
  EXPECT_EQ(Open()->Read().code(), Code::kWitnessInvalid);
}

TEST_F(FileWitness, RefusesEveryFlippedBitOfTheOnlyMark) {
  Advance(*Open(), 1);
  const Bytes whole = Content();
  for (size_t bit = 0; bit < kMarkSize * 8; ++bit) {
    Bytes changed = whole;
    changed[bit / 8] = static_cast<uint8_t>(changed[bit / 8] ^ (1U << (bit % 8)));
    Overwrite(changed);
    EXPECT_EQ(Open()->Read().code(), Code::kWitnessInvalid) << bit;
  }
}

TEST_F(FileWitness, NoticesThatItsFileWasRemoved) {
  auto witness = Open();
  Advance(*witness, 1);
  std::filesystem::remove(path_);
  EXPECT_EQ(witness->Advance(MarkOf(2)).code(), Code::kWitnessMissing);
}

TEST_F(FileWitness, DoesNotFollowASymbolicLink) {
  Advance(*Open(), 1);
  std::filesystem::rename(path_, path_ + ".real");
  std::filesystem::create_symlink(path_ + ".real", path_);
  EXPECT_FALSE(Open()->Read().ok());
}

// A disk of the operator's that was unmounted, and is back.
TEST_F(FileWitness, GoesOnWhenItsFileIsBack) {
  auto witness = Open();
  Advance(*witness, 1);
  Advance(*witness, 2);
  std::filesystem::rename(path_, path_ + ".away");
  for (int i = 0; i < 2; ++i) {
    const Status refused = witness->Advance(MarkOf(3));
    EXPECT_EQ(refused.code(), Code::kWitnessMissing);
    EXPECT_THAT(refused.error().detail(), testing::HasSubstr("is its disk mounted?"));
    EXPECT_FALSE(std::filesystem::exists(path_)) << "no new one is made";
  }
  EXPECT_EQ(witness->Look().code(), Code::kWitnessMissing);
  std::filesystem::copy_file(path_ + ".away", path_);  // another file with the same marks
  EXPECT_EQ(Must(witness->Look()).epoch, 2U);
  Advance(*witness, 3);
  Advance(*witness, 4);
  EXPECT_EQ(ReadEpoch(), 4U);
}

TEST_F(FileWitness, MarkThatWasUnderWayWhenItsFileWentIsWrittenOnceMore) {
  auto witness = Open();
  Advance(*witness, 1);
  Advance(*Open(), 2);  // it is on disk, and nobody was told
  std::filesystem::copy_file(path_, path_ + ".new");
  std::filesystem::rename(path_ + ".new", path_);
  Advance(*witness, 2);
  Advance(*witness, 3);
  EXPECT_EQ(ReadEpoch(), 3U);
}

TEST_F(FileWitness, RefusesAnotherFileInTheOnesPlace) {
  auto witness = Open();
  Advance(*witness, 1);
  std::filesystem::copy_file(path_, path_ + ".old");
  Advance(*witness, 2);
  Advance(*witness, 3);
  std::filesystem::rename(path_, path_ + ".away");
  std::filesystem::copy_file(path_ + ".old", path_);
  const Status refused = witness->Advance(MarkOf(4));
  EXPECT_EQ(refused.code(), Code::kWitnessInvalid);
  EXPECT_THAT(refused.error().detail(), testing::HasSubstr("stands at epoch 1"));
  std::filesystem::remove(path_);
  Advance(*MakeFileWitness(path_, TestSecret(1)), 3);  // another enclave's
  EXPECT_EQ(witness->Advance(MarkOf(4)).code(), Code::kWitnessInvalid);
  std::filesystem::rename(path_ + ".away", path_);
  Advance(*witness, 4);
  EXPECT_EQ(ReadEpoch(), 4U);
}

TEST_F(FileWitness, AnotherFileIsNoBetterForHavingBeenLookedAt) {
  auto witness = Open();
  Advance(*witness, 1);
  std::filesystem::copy_file(path_, path_ + ".old");
  Advance(*witness, 2);
  std::filesystem::rename(path_ + ".old", path_);
  EXPECT_EQ(Must(witness->Look()).epoch, 1U);
  EXPECT_EQ(witness->Advance(MarkOf(3)).code(), Code::kWitnessInvalid);
}

}  // namespace
}  // namespace keyclave::keys
