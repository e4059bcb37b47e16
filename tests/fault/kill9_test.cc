// ctest: TIMEOUT=900
// A writer that is killed at any moment loses nothing that it acknowledged, and leaves a store that
// is whole and opens. `--rounds N` for more than the ordinary number of kills.
//
// The writer is this program again, started with a state directory and the write end of a pipe: it
// inserts, changes and removes objects through ObjectStore and writes what it did to the pipe after
// each call returned. The parent kills it after a random number of acknowledgements and a random
// while more, and compares.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <map>
#include <random>

#include "enclave/base/byte_reader.h"
#include "enclave/base/hash.h"
#include "enclave/keys/object_store.h"
#include "enclave/keys/state_files.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/fault/rounds.h"

namespace keyclave::keys {
namespace {

constexpr unsigned kOrdinaryKills = 50;
constexpr size_t kMostObjects = 200;  // so that a thousand rounds do not take longer and longer
constexpr char kWriterFlag[] = "--writer";

unsigned kills = kOrdinaryKills;

// One acknowledgement: which object is now at which version; version 0: removed.
struct Ack {
  wire::ObjectId id{};
  uint64_t version = 0;
};
constexpr size_t kAckSize = 24;

Bytes EncodeAck(const Ack& ack) {
  ByteWriter out;
  out.Put(ack.id);
  out.PutBe(ack.version);
  return std::move(out).Finish();
}

ByteArray<32> MaterialOf(const std::string& label) { return Sha256(AsBytes(label)); }

NewObject MakeObject(const Token& token, const std::string& label) {
  NewObject fresh;
  fresh.object.token = token.id;
  fresh.object.attributes.SetUlong(CKA_CLASS, CKO_SECRET_KEY);
  fresh.object.attributes.SetUlong(CKA_KEY_TYPE, CKK_AES);
  fresh.object.attributes.SetText(CKA_LABEL, label);
  fresh.material = SecretBytes::CopyOf(MaterialOf(label));
  return fresh;
}

// ---- the writer ----

struct Writer {
  ObjectStore& store;
  const Token token;
  const int pipe;
  std::mt19937_64 random;
  std::vector<ObjectPtr> live;

  bool Acknowledge(const wire::ObjectId& id, uint64_t version) {
    const Bytes bytes = EncodeAck({id, version});
    // Below PIPE_BUF: whole or not at all.
    return write(pipe, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
  }

  bool InsertSome() {
    std::vector<NewObject> fresh;
    for (size_t i = 0; i <= random() % 3; ++i)
      fresh.push_back(MakeObject(token, std::to_string(random())));
    auto made = store.Insert(std::move(fresh));
    if (!made.ok()) return false;
    for (const ObjectPtr& object : *made) {
      live.push_back(object);
      if (!Acknowledge(object->id, object->version)) return false;
    }
    return true;
  }

  bool Step() {
    const uint64_t choice = random() % 4;
    if (live.empty() || (choice < 2 && live.size() < kMostObjects)) return InsertSome();
    const size_t which = random() % live.size();
    if (choice == 2) {
      wire::AttributeList attributes = live[which]->attributes;
      attributes.SetText(CKA_APPLICATION, std::to_string(random()));
      auto updated = store.Update(live[which]->id, std::move(attributes));
      if (!updated.ok()) return false;
      live[which] = *updated;
      return Acknowledge(live[which]->id, live[which]->version);
    }
    const wire::ObjectId id = live[which]->id;
    if (!store.Remove(id).ok()) return false;
    live.erase(live.begin() + static_cast<ptrdiff_t>(which));
    return Acknowledge(id, 0);
  }
};

int RunWriter(const char* directory, const char* pipe_number, const char* seed) {
  auto store = ObjectStore::Open(directory, FileSealer());
  if (!store.ok()) {
    std::fprintf(stderr, "%s\n", store.error().Text().c_str());
    return 3;
  }
  Writer writer{**store,
                (*store)->Tokens().front(),
                std::stoi(pipe_number),
                std::mt19937_64(std::stoull(seed)),
                {}};
  for (auto& object : (*store)->Find(writer.token.id, {}, std::nullopt, 1'000'000,
                                     [](const Object&) { return true; }))
    writer.live.push_back(std::move(object));
  while (writer.Step()) {
  }
  return 4;  // a writer ends by being killed only
}

// ---- the parent ----

class Kill9 : public testing::Test {
 protected:
  // Starts the writer; `acks` gets the read end.
  pid_t Start(int& acks, uint64_t seed) {
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe(ends.data()), 0);
    const std::string number = std::to_string(ends[1]);
    const std::string seed_text = std::to_string(seed);
    const pid_t child = fork();
    if (child == 0) {
      close(ends[0]);
      execl("/proc/self/exe", "kill9", kWriterFlag, state_.c_str(), number.c_str(),
            seed_text.c_str(), nullptr);
      _exit(5);
    }
    close(ends[1]);
    acks = ends[0];
    return child;
  }

