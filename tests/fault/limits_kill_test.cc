// ctest: TIMEOUT=300
// A process that counts uses and is killed at any moment never lets more of them happen than the
// limit says, and loses no more than a block with each kill.
//
// It is this program again, started with a state directory and the write end of a pipe: one byte
// for each use that was allowed.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <random>

#include "enclave/base/hash.h"
#include "enclave/keys/state_files.h"
#include "enclave/ops/limits.h"
#include "tests/fakes/temporary_directory.h"

namespace keyclave::ops {
namespace {

constexpr uint64_t kUses = 4000;
constexpr uint64_t kLargestBlock = kUses / 64;
constexpr char kTakerFlag[] = "--taker";

Result<bool> TakeOne(Limits& limits, const wire::ObjectId& object) {
  const authz::LimitRule rule{
      .rate = std::nullopt, .burst = 0, .uses = kUses, .per = authz::LimitRule::Per::kKey};
  const session::CallerId nobody{};
  const Status status =
      limits.Take({.object = object, .policy = "p", .permit = 1, .caller = nobody}, rule);
  if (!status.ok() && status.code() != Code::kLimitReached) return status.error();
  return status.ok();
}

wire::ObjectId OnlyObject(const keys::ObjectStore& store) {
  return store
      .Find(store.Tokens().front().id, {}, std::nullopt, 1,
            [](const keys::Object&) { return true; })
      .front()
      ->id;
}

int RunTaker(const char* directory, const char* pipe_number) {
  const auto store = keys::ObjectStore::Open(directory, keys::FileSealer());
  if (!store.ok()) return 3;
  const SystemClock clock;
  Limits limits(**store, clock);
  const wire::ObjectId object = OnlyObject(**store);
  const int pipe = std::stoi(pipe_number);
  for (;;) {
    const auto taken = TakeOne(limits, object);
    if (!taken.ok()) return 4;
    if (!*taken) return 0;
    if (write(pipe, "u", 1) != 1) return 5;
  }
}

class LimitsKill : public testing::Test {
 protected:
  // Starts the taker and kills it after about `wanted` uses; how many there were.
  uint64_t RunAndKill(uint64_t wanted) {
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe(ends.data()), 0);
    const std::string number = std::to_string(ends[1]);
    const pid_t child = fork();
    if (child == 0) {
      close(ends[0]);
      execl("/proc/self/exe", "limits_kill", kTakerFlag, state_.c_str(), number.c_str(), nullptr);
      _exit(5);
    }
    close(ends[1]);
    uint64_t uses = 0;
    char byte = 0;
    while (uses < wanted && read(ends[0], &byte, 1) == 1) ++uses;
    kill(child, SIGKILL);
    while (read(ends[0], &byte, 1) == 1) ++uses;
    close(ends[0]);
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0) << WEXITSTATUS(status);
    return uses;
  }

  fakes::TemporaryDirectory directory_;
  const std::string state_ = directory_.path() + "/state";
  std::mt19937_64 random_{std::random_device()()};
};

TEST_F(LimitsKill, NeverMoreUsesThanTheLimit) {
  ASSERT_TRUE(keys::InitState(state_, keys::FileSealer()).ok());
  {
    const auto store = keys::ObjectStore::Open(state_, keys::FileSealer());
    ASSERT_TRUE(store.ok());
    const std::string text = "policy: p\n";
    keys::Token token;
    token.label = "t";
    token = (*store)->CreateToken(token, {"p", 1, text, Sha256(AsBytes(text))}).value();
    std::vector<keys::NewObject> one(1);
    one[0].object.token = token.id;
    one[0].material = SecretBytes::CopyOf(RandomArray<32>());
    ASSERT_TRUE((*store)->Insert(std::move(one)).ok());
  }
  uint64_t uses = 0;
  uint64_t kills = 0;
  for (; kills < 20; ++kills) {
    uses += RunAndKill(random_() % 200);
    ASSERT_LE(uses, kUses);
  }
  uses += RunAndKill(2 * kUses);  // to the end
  std::printf("%llu of %llu uses over %llu kills\n", static_cast<unsigned long long>(uses),
              static_cast<unsigned long long>(kUses), static_cast<unsigned long long>(kills));
  EXPECT_LE(uses, kUses);
  EXPECT_GE(uses + kills * kLargestBlock, kUses);
}

}  // namespace
}  // namespace keyclave::ops

int main(int argc, char** argv) {
  if (argc == 4 && std::string_view(argv[1]) == keyclave::ops::kTakerFlag)
    return keyclave::ops::RunTaker(argv[2], argv[3]);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
