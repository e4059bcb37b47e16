// The witness with a counter of the platform's: what a file alone does not notice.
#include <filesystem>
#include <fstream>

#include "enclave/base/file.h"
#include "enclave/keys/root_file.h"
#include "enclave/keys/state_files.h"
#include "tests/fakes/memory_counter.h"
#include "tests/unit/keys/fixture.h"

namespace keyclave::keys {
namespace {

namespace fs = std::filesystem;

class CountedWitness : public testing::Test {
 protected:
  void SetUp() override { MustOk(InitState(state_, sealer_)); }

  Result<std::unique_ptr<ObjectStore>> Open() { return ObjectStore::Open(state_, sealer_); }
  void Change() { Must(Must(Open())->CreateToken(TestToken(NextLabel()), TestPolicy("p", 1))); }
  std::string NextLabel() { return "t" + std::to_string(++labels_); }
  void Copy(const std::string& from, const std::string& to) {
    fs::remove_all(to);
    fs::copy(from, to, fs::copy_options::recursive);
  }
  uint64_t& Count() { return *sealer_.control->value; }

  fakes::TemporaryDirectory directory_;
  const std::string state_ = directory_.path() + "/state";
  const std::string kept_ = directory_.path() + "/kept";
  fakes::CountingSealer sealer_;
  int labels_ = 0;
};

TEST_F(CountedWitness, CountsOnceWithEveryCommit) {
  const uint64_t before = Count();
  Change();
  EXPECT_EQ(Count(), before + 1);
  EXPECT_TRUE(Open().ok());
  EXPECT_EQ(Count(), before + 1) << "reading counts nothing";
}

// lesson 26: nothing noticed when all of the disk was put back.
TEST_F(CountedWitness, WholeStateOfYesterdayIsNoticed) {
  Copy(state_, kept_);
  Change();
  Copy(state_, directory_.path() + "/today");
  Copy(kept_, state_);
  const auto opened = Open();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.code(), Code::kStoreRolledBack);
  EXPECT_THAT(opened.error().Text(), testing::HasSubstr("the counter in memory stands at"));
  Copy(directory_.path() + "/today", state_);
  EXPECT_TRUE(Open().ok());
}

TEST_F(CountedWitness, NewestMarkThatWasSpoiledIsNotTheOneBefore) {
  Change();
  Change();
  const std::string path = StateFiles::Witness(state_);
  Bytes file = Must(ReadFile(path, 1 << 20));
  // Both slots, one after the other: one of them holds the newest mark.
  unsigned refused = 0;
  for (const size_t slot : {size_t{0}, size_t{4096}}) {
    Bytes spoiled = file;
    std::fill_n(spoiled.begin() + static_cast<std::ptrdiff_t>(slot), 88, uint8_t{0});
    std::ofstream(path, std::ios::binary) << AsText(spoiled);
    if (!Open().ok()) ++refused;
  }
  EXPECT_EQ(refused, 1U);
}

// The mark is on disk, the counter not yet counted on.
TEST_F(CountedWitness, CrashBeforeTheCounterIsCaughtUp) {
  Change();
  --Count();
  EXPECT_TRUE(Open().ok());
  const uint64_t after = Count();
  Change();
  EXPECT_EQ(Count(), after + 1);
}

TEST_F(CountedWitness, SecondEnclaveOnACopyIsNoticedByWhoeverCommitsNext) {
  Copy(state_, kept_);
  const auto first = Must(Open());
  const auto second = Must(ObjectStore::Open(kept_, sealer_));
  Must(first->CreateToken(TestToken("a"), TestPolicy("p", 1)));
  // The commit is in its own copy of the store; what comes after it is refused.
  static_cast<void>(second->CreateToken(TestToken("b"), TestPolicy("p", 1)));
  const auto refused = second->CreateToken(TestToken("c"), TestPolicy("p", 1));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.code(), Code::kStoreRolledBack) << refused.error().Text();
  Must(first->CreateToken(TestToken("d"), TestPolicy("p", 1)));
}