  bool TakeAck(int acks) {
    Bytes bytes(kAckSize);
    const ssize_t got = read(acks, bytes.data(), bytes.size());
    if (got == 0) return false;
    EXPECT_EQ(got, static_cast<ssize_t>(kAckSize));
    ByteReader in(bytes);
    Ack ack;
    ack.id = in.TakeArray<16>().value();
    ack.version = in.TakeBe<uint64_t>().value();
    acknowledged_[ack.id] = ack.version;
    ++total_acks_;
    return true;
  }

  void RunAndKill(uint64_t seed) {
    int acks = -1;
    const pid_t child = Start(acks, seed);
    const uint64_t wanted = random_() % 30;
    for (uint64_t i = 0; i < wanted; ++i) ASSERT_TRUE(TakeAck(acks)) << "the writer ended early";
    // Into the middle of whatever it does then.
    const timespec more{0, static_cast<long>(random_() % 20'000'000)};
    nanosleep(&more, nullptr);
    ASSERT_EQ(kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "it ended by itself: " << WEXITSTATUS(status);
    while (TakeAck(acks)) {
    }
    close(acks);
  }

  // What was acknowledged must be there at that version, or one change newer: the one that was
  // under way.
  void Compare(unsigned round) {
    const auto findings = CheckState(state_, FileSealer());
    ASSERT_TRUE(findings.ok()) << "round " << round << ": " << findings.error().Text();
    for (const StoreFinding& finding : *findings) ADD_FAILURE() << finding.row << finding.what;
    auto opened = ObjectStore::Open(state_, FileSealer());
    ASSERT_TRUE(opened.ok()) << "round " << round << ": " << opened.error().Text();
    ObjectStore& store = **opened;
    size_t ahead = 0;
    for (auto& [id, version] : acknowledged_) {
      const auto object = store.Get(id);
      if (version == 0) {
        EXPECT_FALSE(object.ok()) << "a removed object is back";
        continue;
      }
      if (!object.ok()) {
        ++ahead;  // its removal was under way
        version = 0;
        continue;
      }
      EXPECT_TRUE((*object)->version == version || (*object)->version == version + 1);
      ahead += (*object)->version - version;
      version = (*object)->version;
      auto material = store.ReadMaterial(**object);
      ASSERT_TRUE(material.ok()) << material.error().Text();
      EXPECT_TRUE(*material ==
                  SecretBytes::CopyOf(MaterialOf((*object)->attributes.Text(CKA_LABEL))));
    }
    EXPECT_LE(ahead, 1U) << "round " << round << ": one writer has one change under way";
    // What was inserted but not acknowledged in time may be there: at most one call's worth.
    size_t unknown = 0;
    for (const auto& object : store.Find(store.Tokens().front().id, {}, std::nullopt, 1'000'000,
                                         [](const Object&) { return true; })) {
      if (acknowledged_.contains(object->id)) continue;
      ++unknown;
      acknowledged_[object->id] = object->version;
    }
    EXPECT_LE(unknown, 3U);
    in_flight_ += ahead + unknown;
    total_objects_ = store.object_count();
  }

  fakes::TemporaryDirectory directory_;
  const std::string state_ = directory_.path() + "/state";
  std::mt19937_64 random_{std::random_device()()};
  std::map<wire::ObjectId, uint64_t> acknowledged_;
  uint64_t total_acks_ = 0;
  uint64_t in_flight_ = 0;
  size_t total_objects_ = 0;
};

TEST_F(Kill9, NothingAcknowledgedIsLost) {
  ASSERT_TRUE(InitState(state_, FileSealer()).ok());
  {
    auto store = ObjectStore::Open(state_, FileSealer());
    ASSERT_TRUE(store.ok());
    Document policy{"p", 1, "policy: p\n", Sha256(AsBytes("policy: p\n"))};
    Token token;
    token.label = "t";
    ASSERT_TRUE((*store)->CreateToken(token, policy).ok());
  }
  for (unsigned round = 0; round < kills && !HasFailure(); ++round) {
    RunAndKill(random_());
    if (!HasFatalFailure()) Compare(round);
  }
  std::printf(
      "%u kills, %llu acknowledgements, %llu changes found done but not acknowledged, "
      "%zu objects at the end\n",
      kills, static_cast<unsigned long long>(total_acks_),
      static_cast<unsigned long long>(in_flight_), total_objects_);
  EXPECT_GT(total_acks_, 200U) << "the writer hardly wrote";
}

}  // namespace
}  // namespace keyclave::keys

int main(int argc, char** argv) {
  if (argc == 5 && std::string_view(argv[1]) == keyclave::keys::kWriterFlag)
    return keyclave::keys::RunWriter(argv[2], argv[3], argv[4]);
  testing::InitGoogleTest(&argc, argv);
  keyclave::keys::kills = keyclave::fault::RoundsOf(argc, argv, keyclave::keys::kOrdinaryKills);
  return RUN_ALL_TESTS();
}
