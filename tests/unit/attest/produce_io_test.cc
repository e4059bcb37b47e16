// What lies between the producers and the system calls.

#include "attest/produce/io.h"
#include "tests/unit/attest/produce_fixture.h"

namespace keyclave::attest {
namespace {

using fakes::Call;

constexpr const char* kPath = "/a/file";

class ProduceIo : public ProduceTest {
 protected:
  ProduceIo() { host_.Add(files_); }
  Io io_{host_};
  fakes::FakeFiles files_;
};

// Keeps what is written; closing may fail.
class Sink final : public fakes::FakeInterface {
 public:
  Bytes written;
  int close_error = 0;
  int Open(const std::string& path, int /*flags*/,
           std::unique_ptr<fakes::FakeFile>& file) override {
    if (path != "/a/sink") return -ENOENT;
    file = std::make_unique<fakes::WritableFile>([this](ByteSpan bytes) {
      written = ToBytes(bytes);
      return -close_error;
    });
    return 0;
  }
};

TEST_F(ProduceIo, ReadsWholeFilesOfAnySize) {
  for (const size_t size : {0u, 1u, 4095u, 4096u, 4097u, 20000u}) {
    files_.content[kPath] = Bytes(size, 3);
    auto read = io_.ReadFile(kPath, 20000);
    ASSERT_TRUE(read.ok()) << size;
    EXPECT_EQ((*read).size(), size);
  }
}

TEST_F(ProduceIo, ReadsPieceByPiece) {
  files_.content[kPath] = Bytes(10000, 4);
  host_.most_at_once = 7;
  auto read = io_.ReadFile(kPath, 10000);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, files_.content[kPath]);
}

TEST_F(ProduceIo, RefusesMoreThanTheLimit) {
  for (const size_t max : {0u, 1u, 4095u, 4096u, 9999u}) {
    files_.content[kPath] = Bytes(max, 4);
    EXPECT_TRUE(io_.ReadFile(kPath, max).ok()) << max;
    files_.content[kPath] = Bytes(max + 1, 4);
    EXPECT_TRUE(io_.ReadFile(kPath, max).failed_with(EFBIG)) << max;
  }
}

TEST_F(ProduceIo, FillsABufferOrStopsAtTheEnd) {
  files_.content[kPath] = {1, 2, 3};
  Bytes small(2);
  Bytes large(5);
  EXPECT_EQ(*io_.ReadInto(kPath, small), 2u);
  EXPECT_EQ(*io_.ReadInto(kPath, large), 3u);
  EXPECT_EQ(large, Bytes({1, 2, 3, 0, 0}));
}

TEST_F(ProduceIo, GoesOnAfterAnInterruption) {
  files_.content[kPath] = {1};
  host_.FailNext(Call::kOpen, kPath, EINTR, 5);
  host_.FailNext(Call::kRead, kPath, EINTR, 5);
  EXPECT_TRUE(io_.ReadFile(kPath, 1).ok());
  EXPECT_EQ(host_.slept().count(), 0);
}

TEST_F(ProduceIo, WaitsForWhatIsBusy) {
  files_.content[kPath] = {1};
  host_.FailNext(Call::kOpen, kPath, EBUSY, 3);
  host_.FailNext(Call::kRead, kPath, EAGAIN, 3);
  EXPECT_TRUE(io_.ReadFile(kPath, 1).ok());
  EXPECT_GT(host_.slept().count(), 0);
}

TEST_F(ProduceIo, LosesItsPatienceWithWhatStaysBusy) {
  files_.content[kPath] = {1};
  host_.FailNext(Call::kRead, kPath, EBUSY, 100000);
  EXPECT_TRUE(io_.ReadFile(kPath, 1).failed_with(EBUSY));
  EXPECT_EQ(host_.slept(), Io::kPatience);
  EXPECT_LT(host_.calls(Call::kRead), 100);
  // The patience is for all calls together.
  EXPECT_TRUE(io_.ReadFile(kPath, 1).failed_with(EBUSY));
  EXPECT_EQ(host_.slept(), Io::kPatience);
}

TEST_F(ProduceIo, WritesPieceByPieceAndMindsTheClose) {
  Sink sink;
  host_.Add(sink);
  host_.most_at_once = 3;
  host_.FailNext(Call::kWrite, "sink", EINTR);
  EXPECT_TRUE(io_.WriteFile("/a/sink", Bytes(10, 9)).ok());
  EXPECT_EQ(sink.written, Bytes(10, 9));
  sink.close_error = EACCES;
  EXPECT_TRUE(io_.WriteFile("/a/sink", Bytes(10, 9)).failed_with(EACCES));
  sink.close_error = EINTR;
  EXPECT_TRUE(io_.WriteFile("/a/sink", Bytes(10, 9)).ok());
}

TEST_F(ProduceIo, FailsWhereNothingIsTaken) {
  Sink sink;
  host_.Add(sink);
  host_.most_at_once = 0;
  EXPECT_TRUE(io_.WriteFile("/a/sink", Bytes(1)).failed_with(EIO));
}

TEST_F(ProduceIo, TellsWhatTheSystemSaid) {
  EXPECT_TRUE(io_.ReadFile("/nothing", 1).failed_with(ENOENT));
  host_.FailNext(Call::kOpen, kPath, EACCES);
  EXPECT_TRUE(io_.ReadFile(kPath, 1).failed_with(EACCES));
  EXPECT_TRUE(io_.MakeFolder("/a/folder").failed_with(ENOENT));
  EXPECT_TRUE(io_.RemoveFolder("/a/folder").failed_with(ENOENT));
}

TEST_F(ProduceIo, TrimsWhiteSpace) {
  EXPECT_EQ(Trimmed(" \n"), "");
  EXPECT_EQ(Trimmed(""), "");
  EXPECT_EQ(Trimmed(" a b\r\n"), "a b");
}

}  // namespace
}  // namespace keyclave::attest
