#include "enclave/base/secret_bytes.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <set>
#include <sstream>
#include <thread>
#include <type_traits>

namespace keyclave {
namespace {

static_assert(!std::is_copy_constructible_v<SecretBytes>);
static_assert(!std::is_copy_assignable_v<SecretBytes>);
static_assert(!std::is_convertible_v<SecretBytes, ByteSpan>);
static_assert(std::is_nothrow_move_constructible_v<SecretBytes>);

// The address and thread sanitizers replace mlock by a function that does nothing.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kPagesCanBeLocked = false;
#elif defined(__has_feature)
constexpr bool kPagesCanBeLocked =
    !(__has_feature(address_sanitizer) || __has_feature(thread_sanitizer));
#else
constexpr bool kPagesCanBeLocked = true;
#endif

constexpr SecretAccess kTest;
// Around every size class of the pool, and around the step to pages of their own.
constexpr size_t kSizes[] = {1,    63,   64,    65,    127,   128,   129,   4095,
                             4096, 4097, 16383, 16384, 16385, 20480, 65536, 1000000};

SecretBytes Filled(size_t size, uint8_t fill) {
  SecretBytes secret(size);
  const auto bytes = secret.ExposeMutable(kTest);
  std::fill(bytes.begin(), bytes.end(), fill);
  return secret;
}

bool AllAre(ByteSpan bytes, uint8_t value) {
  return std::all_of(bytes.begin(), bytes.end(), [value](uint8_t b) { return b == value; });
}

uint64_t AddressOf(const uint8_t* address) {
  std::ostringstream text;
  text << static_cast<const void*>(address);
  return std::stoull(text.str(), nullptr, 16);
}

struct Mapping {
  uint64_t begin = 0;
  uint64_t end = 0;
  std::set<std::string> flags;  // as /proc/self/smaps names them
};

// The mapping that holds an address.
Mapping MappingOf(const uint8_t* address) {
  const uint64_t wanted = AddressOf(address);
  std::ifstream maps("/proc/self/smaps");
  Mapping mapping;
  for (std::string line; std::getline(maps, line);) {
    const size_t dash = line.find('-');
    const size_t space = line.find(' ');
    if (dash != std::string::npos && dash < space) {
      mapping.begin = std::stoull(line.substr(0, dash), nullptr, 16);
      mapping.end = std::stoull(line.substr(dash + 1, space), nullptr, 16);
    } else if (line.starts_with("VmFlags:") && mapping.begin <= wanted && wanted < mapping.end) {
      std::istringstream words(line.substr(8));
      for (std::string word; words >> word;) mapping.flags.insert(word);
      return mapping;
    }
  }
  return {};
}

TEST(SecretBytes, AreZeroAtFirstAndHoldWhatIsPutIn) {
  for (const size_t size : kSizes) {
    SecretBytes secret(size);
    EXPECT_EQ(secret.size(), size);
    EXPECT_TRUE(AllAre(secret.Expose(kTest), 0)) << size;
    const SecretBytes filled = Filled(size, 0xa5);
    EXPECT_TRUE(AllAre(filled.Expose(kTest), 0xa5));
  }
  const SecretBytes empty;
  EXPECT_TRUE(empty.empty());
  EXPECT_TRUE(SecretBytes(0).empty());
  EXPECT_TRUE(empty == SecretBytes(0));
}

TEST(SecretBytes, NeighboursDoNotOverlap) {
  std::vector<SecretBytes> secrets;
  for (size_t i = 0; i < 3000; ++i) secrets.push_back(Filled(1 + i % 300, static_cast<uint8_t>(i)));
  for (size_t i = 0; i < secrets.size(); ++i)
    EXPECT_TRUE(AllAre(secrets[i].Expose(kTest), static_cast<uint8_t>(i)));
}

TEST(SecretBytes, LieInLockedPagesThatAreNeitherDumpedNorInherited) {
  for (const size_t size : kSizes) {
    const SecretBytes secret(size);
    for (const uint8_t* address :
         {secret.Expose(kTest).data(), secret.Expose(kTest).data() + size - 1}) {
      const std::set<std::string> flags = MappingOf(address).flags;
      ASSERT_FALSE(flags.empty());
      EXPECT_TRUE(flags.contains("dd")) << "would be in a core dump: " << size;
      EXPECT_TRUE(flags.contains("wf")) << "would be inherited by a fork: " << size;
      EXPECT_EQ(flags.contains("lo"), AllSecretsLocked() && kPagesCanBeLocked)
          << "could be swapped: " << size;
    }
  }
}

TEST(SecretBytes, AreWipedWhenTheyEnd) {
  for (const size_t size : {size_t{1}, size_t{64}, size_t{1000}, size_t{16384}}) {
    const uint8_t* where = nullptr;
    {
      const SecretBytes secret = Filled(size, 0xa5);
      where = secret.Expose(kTest).data();
    }
    // The pool keeps its pages mapped; what it gave out once is zero now.
    EXPECT_TRUE(AllAre(FromC(where, size), 0)) << size;
    const SecretBytes next(size);
    EXPECT_TRUE(AllAre(next.Expose(kTest), 0));
  }
}

TEST(SecretBytes, TruncateWipesTheTail) {
  SecretBytes secret = Filled(100, 0xa5);
  const uint8_t* where = secret.Expose(kTest).data();
  secret.Truncate(40);
  EXPECT_EQ(secret.size(), 40U);
  EXPECT_TRUE(AllAre(FromC(where, 40), 0xa5));
  EXPECT_TRUE(AllAre(FromC(where + 40, 60), 0));
  secret.Truncate(40);
  EXPECT_EQ(secret.size(), 40U);
  secret.Truncate(0);
  EXPECT_TRUE(secret.empty());
  EXPECT_TRUE(AllAre(FromC(where, 100), 0));
}

TEST(SecretBytes, MoveButCopyOnlyByName) {
  SecretBytes first = Filled(50, 1);
  const uint8_t* where = first.Expose(kTest).data();
  SecretBytes second(std::move(first));
  EXPECT_EQ(second.Expose(kTest).data(), where);
  EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move): what a move leaves is empty
  SecretBytes third = Filled(60, 2);
  const uint8_t* replaced = third.Expose(kTest).data();
  third = std::move(second);
  EXPECT_EQ(third.Expose(kTest).data(), where);
  EXPECT_TRUE(AllAre(FromC(replaced, 60), 0));  // what it held before is wiped
  const SecretBytes clone = third.Clone();
  EXPECT_NE(clone.Expose(kTest).data(), where);
  EXPECT_TRUE(clone == third);
}

TEST(SecretBytes, TakeWipesWhereItTookFrom) {
  Bytes source(30, 7);
  const SecretBytes secret = SecretBytes::Take(source);
  EXPECT_TRUE(AllAre(source, 0));
  EXPECT_TRUE(AllAre(secret.Expose(kTest), 7));
  const Bytes kept(30, 8);
  EXPECT_TRUE(AllAre(SecretBytes::CopyOf(kept).Expose(kTest), 8));
  EXPECT_TRUE(AllAre(kept, 8));
}

TEST(SecretBytes, CompareWholeAndExact) {
  const SecretBytes a = Filled(32, 9);
  for (size_t i = 0; i < 32; ++i) {
    SecretBytes b = a.Clone();
    EXPECT_TRUE(a == b);
    b.ExposeMutable(kTest)[i] ^= 1;
    EXPECT_FALSE(a == b);
  }
  EXPECT_FALSE(a == Filled(31, 9));
}

// Runs `check` in a forked child; whether it returned true there.
template <class Check>
bool InChild(Check check) {
  const pid_t child = fork();
  if (child == 0) _exit(check() ? 0 : 1);
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(SecretBytes, AreZeroInAForkedChild) {
  for (const size_t size : kSizes) {
    SecretBytes secret = Filled(size, 0xa5);
    EXPECT_TRUE(InChild([&] { return AllAre(secret.Expose(kTest), 0); })) << size;
    EXPECT_TRUE(AllAre(secret.Expose(kTest), 0xa5)) << "the parent keeps its own";
  }
}

TEST(SecretBytes, AForkedChildMayReleaseAndMakeItsOwn) {
  for (const size_t size : {size_t{100}, size_t{20000}}) {
    auto inherited = std::make_unique<SecretBytes>(Filled(size, 0xa5));
    EXPECT_TRUE(InChild([&] {
      inherited.reset();
      std::vector<SecretBytes> own;
      for (uint8_t i = 1; i < 100; ++i) own.push_back(Filled(size, i));
      for (uint8_t i = 1; i < 100; ++i) {
        if (!AllAre(own[i - 1U].Expose(kTest), i)) return false;
      }
      return true;
    }));
    EXPECT_TRUE(AllAre(inherited->Expose(kTest), 0xa5));
  }
}

TEST(SecretBytesDeathTest, LieBetweenGuardPages) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  // Through volatile: the compiler may not know that the address is bad.
  const auto touch = [](const uint8_t* from, uint64_t address) {
    const volatile uint8_t* base = from;
    return base[static_cast<ptrdiff_t>(address - AddressOf(from))];
  };
  for (const size_t size : {size_t{64}, size_t{5} * 4096}) {
    const SecretBytes secret(size);
    const uint8_t* data = secret.Expose(kTest).data();
    const Mapping mapping = MappingOf(data);
    ASSERT_LT(mapping.begin, mapping.end);
    (void)touch(data, mapping.begin);
    (void)touch(data, mapping.end - 1);
    EXPECT_DEATH((void)touch(data, mapping.begin - 1), "");
    EXPECT_DEATH((void)touch(data, mapping.end), "");
  }
  // What has pages of its own ends right before the guard if it fills them.
  const SecretBytes whole(size_t{5} * 4096);
  EXPECT_EQ(MappingOf(whole.Expose(kTest).data()).end,
            AddressOf(whole.Expose(kTest).data()) + whole.size());
}

TEST(SecretBytes, ManyThreadsShareThePool) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (uint8_t id = 1; id <= 8; ++id) {
    threads.emplace_back([id, &wrong] {
      std::vector<SecretBytes> mine;
      for (size_t i = 0; i < 2000; ++i) {
        mine.push_back(Filled(1 + (i * id) % 5000, id));
        if (mine.size() > 20) mine.erase(mine.begin());
        if (!AllAre(mine.front().Expose(kTest), id)) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace keyclave
