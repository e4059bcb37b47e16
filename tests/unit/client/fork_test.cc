// A forked child shares nothing with its parent: not the key, not the connection, not a lock.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "tests/fakes/fake_daemon.h"
#include "tests/fakes/raw_peer.h"

namespace keyclave::test {
namespace {

using client::Client;
using wire::Op;

bool Random(Client& client) {
  return client.Call<Op::kRandom>(wire::RandomRequest{16, std::nullopt}).ok();
}

// Runs `body` in a child; its result is whether the child said true.
bool InChild(const std::function<bool()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body() ? 0 : 1);
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// The daemon lives in a process of its own, so that the forking process has only the client's
// state.
class ForkTest : public ::testing::Test {
 protected:
  ForkTest() {
    SocketPair pair;
    daemon_ = ::fork();
    if (daemon_ == 0) {
      pair.first.Close();
      Serve(pair.second.get());
    }
    control_ = std::move(pair.first);
    pair.second.Close();
    EXPECT_TRUE(WaitReadable(control_.get()));
  }
  ~ForkTest() override {
    control_.Close();
    int status = 0;
    ::waitpid(daemon_, &status, 0);
  }

  // Serves until the test closes its end.
  [[noreturn]] void Serve(int control) {
    {
      FakeDaemon daemon(folder_);
      static_cast<void>(::send(control, "r", 1, MSG_NOSIGNAL));
      uint8_t byte = 0;
      do {
        WaitReadable(control, std::chrono::minutes(10));
        const uint8_t callers = static_cast<uint8_t>(daemon.handler.callers().size());
        const uint8_t open = static_cast<uint8_t>(daemon.server->stats().connections.load());
        const uint8_t answer[] = {callers, open};
        static_cast<void>(::send(control, answer, sizeof(answer), MSG_NOSIGNAL));
      } while (::recv(control, &byte, 1, 0) == 1);
    }
    ::_exit(0);
  }

  const TestFolder folder_;
  pid_t daemon_ = -1;
  Fd control_;
};

TEST_F(ForkTest, AChildWorksOnAConnectionOfItsOwn) {
  Client client(folder_.ClientConfig());
  ASSERT_TRUE(Random(client));
  const uint64_t generation = client.generation();
  EXPECT_TRUE(InChild([&] {
    return Random(client) && client.stats().connections == 1 && client.stats().attestations == 1 &&
           client.generation() != generation;
  }));
  EXPECT_EQ(client.generation(), generation);
  EXPECT_TRUE(Random(client)) << "the parent's connection is as it was";
  EXPECT_EQ(client.stats().connections, 1U);
}

TEST_F(ForkTest, EveryChildHasItsOwnKey) {
  std::set<std::string> keys;
  Client client(folder_.ClientConfig());
  ASSERT_TRUE(Random(client));
  for (int i = 0; i < 3; ++i) {
    int fds[2] = {-1, -1};
    ASSERT_EQ(::pipe(fds), 0);
    ASSERT_TRUE(InChild([&] {
      // The fake daemon's ticket is the caller's TLS key.
      wire::LoginRequest request;
      request.token = kToken;
      request.user = wire::LoginState::kUser;
      request.pin = SecretBytes::CopyOf(AsBytes(kPin));
      const auto reply = client.Call<Op::kLogin>(request);
      return reply.ok() && ::write(fds[1], reply->ticket.data(), reply->ticket.size()) ==
                               static_cast<ssize_t>(reply->ticket.size());
    }));
    std::array<char, 64> key{};
    EXPECT_EQ(::read(fds[0], key.data(), key.size()), 64);
    keys.emplace(key.data(), key.size());
    ::close(fds[0]);
    ::close(fds[1]);
  }
  EXPECT_EQ(keys.size(), 3U);
}

TEST_F(ForkTest, AChildThatNeverCallsLeavesTheParentAlone) {
  auto client = std::make_unique<Client>(folder_.ClientConfig());
  ASSERT_TRUE(Random(*client));
  EXPECT_TRUE(InChild([&] {
    client.reset();
    return true;
  }));
  EXPECT_TRUE(Random(*client));
  EXPECT_EQ(client->stats().connections, 1U);
}

TEST_F(ForkTest, TheChildClosesTheParentsSockets) {
  Client client(folder_.ClientConfig());
  ASSERT_TRUE(Random(client));
  const auto sockets = [&] {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code error;
      const auto target = std::filesystem::read_symlink(entry.path(), error);
      if (target.string().starts_with("socket:")) ++count;
    }
    return count;
  };
  const int before = sockets();
  EXPECT_TRUE(InChild([&] { return Random(client) && sockets() == before; }));
}

TEST_F(ForkTest, AnAlienDescriptorInTheChildIsNotClosed) {
  Client client(folder_.ClientConfig());
  ASSERT_TRUE(Random(client));
  EXPECT_TRUE(InChild([&] {
    for (int fd = 3; fd < 256; ++fd) ::close(fd);  // as daemons do
    SocketPair own;
    Fd null(::open("/dev/null", O_RDONLY));
    return Random(client) && ::fcntl(own.first.get(), F_GETFD) >= 0 &&
           ::fcntl(own.second.get(), F_GETFD) >= 0 && ::fcntl(null.get(), F_GETFD) >= 0;
  }));
}

// Other threads hold every lock of the client at some fork.
TEST_F(ForkTest, ForksWhileOtherThreadsCall) {
  Client client(folder_.ClientConfig("unix:" + folder_.Socket(), "max_connections: 2\n"));
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      while (!stop) EXPECT_TRUE(Random(client));
    });
  }
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(InChild([&] { return Random(client); })) << i;
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

TEST_F(ForkTest, GrandchildrenWorkToo) {
  Client client(folder_.ClientConfig());
  ASSERT_TRUE(Random(client));
  EXPECT_TRUE(InChild(
      [&] { return Random(client) && InChild([&] { return Random(client); }) && Random(client); }));
}

}  // namespace
}  // namespace keyclave::test
