#include "enclave/keys/state_files.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "enclave/base/file.h"
#include "enclave/keys/root_file.h"
#include "tests/unit/keys/fixture.h"

namespace keyclave::keys {
namespace {

namespace fs = std::filesystem;

class State : public testing::Test {
 protected:
  Code OpenCode() {
    const auto opened = ObjectStore::Open(state_, FileSealer());
    EXPECT_FALSE(opened.ok());
    return opened.ok() ? Code::kInternal : opened.code();
  }
  void Replace(const std::string& path, ByteSpan content) {
    std::ofstream(path, std::ios::binary) << AsText(content);
  }
  static unsigned ModeOf(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
    return info.st_mode & 0777U;
  }

  fakes::TemporaryDirectory directory_;
  const std::string state_ = directory_.path() + "/state";
  const std::string root_ = StateFiles::Root(state_);
  const std::string store_ = StateFiles::Store(state_);
  const std::string witness_ = StateFiles::Witness(state_);
};

TEST_F(State, InitMakesPrivateFilesThatOpen) {
  const mode_t before = umask(0);
  const Status made = InitState(state_, FileSealer());
  umask(before);
  MustOk(made);
  EXPECT_EQ(ModeOf(state_), 0700U);
  for (const std::string& path : {root_, store_, witness_}) EXPECT_EQ(ModeOf(path), 0600U) << path;
  const auto opened = Must(ObjectStore::Open(state_, FileSealer()));
  EXPECT_EQ(opened->enclave_id().size(), 32U);
  EXPECT_EQ(opened->object_count(), 0U);
  EXPECT_TRUE(opened->Tokens().empty());
}

TEST_F(State, TwoEnclavesHaveTwoIdsAndOneKeepsItsOwn) {
  MustOk(InitState(state_, FileSealer()));
  MustOk(InitState(state_ + "2", FileSealer()));
  const std::string id = Must(ObjectStore::Open(state_, FileSealer()))->enclave_id();
  EXPECT_EQ(Must(ObjectStore::Open(state_, FileSealer()))->enclave_id(), id);
  EXPECT_NE(Must(ObjectStore::Open(state_ + "2", FileSealer()))->enclave_id(), id);
}

TEST_F(State, InitRefusesIfAnyFileIsThereAndTouchesNothing) {
  for (const std::string& path : {root_, store_, store_ + "-wal", witness_}) {
    fs::remove_all(state_);
    fs::create_directory(state_);
    Replace(path, AsBytes("precious"));
    const Status made = InitState(state_, FileSealer());
    ASSERT_FALSE(made.ok()) << path;
    EXPECT_EQ(made.code(), Code::kStoreExists);
    EXPECT_THAT(made.error().detail(), testing::HasSubstr(path));
    EXPECT_EQ(Must(ReadFile(path, 100)), ToBytes("precious"));
    EXPECT_EQ(std::distance(fs::directory_iterator(state_), {}), 1);
  }
}

TEST_F(State, InitLeavesADirectoryThatWasThereAsItWas) {
  fs::create_directory(state_);
  ASSERT_EQ(chmod(state_.c_str(), 0755), 0);
  Replace(state_ + "/other", AsBytes("x"));
  MustOk(InitState(state_, FileSealer()));
  EXPECT_EQ(ModeOf(state_), 0755U);
  EXPECT_TRUE(fs::exists(state_ + "/other"));
}

TEST_F(State, InitWithoutParentDirectoryMakesNothing) {
  EXPECT_EQ(InitState(directory_.path() + "/no/such/parent", FileSealer()).code(), Code::kNotFound);
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_.path()), {}), 0);
}

// With room for the root secret but not for the store.
TEST_F(State, InitThatFailsTakesBackWhatItMade) {
  ASSERT_NE(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
  struct rlimit before {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const struct rlimit small { 4096, before.rlim_max };
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status made = InitState(state_, FileSealer());
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.code(), Code::kStoreIo) << made.error().Text();
  EXPECT_FALSE(fs::exists(state_));
  MustOk(InitState(state_, FileSealer()));
}

TEST_F(State, MissingFilesAreNamed) {
  EXPECT_EQ(OpenCode(), Code::kStoreMissing);
  MustOk(InitState(state_, FileSealer()));
  const auto expect = [&](const std::string& path, Code code) {
    fs::rename(path, path + ".away");
    const auto opened = ObjectStore::Open(state_, FileSealer());
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.code(), code) << opened.error().Text();
    EXPECT_THAT(opened.error().detail(), testing::HasSubstr(path));
    fs::rename(path + ".away", path);
  };
  expect(root_, Code::kRootSecretInvalid);
  expect(store_, Code::kStoreMissing);
  expect(witness_, Code::kWitnessMissing);
  EXPECT_TRUE(ObjectStore::Open(state_, FileSealer()).ok());
}

