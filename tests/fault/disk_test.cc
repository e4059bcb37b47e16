// ctest: TIMEOUT=300
// Full disks and read-only disks give errors that say so, lose nothing, and are recovered from; two
// daemons cannot share one store.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "enclave/base/hash.h"
#include "enclave/keys/object_store.h"
#include "enclave/keys/state_files.h"
#include "tests/fakes/temporary_directory.h"

namespace keyclave::keys {
namespace {

namespace fs = std::filesystem;

// A small file system of its own, if this user may mount one.
class SmallDisk {
 public:
  explicit SmallDisk(const std::string& path) : path_(path) {
    fs::create_directory(path);
    mounted_ = mount("none", path.c_str(), "tmpfs", 0, "size=4m") == 0;
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() {
    if (mounted_) umount2(path_.c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  void SetReadOnly(bool read_only) {
    const auto flags = static_cast<unsigned long>(read_only ? MS_REMOUNT | MS_RDONLY : MS_REMOUNT);
    ASSERT_EQ(mount("none", path_.c_str(), "tmpfs", flags, "size=4m"), 0) << errno;
  }
  // Takes all the room that is left.
  void Fill() {
    std::ofstream filler(path_ + "/filler", std::ios::binary);
    const std::string block(512, 'x');
    while (filler.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }
  void MakeRoom() { fs::remove(path_ + "/filler"); }

 private:
  const std::string path_;
  bool mounted_ = false;
};

NewObject MakeObject(const Token& token, const std::string& label, size_t size) {
  NewObject fresh;
  fresh.object.token = token.id;
  fresh.object.attributes.SetUlong(CKA_CLASS, CKO_SECRET_KEY);
  fresh.object.attributes.SetUlong(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
  fresh.object.attributes.SetText(CKA_LABEL, label);
  fresh.material = SecretBytes(size);
  return fresh;
}

class Disk : public testing::Test {
 protected:
  void SetUp() override {
    if (!disk_.mounted()) GTEST_SKIP() << "may not mount a file system here";
    ASSERT_TRUE(InitState(state_, FileSealer()).ok());
    Open();
    Document policy{"p", 1, "policy: p\n", Sha256(AsBytes("policy: p\n"))};
    Token token;
    token.label = "t";
    token_ = store_->CreateToken(token, policy).value();
  }
  void TearDown() override { store_.reset(); }
  void Open() {
    store_.reset();
    auto opened = ObjectStore::Open(state_, FileSealer());
    ASSERT_TRUE(opened.ok()) << opened.error().Text();
    store_ = std::move(opened).value();
  }
  Result<std::vector<ObjectPtr>> Insert(const std::string& label, size_t size = 64) {
    std::vector<NewObject> fresh;
    fresh.push_back(MakeObject(token_, label, size));
    return store_->Insert(std::move(fresh));
  }
  void ExpectThere(const std::vector<wire::ObjectId>& ids) {
    EXPECT_EQ(store_->object_count(), ids.size());
    for (const wire::ObjectId& id : ids) {
      const auto object = store_->Get(id);
      ASSERT_TRUE(object.ok());
      EXPECT_TRUE(store_->ReadMaterial(**object).ok());
    }
  }
  // Inserts until the disk is full; the code of the first refusal.
  Code InsertUntilRefused(std::vector<wire::ObjectId>& ids) {
    for (int i = 0; i < 100'000; ++i) {
      const auto made = Insert("object " + std::to_string(i));
      if (!made.ok()) return made.code();
      ids.push_back(made->front()->id);
    }
    return Code::kInternal;
  }

  fakes::TemporaryDirectory directory_;
  SmallDisk disk_{directory_.path() + "/disk"};
  const std::string state_ = directory_.path() + "/disk/state";
  std::unique_ptr<ObjectStore> store_;
  Token token_;
};

TEST_F(Disk, FullDiskRefusesChangesKeepsServingAndRecovers) {
  std::vector<wire::ObjectId> ids;
  disk_.Fill();
  EXPECT_EQ(InsertUntilRefused(ids), Code::kStoreFull);
  EXPECT_EQ(InsertUntilRefused(ids), Code::kStoreFull) << "and again";
  ExpectThere(ids);
  disk_.MakeRoom();
  const auto made = Insert("after");
  ASSERT_TRUE(made.ok()) << made.error().Text();
  ids.push_back(made->front()->id);
  Open();
  ExpectThere(ids);
}

TEST_F(Disk, DiskFilledByTheStoreItselfLosesNothing) {
  std::vector<wire::ObjectId> ids;
  while (true) {
    const auto made = Insert("large", 20'000);
    if (!made.ok()) {
      EXPECT_EQ(made.code(), Code::kStoreFull) << made.error().Text();
      break;
    }
    ids.push_back(made->front()->id);
    ASSERT_LT(ids.size(), 1000U);
  }
  EXPECT_GT(ids.size(), 10U);
  ExpectThere(ids);
  Open();
  ExpectThere(ids);
}

TEST_F(Disk, FullDiskDoesNotKeepADaemonFromStarting) {
  std::vector<wire::ObjectId> ids;
  for (int i = 0; i < 10; ++i) ids.push_back(Insert("object").value().front()->id);
  store_.reset();
  disk_.Fill();
  Open();
  ASSERT_NE(store_, nullptr);
  ExpectThere(ids);
  std::vector<wire::ObjectId> more;
  EXPECT_EQ(InsertUntilRefused(more), Code::kStoreFull);
  ids.insert(ids.end(), more.begin(), more.end());
  disk_.MakeRoom();
  ids.push_back(Insert("after").value().front()->id);
  Open();
  ExpectThere(ids);
}

TEST_F(Disk, ReadOnlyDiskIsSaidAtOpenAndHarmsNothing) {
  const auto id = Insert("object").value().front()->id;
  store_.reset();
  disk_.SetReadOnly(true);
  const auto opened = ObjectStore::Open(state_, FileSealer());
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.code(), Code::kStoreReadOnly) << opened.error().Text();
  EXPECT_EQ(InitState(state_ + "2", FileSealer()).code(), Code::kStoreReadOnly);
  disk_.SetReadOnly(false);
  Open();
  ExpectThere({id});
}

// Needs no mount: a write that fails in the middle of a commit for another reason than ENOSPC.
TEST(FailingWrites, LoseNothingAndAreRecoveredFrom) {
  const fakes::TemporaryDirectory directory;
  const std::string state = directory.path() + "/state";
  ASSERT_TRUE(InitState(state, FileSealer()).ok());
  auto store = ObjectStore::Open(state, FileSealer()).value();
  Document policy{"p", 1, "policy: p\n", Sha256(AsBytes("policy: p\n"))};
  const Token token = store->CreateToken(Token(), policy).value();
  std::vector<wire::ObjectId> ids;
  const auto insert = [&]() -> Status {
    std::vector<NewObject> fresh;
    fresh.push_back(MakeObject(token, "object", 20'000));
    KC_ASSIGN(const auto made, store->Insert(std::move(fresh)));
    ids.push_back(made.front()->id);
    return Done{};
  };
  ASSERT_TRUE(insert().ok());
  ASSERT_NE(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
  struct rlimit before {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const struct rlimit small { 500'000, before.rlim_max };
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  Status refused = Done{};
  while (refused.ok() && ids.size() < 1000) refused = insert();
  EXPECT_FALSE(refused.ok());
  EXPECT_FALSE(insert().ok()) << "and again";
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  if (!refused.ok()) {
    EXPECT_EQ(refused.code(), Code::kStoreIo) << refused.error().Text();
  }
  EXPECT_TRUE(insert().ok());
  store.reset();
  store = ObjectStore::Open(state, FileSealer()).value();
  EXPECT_EQ(store->object_count(), ids.size());
  for (const wire::ObjectId& id : ids)
    EXPECT_TRUE(store->ReadMaterial(*store->Get(id).value()).ok());
}

TEST(TwoDaemons, SecondOneOnTheSameStoreIsRefusedUntilTheFirstEnds) {
  const fakes::TemporaryDirectory directory;
  const std::string state = directory.path() + "/state";
  ASSERT_TRUE(InitState(state, FileSealer()).ok());
  std::array<int, 2> opened{};
  std::array<int, 2> may_end{};
  ASSERT_EQ(pipe(opened.data()), 0);
  ASSERT_EQ(pipe(may_end.data()), 0);
  const pid_t first = fork();
  if (first == 0) {
    close(may_end[1]);
    const auto store = ObjectStore::Open(state, FileSealer());
    const char answer = store.ok() ? '1' : '0';
    if (write(opened[1], &answer, 1) != 1) _exit(1);
    char ignored = 0;
    _exit(read(may_end[0], &ignored, 1) == 0 ? 0 : 2);  // ends when the parent closes its end
  }
  close(may_end[0]);
  char answer = 0;
  ASSERT_EQ(read(opened[0], &answer, 1), 1);
  ASSERT_EQ(answer, '1');
  const auto second = ObjectStore::Open(state, FileSealer());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.code(), Code::kStoreLocked) << second.error().Text();
  close(may_end[1]);
  int status = 0;
  ASSERT_EQ(waitpid(first, &status, 0), first);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_TRUE(ObjectStore::Open(state, FileSealer()).ok());
}

}  // namespace
}  // namespace keyclave::keys