TEST_F(CountedWitness, CounterThatFailsStopsChangesUntilItWorks) {
  const auto store = Must(Open());
  sealer_.control->fail = true;
  EXPECT_TRUE(store->CreateToken(TestToken("a"), TestPolicy("p", 1)).ok()) << "it was on disk";
  EXPECT_EQ(store->CreateToken(TestToken("b"), TestPolicy("p", 1)).code(),
            Code::kSealingKeyUnavailable);
  sealer_.control->fail = false;
  EXPECT_TRUE(store->CreateToken(TestToken("b"), TestPolicy("p", 1)).ok());
}

TEST_F(CountedWitness, IncrementWhoseReplyWasLostIsFoundOut) {
  const auto store = Must(Open());
  const uint64_t before = Count();
  sealer_.control->lose_reply = true;
  Must(store->CreateToken(TestToken("a"), TestPolicy("p", 1)));
  Must(store->CreateToken(TestToken("b"), TestPolicy("p", 1)));
  EXPECT_EQ(Count(), before + 3) << "the value that nobody saw stands for nothing";
  EXPECT_EQ(Must(MakeFileWitness(StateFiles::Witness(state_),
                                 Must(ReadRootSecret(StateFiles::Root(state_), sealer_)),
                                 sealer_.Counter())
                     ->Read())
                .epoch,
            3U);
}

TEST_F(CountedWitness, AnotherCounterIsNotThisOne) {
  Count() = 7;
  const auto opened = Open();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.code(), Code::kWitnessInvalid);
  sealer_.control->value.reset();
  EXPECT_EQ(Open().code(), Code::kWitnessMissing);
}

TEST_F(CountedWitness, CounterThatIsTakenIsLeftAlone) {
  const uint64_t before = Count();
  const Status made = InitState(directory_.path() + "/second", sealer_);
  EXPECT_EQ(made.code(), Code::kStoreExists);
  EXPECT_EQ(Count(), before);
  EXPECT_FALSE(fs::exists(directory_.path() + "/second"));
  EXPECT_TRUE(Open().ok());
}

TEST_F(CountedWitness, InitThatFailsRemovesItsCounter) {
  fakes::CountingSealer other;
  other.fail_seal = true;
  EXPECT_EQ(InitState(directory_.path() + "/second", other).code(), Code::kSealingKeyUnavailable);
  EXPECT_FALSE(other.control->value.has_value());
}

TEST_F(CountedWitness, AcceptedStoreCountsOn) {
  Copy(state_, kept_);
  Change();
  Copy(kept_, state_);
  MustOk(AcceptStore(state_, sealer_));
  EXPECT_TRUE(Open().ok());
  Copy(kept_, state_);
  EXPECT_EQ(Open().code(), Code::kStoreRolledBack);
  sealer_.control->value.reset();
  MustOk(AcceptStore(state_, sealer_));
  EXPECT_TRUE(Open().ok());
}

TEST_F(CountedWitness, SealingOfAnotherKindIsNamed) {
  const auto opened = ObjectStore::Open(state_, FileSealer());
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.code(), Code::kRootSecretInvalid);
  EXPECT_THAT(opened.error().Text(), testing::HasSubstr("but by counting"));
}

TEST_F(CountedWitness, MarkWithACountNeedsTheCounter) {
  const RootKeyring secret = Must(ReadRootSecret(StateFiles::Root(state_), sealer_));
  const auto read = MakeFileWitness(StateFiles::Witness(state_), secret)->Read();
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.code(), Code::kWitnessInvalid);
}

TEST_F(CountedWitness, LookingCountsNothing) {
  Change();
  --Count();  // as a crash leaves it
  const uint64_t before = Count();
  const RootKeyring secret = Must(ReadRootSecret(StateFiles::Root(state_), sealer_));
  const auto witness = MakeFileWitness(StateFiles::Witness(state_), secret, sealer_.Counter());
  EXPECT_EQ(Must(witness->Look()).epoch, 2U);
  EXPECT_EQ(Count(), before);
  Count() += 2;
  EXPECT_EQ(witness->Look().code(), Code::kStoreRolledBack);
  Count() = 7;
  EXPECT_EQ(witness->Look().code(), Code::kWitnessInvalid);
  EXPECT_EQ(MakeFileWitness(StateFiles::Witness(state_), secret)->Look().code(),
            Code::kWitnessInvalid);
}

}  // namespace
}  // namespace keyclave::keys