TEST_F(State, RootSecretThatOthersCanReadIsRefused) {
  MustOk(InitState(state_, FileSealer()));
  for (const mode_t mode : {0640U, 0604U, 0620U, 0601U}) {
    ASSERT_EQ(chmod(root_.c_str(), mode), 0);
    EXPECT_EQ(OpenCode(), Code::kPermissionDenied) << mode;
  }
  ASSERT_EQ(chmod(root_.c_str(), 0400), 0);
  EXPECT_TRUE(ObjectStore::Open(state_, FileSealer()).ok());
}

TEST_F(State, RootSecretCutChangedOrForeignIsRefused) {
  MustOk(InitState(state_, FileSealer()));
  const Bytes whole = Must(ReadFile(root_, 1000));
  EXPECT_TRUE(OpenRootFile(whole, FileSealer()).ok());
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(OpenRootFile(ByteSpan(whole).first(size), FileSealer()).code(),
              Code::kRootSecretInvalid);
  for (size_t at = 0; at < whole.size(); ++at) {
    Bytes changed = whole;
    changed[at] = static_cast<uint8_t>(changed[at] ^ 1);
    EXPECT_EQ(OpenRootFile(changed, FileSealer()).code(), Code::kRootSecretInvalid) << at;
  }
  Bytes longer = whole;
  longer.push_back('\n');
  EXPECT_EQ(OpenRootFile(longer, FileSealer()).code(), Code::kRootSecretInvalid);
  Replace(root_, AsBytes("-----BEGIN PRIVATE KEY-----\n"));
  const auto opened = ObjectStore::Open(state_, FileSealer());
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.code(), Code::kRootSecretInvalid);
  EXPECT_THAT(opened.error().detail(), testing::HasSubstr(root_));
}

TEST_F(State, RootSecretOfAnotherEnclaveIsForeignNotCorrupt) {
  MustOk(InitState(state_, FileSealer()));
  MustOk(InitState(state_ + "2", FileSealer()));
  fs::copy_file(StateFiles::Root(state_ + "2"), root_, fs::copy_options::overwrite_existing);
  EXPECT_EQ(OpenCode(), Code::kStoreForeign);
}

TEST_F(State, StoreOfAnotherEnclaveIsForeignNotCorrupt) {
  MustOk(InitState(state_, FileSealer()));
  MustOk(InitState(state_ + "2", FileSealer()));
  fs::copy_file(StateFiles::Store(state_ + "2"), store_, fs::copy_options::overwrite_existing);
  EXPECT_EQ(OpenCode(), Code::kStoreForeign);
}

TEST_F(State, StoreInUseIsLocked) {
  MustOk(InitState(state_, FileSealer()));
  const auto first = Must(ObjectStore::Open(state_, FileSealer()));
  EXPECT_EQ(OpenCode(), Code::kStoreLocked);
  EXPECT_EQ(AcceptStore(state_, FileSealer()).code(), Code::kStoreLocked);
}

class AcceptedState : public State {
 protected:
  void SetUp() override {
    MustOk(InitState(state_, FileSealer()));
    fs::copy_file(store_, store_ + ".yesterday");
    Must(Must(ObjectStore::Open(state_, FileSealer()))
             ->CreateToken(TestToken("t"), TestPolicy("p", 1)));
    fs::copy_file(store_ + ".yesterday", store_, fs::copy_options::overwrite_existing);
  }
};

TEST_F(AcceptedState, RestoredBackupOpensOnceItIsAccepted) {
  EXPECT_EQ(OpenCode(), Code::kStoreRolledBack);
  MustOk(AcceptStore(state_, FileSealer()));
  {
    const auto opened = Must(ObjectStore::Open(state_, FileSealer()));
    EXPECT_TRUE(opened->Tokens().empty());
    Must(opened->CreateToken(TestToken("t"), TestPolicy("p", 1)));
  }
  fs::copy_file(store_ + ".yesterday", store_, fs::copy_options::overwrite_existing);
  EXPECT_EQ(OpenCode(), Code::kStoreRolledBack) << "what was accepted is guarded as before";
}

TEST_F(AcceptedState, LostOrDamagedWitnessIsMadeAnew) {
  fs::remove(witness_);
  EXPECT_EQ(OpenCode(), Code::kWitnessMissing);
  MustOk(AcceptStore(state_, FileSealer()));
  EXPECT_TRUE(ObjectStore::Open(state_, FileSealer()).ok());
  Replace(witness_, Bytes(8192));
  EXPECT_EQ(OpenCode(), Code::kWitnessInvalid);
  MustOk(AcceptStore(state_, FileSealer()));
  EXPECT_EQ(ModeOf(witness_), 0600U);
  EXPECT_TRUE(ObjectStore::Open(state_, FileSealer()).ok());
}

TEST_F(AcceptedState, DamagedOrForeignStoreIsNotAccepted) {
  MustOk(InitState(state_ + "2", FileSealer()));
  const Bytes witness = Must(ReadFile(witness_, 1 << 20));
  fs::copy_file(StateFiles::Store(state_ + "2"), store_, fs::copy_options::overwrite_existing);
  EXPECT_EQ(AcceptStore(state_, FileSealer()).code(), Code::kStoreForeign);
  Replace(store_, Bytes(4096, 7));
  EXPECT_EQ(AcceptStore(state_, FileSealer()).code(), Code::kStoreCorrupt);
  EXPECT_EQ(Must(ReadFile(witness_, 1 << 20)), witness);
}

