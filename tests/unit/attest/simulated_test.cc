// The simulated type's own business: roots, keys, and what it measures.

#ifdef KEYCLAVE_SIMULATED

#include "attest/tee/simulated.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "attest/executable.h"
#include "attest/simulated_root.h"
#include "attest/tee_type.h"
#include "enclave/base/file.h"
#include "enclave/base/hash.h"

namespace keyclave::attest {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr UnixTime kNow = 1'790'000'000;
constexpr size_t kMaxProgram = size_t{256} << 20;

class Simulated : public testing::Test {
 protected:
  Simulated() {
    std::string pattern = (fs::temp_directory_path() / "keyclave-simulated.XXXXXX").string();
    dir_ = mkdtemp(pattern.data());
  }
  ~Simulated() override { fs::remove_all(dir_); }

  std::string Path(const char* name) const { return (dir_ / name).string(); }
  void MakeRoot() {
    const Status made = MakeSimulatedRoot(Path("root.key"), Path("root.pub"));
    ASSERT_TRUE(made.ok()) << made.error().Text();
  }
  Trust OwnTrust() const {
    auto spki = ReadSimulatedRoot(Path("root.pub"));
    EXPECT_TRUE(spki.ok());
    Trust trust;
    trust.accepted_types = {"simulated"};
    trust.simulated_roots = {*spki};
    return trust;
  }
  std::string ClaimText(const ClaimSet& claims, const char* name) const {
    const Claim* claim = claims.Find(name);
    return claim == nullptr ? "absent" : ToText(claim->value);
  }

