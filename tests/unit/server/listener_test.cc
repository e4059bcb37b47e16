#include "enclave/server/listener.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/fakes/fake_daemon.h"
#include "tests/fakes/raw_peer.h"

namespace keyclave::test {
namespace {

using server::Listener;

Endpoint UnixAt(const std::string& path) { return ParseEndpoint("unix:" + path).value(); }

Listener::Arrival AcceptOne(const Listener& listener) {
  EXPECT_TRUE(WaitReadable(listener.fd()));
  auto arrival = listener.Accept();
  EXPECT_TRUE(arrival.ok() && arrival->has_value());
  return std::move(arrival->value());
}

TEST(Listener, TheSocketHasTheModeThatWasAskedFor) {
  const TestFolder folder;
  for (const uint32_t mode : {0600U, 0660U, 0666U}) {
    const auto listener = Listener::Open(UnixAt(folder.Socket()), mode);
    ASSERT_TRUE(listener.ok()) << listener.error().Text();
    struct stat status {};
    ASSERT_EQ(::stat(folder.Socket().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, mode);
  }
  EXPECT_FALSE(std::filesystem::exists(folder.Socket())) << "removed at the end";
}

TEST(Listener, KnowsWhoCameOverAUnixSocket) {
  const TestFolder folder;
  const auto listener = Listener::Open(UnixAt(folder.Socket()), 0600);
  ASSERT_TRUE(listener.ok());
  const Fd caller = ConnectUnix(folder.Socket());
  const auto arrival = AcceptOne(*listener);
  EXPECT_TRUE(arrival.peer.is_unix);
  EXPECT_EQ(arrival.peer.uid, ::getuid());
  EXPECT_EQ(arrival.peer.gid, ::getgid());
  EXPECT_EQ(arrival.peer.pid, ::getpid());
  EXPECT_NE(::fcntl(arrival.socket.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(arrival.socket.get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(Listener, KnowsTheAddressOfATcpCaller) {
  const auto listener = Listener::Open(ParseEndpoint("tcp:127.0.0.1:0").value(), 0);
  ASSERT_TRUE(listener.ok()) << listener.error().Text();
  ASSERT_NE(listener->endpoint().port, 0);
  const Fd caller(::socket(AF_INET, SOCK_STREAM, 0));
  const auto address = wire::SocketAddress::Lookup(listener->endpoint()).value().front();
  ASSERT_EQ(::connect(caller.get(), address.get(), address.size()), 0);
  const auto arrival = AcceptOne(*listener);
  EXPECT_FALSE(arrival.peer.is_unix);
  EXPECT_TRUE(arrival.peer.address.starts_with("127.0.0.1:")) << arrival.peer.address;
}

TEST(Listener, ReplacesASocketThatADeadDaemonLeft) {
  const TestFolder folder;
  {
    const Fd dead(::socket(AF_UNIX, SOCK_STREAM, 0));
    const auto address = wire::SocketAddress::Unix(folder.Socket());
    ASSERT_EQ(::bind(dead.get(), address.get(), address.size()), 0);
  }
  ASSERT_TRUE(std::filesystem::exists(folder.Socket()));
  EXPECT_TRUE(Listener::Open(UnixAt(folder.Socket()), 0600).ok());
}

TEST(Listener, LeavesALivingSocketAlone) {
  const TestFolder folder;
  const auto first = Listener::Open(UnixAt(folder.Socket()), 0600);
  ASSERT_TRUE(first.ok());
  const auto second = Listener::Open(UnixAt(folder.Socket()), 0600);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.code(), Code::kAddressInUse);
  EXPECT_NE(second.error().Text().find(folder.Socket()), std::string::npos);
  EXPECT_TRUE(ConnectUnix(folder.Socket()).ok());
  const auto tcp = Listener::Open(ParseEndpoint("tcp:127.0.0.1:0").value(), 0);
  ASSERT_TRUE(tcp.ok());
  EXPECT_EQ(Listener::Open(tcp->endpoint(), 0).code(), Code::kAddressInUse);
}

TEST(Listener, LeavesOtherFilesAlone) {
  const TestFolder folder;
  std::ofstream(folder.Socket()) << "precious";
  const auto listener = Listener::Open(UnixAt(folder.Socket()), 0600);
  ASSERT_FALSE(listener.ok());
  EXPECT_EQ(listener.code(), Code::kAddressInUse);
  EXPECT_TRUE(std::filesystem::is_regular_file(folder.Socket()));
}

TEST(Listener, DoesNotRemoveTheSocketOfItsSuccessor) {
  const TestFolder folder;
  auto first = Listener::Open(UnixAt(folder.Socket()), 0600);
  ASSERT_TRUE(first.ok());
  std::filesystem::rename(folder.Socket(), folder.File("old.sock"));
  const auto second = Listener::Open(UnixAt(folder.Socket()), 0600);
  ASSERT_TRUE(second.ok());
  { const Listener ended = std::move(first).value(); }
  EXPECT_TRUE(ConnectUnix(folder.Socket()).ok());
}

TEST(Listener, AMissingFolderIsNamed) {
  const auto listener = Listener::Open(UnixAt("/does/not/exist/s.sock"), 0600);
  ASSERT_FALSE(listener.ok());
  EXPECT_EQ(listener.code(), Code::kNotFound);
  EXPECT_NE(listener.error().Text().find("/does/not/exist"), std::string::npos);
}

}  // namespace
}  // namespace keyclave::test
