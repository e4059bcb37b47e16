// The process at the other end of a unix socket, and the claims about it.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attest/appraise.h"
#include "attest/peer_process.h"
#include "attest/tee_type.h"
#include "enclave/base/yaml.h"
#include "tests/fakes/temporary_directory.h"

namespace keyclave::attest {
namespace {

// A listening socket, and children that connect to it.
class CoResident : public testing::Test {
 protected:
  void SetUp() override {
    listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = folder_.path() + "/socket";
    std::copy(path.begin(), path.end(), address.sun_path);
    address_ = address;
    ASSERT_EQ(bind(listener_, AsSockaddr(), sizeof(address_)), 0);
    ASSERT_EQ(listen(listener_, 8), 0);
  }
  void TearDown() override { close(listener_); }

  const sockaddr* AsSockaddr() const {
    return static_cast<const sockaddr*>(static_cast<const void*>(&address_));
  }
  int Connect() const {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(connect(fd, AsSockaddr(), sizeof(address_)), 0);
    return fd;
  }
  int Accept() const { return accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC); }

  fakes::TemporaryDirectory folder_;
  sockaddr_un address_{};
  int listener_ = -1;
};

Result<ClaimSet> Claims(const PeerProcess* peer) {
  Trust trust;
  trust.accepted_types = {"co-resident"};
  KC_ASSIGN(const Unverified parsed, ParseEvidence("co-resident", {}));
  KC_ASSIGN(const Verified verified,
            VerifyEvidence(parsed, {trust, 1'790'000'000, ReportData{}, peer}));
  return verified.claims();
}

TEST_F(CoResident, TheKernelSaysWhoItIs) {
  const int client = Connect();
  const int server = Accept();
  const auto peer = ReadPeerProcess(server);
  ASSERT_TRUE(peer.ok()) << peer.error().Text();
  EXPECT_EQ(peer->uid, getuid());
  EXPECT_EQ(peer->gid, getgid());
  EXPECT_EQ(ToHex(peer->executable.measurement), ToHex(MeasureOwnExecutable().value().measurement));
  const auto claims = Claims(&*peer);
  ASSERT_TRUE(claims.ok()) << claims.error().Text();
  EXPECT_EQ(claims->Find("co-resident.uid")->value, ClaimValue(int64_t{getuid()}));
  EXPECT_EQ(claims->Find("measurement")->value, ClaimValue(ToHex(peer->executable.measurement)));
  close(client);
  close(server);
}

TEST_F(CoResident, AProcessThatEndedIsNobody) {
  // lesson: a process number is used again; what connected is held by a pidfd.
  const pid_t child = fork();
  if (child == 0) {
    const int fd = Connect();
    // Somebody else keeps the socket open when it ends.
    if (fork() == 0) {
      alarm(60);
      pause();
    }
    _exit(fd < 0 ? 1 : 0);
  }
  const int server = Accept();
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(ReadPeerProcess(server).code(), Code::kEvidenceUnavailable);
  close(server);
}

TEST_F(CoResident, AnotherProgramHasAnotherMeasurement) {
  // Closed by the exec: whoever reads its other end knows that the next program runs.
  int running[2];
  ASSERT_EQ(pipe2(running, O_CLOEXEC), 0);
  const pid_t child = fork();
  if (child == 0) {
    if (dup(Connect()) < 0) _exit(126);  // the copy lives on in the next program
    execl("/bin/sleep", "sleep", "60", nullptr);
    _exit(127);
  }
  const int server = Accept();
  close(running[1]);
  char end = 0;
  ASSERT_EQ(read(running[0], &end, 1), 0);
  close(running[0]);
  const Result<PeerProcess> peer = ReadPeerProcess(server);
  ASSERT_TRUE(peer.ok()) << peer.error().Text();
  EXPECT_EQ(peer->executable.name, "sleep");
  EXPECT_NE(ToHex(peer->executable.measurement), ToHex(MeasureOwnExecutable().value().measurement));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(server);
}

TEST(CoResidentEvidence, NeedsAUnixSocketAndNoBytes) {
  EXPECT_EQ(Claims(nullptr).code(), Code::kEvidenceUnbound);
  EXPECT_EQ(ParseEvidence("co-resident", AsBytes("x")).code(), Code::kEvidenceMalformed);
}

TEST(CoResidentEvidence, SatisfiesOnlyWhatNamesIt) {
  PeerProcess peer;
  peer.uid = 33;
  const auto claims = Claims(&peer);
  ASSERT_TRUE(claims.ok());
  EXPECT_EQ(FailedProtection(*claims, {})->term, "tee");
  EXPECT_FALSE(FailedProtection(*claims, {.co_resident = true}).has_value());
  const auto expression = [](std::string_view text) {
    return Expression::Parse(ParseYaml(text, "test").value()).value();
  };
  const auto both = expression("all: [{tee: {is: co-resident}}, {co-resident.uid: {is: 33}}]");
  EXPECT_TRUE(both.MentionsCoResident());
  EXPECT_TRUE(both.Requires("co-resident.uid"));
  EXPECT_TRUE(both.Satisfied(*claims, 0));
  EXPECT_FALSE(expression("tee: {is: co-resident}").Requires("co-resident.uid"));
  EXPECT_FALSE(expression("tee: {is: sgx}").MentionsCoResident());
}

}  // namespace
}  // namespace keyclave::attest