  fs::path dir_;
};

Result<ClaimSet> VerifyAt(ByteSpan evidence, const Trust& trust, UnixTime now) {
  KC_ASSIGN(const Unverified parsed, ParseEvidence("simulated", evidence));
  KC_ASSIGN(const Verified verified, VerifyEvidence(parsed, {trust, now, ReportData{}}));
  return verified.claims();
}

std::string HashOfFile(const std::string& path) {
  const auto bytes = ReadFile(path, kMaxProgram);
  EXPECT_TRUE(bytes.ok());
  return ToHex(Sha256(*bytes));
}

TEST_F(Simulated, RootFilesAreReadableByAllAndSayWhatTheyAre) {
  const mode_t old = umask(077);
  MakeRoot();
  umask(old);
  for (const char* name : {"root.key", "root.pub"}) {
    struct stat status {};
    ASSERT_EQ(stat(Path(name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0644U) << name;
  }
  const auto key = ReadFile(Path("root.key"), 16384);
  ASSERT_TRUE(key.ok());
  EXPECT_TRUE(AsText(*key).starts_with("# "));
  EXPECT_THAT(std::string(AsText(*key)), HasSubstr("protects nothing"));
  EXPECT_THAT(std::string(AsText(*key)), HasSubstr("-----BEGIN PRIVATE KEY-----"));
}

TEST_F(Simulated, RootsAreNeverReplacedAndNeverTheSame) {
  MakeRoot();
  const auto first = ReadSimulatedRoot(Path("root.pub"));
  EXPECT_FALSE(MakeSimulatedRoot(Path("root.key"), Path("other.pub")).ok());
  EXPECT_FALSE(fs::exists(Path("other.pub")));
  EXPECT_TRUE(MakeSimulatedRoot(Path("second.key"), Path("second.pub")).ok());
  const auto second = ReadSimulatedRoot(Path("second.pub"));
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_NE(*first, *second);
}

TEST_F(Simulated, RootsThatAreNotP256KeysAreRefused) {
  MakeRoot();
  EXPECT_EQ(ReadSimulatedRoot(Path("absent.pub")).code(), Code::kNotFound);
  // The private key is not a public one.
  EXPECT_EQ(ReadSimulatedRoot(Path("root.key")).code(), Code::kKeyFileInvalid);
  const auto pem = ReadFile(Path("root.pub"), 16384);
  ASSERT_TRUE(pem.ok());
  for (const size_t size : {size_t{0}, size_t{20}, pem->size() / 2}) {
    std::ofstream(Path("cut.pub"), std::ios::trunc) << AsText(*pem).substr(0, size);
    const auto cut = ReadSimulatedRoot(Path("cut.pub"));
    EXPECT_EQ(cut.code(), Code::kKeyFileInvalid) << size;
    EXPECT_THAT(cut.error().Text(), HasSubstr(Path("cut.pub")));
  }
  // RFC 8410's example of another algorithm.
  std::ofstream(Path("ed25519.pub"))
      << "-----BEGIN PUBLIC KEY-----\n"
         "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
         "-----END PUBLIC KEY-----\n";
  EXPECT_EQ(ReadSimulatedRoot(Path("ed25519.pub")).code(), Code::kKeyFileInvalid);
}

TEST_F(Simulated, ProducesEvidenceOfThisProcess) {
  MakeRoot();
  const TeeType* type = FindTeeType("simulated");
  ASSERT_NE(type, nullptr);
  const auto evidence = type->produce(ReportData{}, {Path("root.key")}, kNow);
  ASSERT_TRUE(evidence.ok()) << evidence.error().Text();
  EXPECT_LT(evidence->size(), 1024U);
  const auto claims = VerifyAt(*evidence, OwnTrust(), kNow);
  ASSERT_TRUE(claims.ok()) << claims.error().Text();
  EXPECT_EQ(ClaimText(*claims, "measurement"), HashOfFile("/proc/self/exe"));
  EXPECT_EQ(ClaimText(*claims, "tee"), "simulated");
  EXPECT_EQ(ClaimText(*claims, "debug"), "false");
  EXPECT_EQ(ClaimText(*claims, "svn"), "1");
  EXPECT_EQ(ClaimText(*claims, "tcb_status"), "up-to-date");
  EXPECT_EQ(ClaimText(*claims, "signer"), ToHex(Sha256(OwnTrust().simulated_roots.front())));
  EXPECT_EQ(ClaimText(*claims, "simulated.executable"), "unit_attest");
  EXPECT_EQ(ClaimText(*claims, "platform_id").size(), 64U);
}

TEST_F(Simulated, WithoutARootThereIsNoEvidence) {
  MakeRoot();
  std::ofstream(Path("garbage.key")) << "not a key\n";
  const TeeType* type = FindTeeType("simulated");
  ASSERT_NE(type, nullptr);
  for (const std::string& path :
       {std::string(), Path("absent.key"), Path("garbage.key"), Path("root.pub")}) {
    const auto evidence = type->produce(ReportData{}, {path}, kNow);
    EXPECT_EQ(evidence.code(), Code::kEvidenceUnavailable) << path;
    EXPECT_THAT(evidence.error().Text(), HasSubstr(path));
  }
}

TEST_F(Simulated, ADocumentSignedForAnotherPurposeIsNotEvidence) {
  const auto key = P256PrivateKey::Generate();
  ASSERT_TRUE(key.ok());
  SimulatedDocument document;
  document.issued = kNow;
  document.executable = std::string(65, 'x');  // longer than the format allows
  const auto evidence = SignSimulated(document, *key);
  ASSERT_TRUE(evidence.ok());
  EXPECT_EQ(ParseEvidence("simulated", *evidence).code(), Code::kEvidenceMalformed);
  document.executable = "x";
  document.svn = uint64_t{1} << 63;
  EXPECT_EQ(ParseEvidence("simulated", *SignSimulated(document, *key)).code(),
            Code::kEvidenceMalformed);
}

TEST_F(Simulated, IssueTimesAtTheEndsOfTimeAreRefused) {
  const auto key = P256PrivateKey::Generate();
  Trust trust;
  trust.accepted_types = {"simulated"};
  trust.simulated_roots = {*key->Public()->ToSpki()};
  SimulatedDocument document;
  for (const UnixTime issued : {INT64_MIN, INT64_MIN + 1, INT64_MAX - 1, INT64_MAX}) {
    document.issued = issued;
    const auto evidence = SignSimulated(document, *key);
    ASSERT_TRUE(evidence.ok());
    EXPECT_EQ(VerifyAt(*evidence, trust, kNow).code(), Code::kEvidenceTime) << issued;
  }
}

TEST(P256, SignaturesVerifyOnlyAsTheyWereMade) {
  const auto key = P256PrivateKey::Generate();
  const auto other = P256PrivateKey::Generate();
  ASSERT_TRUE(key.ok() && other.ok());
  const auto public_key = key->Public();
  // Many, so that numbers with leading zeros and with a high first bit both come up.
  for (int i = 0; i < 300; ++i) {
    const std::string message = "message " + std::to_string(i);
    const auto signature = key->Sign(AsBytes(message));
    ASSERT_TRUE(signature.ok());
    EXPECT_TRUE(public_key->Verify(AsBytes(message), *signature));
    EXPECT_FALSE(public_key->Verify(AsBytes(message + "."), *signature));
    EXPECT_FALSE(other->Public()->Verify(AsBytes(message), *signature));
    P256Signature bad = *signature;
    bad.at(static_cast<size_t>(i) % bad.size()) ^= 0x10;
    EXPECT_FALSE(public_key->Verify(AsBytes(message), bad));
  }
  EXPECT_FALSE(public_key->Verify(AsBytes("x"), P256Signature{}));
  P256Signature ones;
  ones.fill(0xff);
  EXPECT_FALSE(public_key->Verify(AsBytes("x"), ones));
}

// Also run by the test below in a copy of this program, which is told by the environment where the
// root and the evidence belong, and by a line on standard input when to begin.
TEST_F(Simulated, EvidenceMeasuresWhateverFileRuns) {
  const char* told = getenv("KEYCLAVE_TEST_FOLDER");
  const std::string folder = told == nullptr ? dir_.string() : told;
  char line = 0;
  if (told == nullptr) {
    MakeRoot();
  } else {
    ASSERT_EQ(read(STDIN_FILENO, &line, 1), 1);
  }
  const auto evidence =
      FindTeeType("simulated")->produce(ReportData{}, {folder + "/root.key"}, kNow);
  ASSERT_TRUE(evidence.ok()) << evidence.error().Text();
  ASSERT_TRUE(WriteNewFile(folder + "/evidence", *evidence, 0644).ok());
  const auto executable = MeasureOwnExecutable();
  ASSERT_TRUE(executable.ok());
  EXPECT_EQ(ToHex(executable->measurement), HashOfFile("/proc/self/exe"));
}

// A running copy of this program that produces evidence when told.
class Worker {
 public:
  Worker(const std::string& program, const std::string& folder) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return;
    write_end_ = ends[1];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
    std::string arguments[] = {program, "--gtest_filter=Simulated.EvidenceMeasuresWhateverFileRuns",
                               "KEYCLAVE_TEST_FOLDER=" + folder};
    char* argv[] = {arguments[0].data(), arguments[1].data(), nullptr};
    char* environment[] = {arguments[2].data(), nullptr};
    if (posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv, environment) != 0) pid_ = -1;
    posix_spawn_file_actions_destroy(&actions);
    close(ends[0]);
  }
  ~Worker() {
    if (write_end_ >= 0) close(write_end_);
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  bool started() const { return pid_ > 0; }
  bool FinishesWell() {
    if (write(write_end_, "\n", 1) != 1) return false;
    int status = 0;
    return waitpid(pid_, &status, 0) == pid_ && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

 private:
  pid_t pid_ = -1;
  int write_end_ = -1;
};

TEST_F(Simulated, AFileSwappedUnderARunningProgramIsNotMistakenForIt) {
  MakeRoot();
  const std::string program = Path("worker");
  const std::string swapped_in = Path("swapped-in");
  fs::copy_file("/proc/self/exe", program);
  fs::copy_file("/proc/self/exe", swapped_in);
  std::ofstream(swapped_in, std::ios::app | std::ios::binary) << '\0';  // one byte more
  const std::string original_hash = HashOfFile(program);
  const std::string swapped_hash = HashOfFile(swapped_in);
  ASSERT_NE(original_hash, swapped_hash);

  Worker worker(program, dir_.string());
  ASSERT_TRUE(worker.started());
  fs::rename(swapped_in, program);  // the path now leads to another file than the one that runs
  ASSERT_EQ(HashOfFile(program), swapped_hash);
  ASSERT_TRUE(worker.FinishesWell());

  const auto evidence = ReadFile(Path("evidence"), kMaxEvidence);
  ASSERT_TRUE(evidence.ok());
  const auto claims = VerifyAt(*evidence, OwnTrust(), kNow);
  ASSERT_TRUE(claims.ok()) << claims.error().Text();
  EXPECT_EQ(ClaimText(*claims, "measurement"), original_hash);
  EXPECT_EQ(ClaimText(*claims, "simulated.executable"), "worker");

  fs::remove(Path("evidence"));
  Worker next(program, dir_.string());
  ASSERT_TRUE(next.started());
  ASSERT_TRUE(next.FinishesWell());
  const auto other = VerifyAt(*ReadFile(Path("evidence"), kMaxEvidence), OwnTrust(), kNow);
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(ClaimText(*other, "measurement"), swapped_hash);
}

}  // namespace
}  // namespace keyclave::attest

#endif  // KEYCLAVE_SIMULATED