TEST_F(State, WitnessLiesWhereItIsChosen) {
  const WitnessChoice apart{.none = false, .path = directory_.path() + "/apart"};
  MustOk(InitState(state_, FileSealer(), apart));
  EXPECT_FALSE(fs::exists(witness_));
  EXPECT_EQ(ModeOf(apart.path), 0600U);
  EXPECT_EQ(OpenCode(), Code::kWitnessMissing) << "not where it is looked for by default";
  Must(Must(ObjectStore::Open(state_, FileSealer(), apart))
           ->CreateToken(TestToken("t"), TestPolicy("p", 1)));
  fs::remove(apart.path);
  EXPECT_EQ(ObjectStore::Open(state_, FileSealer(), apart).code(), Code::kWitnessMissing);
  MustOk(AcceptStore(state_, FileSealer(), apart));
  EXPECT_TRUE(ObjectStore::Open(state_, FileSealer(), apart).ok());
  fs::rename(apart.path, witness_);
  EXPECT_TRUE(ObjectStore::Open(state_, FileSealer()).ok()) << "the file may move";
}

// Another enclave takes no mark that is older than what it has, whoever asks for it.
class KeptElsewhere final : public Witness {
 public:
  explicit KeptElsewhere(std::shared_ptr<Mark> mark) : mark_(std::move(mark)) {}
  std::string Name() const override { return "elsewhere"; }
  Result<Mark> Read() override {
    if (mark_->epoch == 0) return Fail(Code::kWitnessMissing, Name());
    return *mark_;
  }
  Status Advance(const Mark& mark) override {
    if (mark.epoch > mark_->epoch) *mark_ = mark;
    if (mark.epoch == mark_->epoch && mark.head_digest == mark_->head_digest) return Done{};
    return Fail(Code::kStoreRolledBack, Name());
  }

 private:
  const std::shared_ptr<Mark> mark_;
};

TEST_F(State, WitnessOfAnotherEnclaveIsNotMadeAnew) {
  const auto mark = std::make_shared<Witness::Mark>();
  WitnessChoice elsewhere;
  elsewhere.peer = [mark](const RootKeyring& /*keyring*/) {
    return std::make_unique<KeptElsewhere>(mark);
  };
  MustOk(InitState(state_, FileSealer(), elsewhere));
  EXPECT_FALSE(fs::exists(witness_));
  fs::copy_file(store_, store_ + ".yesterday");
  Must(Must(ObjectStore::Open(state_, FileSealer(), elsewhere))
           ->CreateToken(TestToken("t"), TestPolicy("p", 1)));
  fs::copy_file(store_ + ".yesterday", store_, fs::copy_options::overwrite_existing);
  EXPECT_EQ(ObjectStore::Open(state_, FileSealer(), elsewhere).code(), Code::kStoreRolledBack);
  EXPECT_EQ(AcceptStore(state_, FileSealer(), elsewhere).code(), Code::kStoreRolledBack);
  EXPECT_EQ(ObjectStore::Open(state_, FileSealer(), elsewhere).code(), Code::kStoreRolledBack);
  // Where it has forgotten, the store that is there counts.
  *mark = {};
  EXPECT_EQ(ObjectStore::Open(state_, FileSealer(), elsewhere).code(), Code::kWitnessMissing);
  MustOk(AcceptStore(state_, FileSealer(), elsewhere));
  EXPECT_TRUE(ObjectStore::Open(state_, FileSealer(), elsewhere).ok());
  EXPECT_EQ(WitnessLimit(elsewhere, false), "");
}

TEST_F(State, WithoutAWitnessAnyAgeIsAccepted) {
  const WitnessChoice none{.none = true, .path = {}};
  MustOk(InitState(state_, FileSealer(), none));
  EXPECT_FALSE(fs::exists(witness_));
  fs::copy_file(store_, store_ + ".yesterday");
  Must(Must(ObjectStore::Open(state_, FileSealer(), none))
           ->CreateToken(TestToken("t"), TestPolicy("p", 1)));
  fs::copy_file(store_ + ".yesterday", store_, fs::copy_options::overwrite_existing);
  EXPECT_TRUE(ObjectStore::Open(state_, FileSealer(), none).ok());
  MustOk(AcceptStore(state_, FileSealer(), none));
  EXPECT_FALSE(fs::exists(witness_));
  EXPECT_EQ(OpenCode(), Code::kWitnessMissing);
}

TEST(WitnessLimitTest, IsSaidWhereThereIsOne) {
  EXPECT_THAT(WitnessLimit({}, false), testing::HasSubstr("beside the store"));
  EXPECT_EQ(WitnessLimit({}, true), "");
  EXPECT_EQ(WitnessLimit({.none = false, .path = "/mnt/witness"}, false), "");
  EXPECT_THAT(WitnessLimit({.none = true, .path = {}}, false), testing::HasSubstr("no witness"));
}

}  // namespace
}  // namespace keyclave::keys
