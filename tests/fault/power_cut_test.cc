// ctest: TIMEOUT=600
// The power goes at any moment: nothing that was acknowledged is lost, no change is there by half,
// and the store opens clean. `--rounds N` for more than the ordinary number of cuts.
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <functional>

#include "tests/fault/power_cut_machine.h"
#include "tests/fault/rounds.h"

namespace keyclave::fault {
namespace {

constexpr unsigned kOrdinaryRounds = 200;
constexpr size_t kWriters = 3;

unsigned rounds = kOrdinaryRounds;
Machine* watched = nullptr;  // whose witness the system calls below belong to

}  // namespace

// ---- the writers ----

const std::string& Writer::AnyLabel() {
  return std::next(now_.objects.begin(),
                   static_cast<std::ptrdiff_t>(random_() % now_.objects.size()))
      ->first;
}

Status Writer::Insert(keys::ObjectStore& store) {
  std::vector<keys::NewObject> fresh;
  std::vector<std::string> labels;
  for (size_t i = 0; i <= random_() % 4; ++i) {
    labels.push_back(std::to_string(random_()));
    keys::NewObject& one = fresh.emplace_back();
    one.object.token = token_;
    one.object.attributes.SetUlong(CKA_CLASS, CKO_SECRET_KEY);
    one.object.attributes.SetUlong(CKA_KEY_TYPE, CKK_AES);
    one.object.attributes.SetText(CKA_LABEL, labels.back());
    one.material = SecretBytes::CopyOf(Sha256(AsBytes(labels.back())));
    next_.objects[labels.back()] = {1, ""};
  }
  KC_ASSIGN(const auto made, store.Insert(std::move(fresh)));
  for (size_t i = 0; i < made.size(); ++i) ids_[labels[i]] = made[i]->id;
  return Done{};
}

// Sometimes large, so that rows spread over pages, and free them again.
Status Writer::Update(keys::ObjectStore& store) {
  const std::string label = AnyLabel();
  Kept& next = next_.objects[label];
  ++next.version;
  next.text =
      std::string(random_() % 8 == 0 ? random_() % 30'000 : 1, 'x') + std::to_string(random_());
  KC_ASSIGN(const keys::ObjectPtr object, store.Get(ids_[label]));
  wire::AttributeList attributes = object->attributes;
  attributes.SetText(CKA_APPLICATION, next.text);
  KC_ASSIGN(const auto updated, store.Update(object->id, std::move(attributes)));
  return Done{};
}

Status Writer::Remove(keys::ObjectStore& store) {
  const std::string label = AnyLabel();
  next_.objects.erase(label);
  return store.Remove(ids_[label]);
}

// Seals every object of the token anew, in one commit.
Status Writer::PutPolicy(keys::ObjectStore& store) {
  ++next_.policy;
  for (auto& [label, kept] : next_.objects) ++kept.version;
  return store.PutPolicy(token_, PolicyOf(next_.policy));
}

bool Writer::Step(keys::ObjectStore& store) {
  next_ = now_;
  under_way_ = true;
  const uint64_t choice = random_() % 16;
  Status done;
  if (now_.objects.empty() || (choice < 6 && now_.objects.size() < kMostObjects)) {
    done = Insert(store);
  } else if (choice < 11) {
    done = Update(store);
  } else if (choice < 15) {
    done = Remove(store);
  } else {
    done = PutPolicy(store);
  }
  if (!done.ok()) return false;
  now_ = next_;
  under_way_ = false;
  ++acknowledged;
  return true;
}

Result<Writer::State> Writer::Read(keys::ObjectStore& store) {
  State state;
  KC_ASSIGN(const keys::Document policy, store.FindPolicy(token_, "p"));
  state.policy = policy.version;
  ids_.clear();
  for (const auto& object :
       store.Find(token_, {}, std::nullopt, 1'000'000, [](const keys::Object&) { return true; })) {
    const std::string label = object->attributes.Text(CKA_LABEL);
    state.objects[label] = {object->version, object->attributes.Text(CKA_APPLICATION)};
    ids_[label] = object->id;
    KC_ASSIGN(const SecretBytes material, store.ReadMaterial(*object));
    if (!(material == SecretBytes::CopyOf(Sha256(AsBytes(label)))))
      return Fail(Code::kInternal, "the material of another object");
  }
  return state;
}

std::string Writer::Compare(keys::ObjectStore& store) {
  const Result<State> there = Read(store);
  if (!there.ok()) return there.error().Text();
  const bool is_old = *there == now_;
  const bool is_new = under_way_ && *there == next_;
  if (under_way_) {
    ++cut_off;
    found += is_new ? 1U : 0U;
  }
  now_ = *there;
  under_way_ = false;
  if (is_old || is_new) return "";
  return "token " + ToHex(token_) + " is neither as it was nor as it was to be";
}

namespace {

// ---- rounds ----

struct Counts {
  unsigned rounds = 0;
  unsigned at_start = 0;
  unsigned at_end = 0;
  unsigned in_file = 0;     // in the midst of a checkpoint
  unsigned in_witness = 0;  // between the commit and its mark
};

// Everything that `keyclave store check` looks at.
std::string CheckStore(keys::ObjectStore& store) {
  std::vector<keys::StoreFinding> findings = store.CheckHead();
  std::optional<store::RowId> after;
  do {
    const auto checked = store.CheckRows(after);
    if (!checked.ok()) return checked.error().Text();
    findings.insert(findings.end(), checked->findings.begin(), checked->findings.end());
    after = checked->next;
  } while (after.has_value());
  const auto structure = store.CheckStructure(true);
  if (!structure.ok()) return structure.error().Text();
  findings.insert(findings.end(), structure->begin(), structure->end());
  return findings.empty() ? "" : findings.front().what;
}

// The witness of this machine is the one that the system calls below write.
class Watch {
 public:
  explicit Watch(Machine& machine) { watched = &machine; }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() { watched = nullptr; }
};

class Rounds {
 public:
  explicit Rounds(uint64_t seed) : random_(seed), machine_(random_(), kWriters) {
    for (const wire::TokenId& token : machine_.tokens()) writers_.emplace_back(token, random_());
  }

  Machine& machine() { return machine_; }
  const Counts& counts() const { return counts_; }
  const std::vector<Writer>& writers() const { return writers_; }

  // Empty, or what went wrong in which round.
  std::string Run(unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
      const std::string wrong = RunOne();
      if (!wrong.empty()) return "round " + std::to_string(i) + ": " + wrong;
      ++counts_.rounds;
    }
    return "";
  }

 private:
  std::string RunOne() {
    std::unique_ptr<keys::ObjectStore> store;
    const std::string wrong = Start(store);
    if (!wrong.empty()) return wrong;
    const bool at_end = random_() % 8 == 0;
    if (at_end) {
      for (Writer& writer : writers_) {
        for (int i = 0; i < 5; ++i) {
          if (!writer.Step(*store)) return "a change was refused with the power on";
        }
      }
      machine_.disk().CutAt(1 + random_() % 60);
    } else {
      machine_.disk().CutAt(1 + random_() % 400);
      if (!RunWriters(*store)) return "a change was refused with the power on";
    }
    store.reset();
    if (at_end && machine_.disk().is_off()) ++counts_.at_end;
    const std::string place = machine_.disk().cut_in();
    if (place == machine_.store_path()) ++counts_.in_file;
    if (place == machine_.witness_path()) ++counts_.in_witness;
    machine_.disk().Cut();
    return "";
  }

  // After as many starts as it takes: in some the power goes again.
  std::string Start(std::unique_ptr<keys::ObjectStore>& store) {
    for (;;) {
      const auto remembered = machine_.PowerOn();
      if (!remembered.ok()) return remembered.error().Text();
      if (random_() % 2 == 0) machine_.disk().CutAt(1 + random_() % 2);
      auto opened = machine_.Open();
      if (machine_.disk().is_off()) {
        ++counts_.at_start;
        continue;
      }
      if (!opened.ok()) return opened.error().Text();
      store = std::move(opened).value();
      machine_.disk().CutAt(UINT64_MAX / 2);
      const uint64_t epoch = store->epoch() >> 32;
      if (epoch < *remembered || epoch > *remembered + 1)
        return "store epoch " + std::to_string(epoch) + ", witness epoch " +
               std::to_string(*remembered);
      for (Writer& writer : writers_) {
        const std::string wrong = writer.Compare(*store);
        if (!wrong.empty()) return wrong;
      }
      return CheckStore(*store);
    }
  }

  // Until the power goes; beside them now and then the store is compacted.
  bool RunWriters(keys::ObjectStore& store) {
    std::atomic<bool> by_power{true};
    std::vector<std::thread> threads;
    for (Writer& writer : writers_) {
      threads.emplace_back([&] {
        if (!writer.Run(store, machine_.disk())) by_power = false;
      });
    }
    if (random_() % 4 == 0) static_cast<void>(store.Compact().ok());
    for (std::thread& thread : threads) thread.join();
    return by_power;
  }

  std::mt19937_64 random_;
  Machine machine_;
  const Watch watch_{machine_};
  std::vector<Writer> writers_;
  Counts counts_;
};

TEST(PowerCut, NothingAcknowledgedIsLostAndNothingIsThereByHalf) {
  const uint64_t seed = std::random_device()();
  Rounds all(seed);
  EXPECT_EQ(all.Run(rounds), "") << "seed " << seed;
  uint64_t acknowledged = 0;
  uint64_t cut_off = 0;
  uint64_t found = 0;
  for (const Writer& writer : all.writers()) {
    acknowledged += writer.acknowledged;
    cut_off += writer.cut_off;
    found += writer.found;
  }
  const Counts& counts = all.counts();
  std::printf(
      "%u rounds, %llu commits acknowledged, %llu under way when the power went: %llu found, %llu "
      "not found\n%u cuts at a start, %u at an end, %u in the file, %u in the witness\n",
      counts.rounds, static_cast<unsigned long long>(acknowledged),
      static_cast<unsigned long long>(cut_off), static_cast<unsigned long long>(found),
      static_cast<unsigned long long>(cut_off - found), counts.at_start, counts.at_end,
      counts.in_file, counts.in_witness);
  EXPECT_GT(acknowledged, rounds) << "the writers hardly wrote";
}

// Changes of one writer on a machine one of whose files cannot be written for a while.
class FailingFile : public testing::Test {
 protected:
  void SetUp() override { Start(); }
  void Start() {
    store_.reset();
    machine_.disk().Cut();
    ASSERT_TRUE(machine_.PowerOn().ok());
    store_ = Must(machine_.Open());
    EXPECT_EQ(writer_.Compare(*store_), "");
    EXPECT_EQ(CheckStore(*store_), "");
  }
  void Change(int times) {
    for (int i = 0; i < times; ++i) ASSERT_TRUE(writer_.Step(*store_)) << i;
  }

  Machine machine_{7, 1};
  const Watch watch_{machine_};
  Writer writer_{machine_.tokens().front(), 8};
  std::unique_ptr<keys::ObjectStore> store_;
};

// The log grows for as long as it cannot be brought into the file, and nobody notices but the disk.
TEST_F(FailingFile, CheckpointThatFailsLosesNothing) {
  machine_.disk().Refuse(machine_.store_path());
  Change(400);
  EXPECT_GT(machine_.disk().SizeOf(machine_.store_path() + "-wal"), 4'200'000U);
  Start();
  Change(100);
  machine_.disk().Refuse("");
  Change(100);
  Start();
}

TEST_F(FailingFile, LogThatCannotBeWrittenRefusesChangesAndTheRestGoesOn) {
  Change(5);
  machine_.disk().Refuse(machine_.store_path() + "-wal");
  EXPECT_FALSE(writer_.Step(*store_));
  EXPECT_FALSE(writer_.Step(*store_));
  EXPECT_EQ(writer_.Compare(*store_), "") << "every key opens";
  machine_.disk().Refuse("");
  Change(5);
  EXPECT_EQ(CheckStore(*store_), "");
  Start();
}

TEST_F(FailingFile, WitnessThatCannotFollowStopsChangesUntilItCan) {
  Change(5);
  machine_.disk().Refuse(machine_.witness_path());
  Change(1);  // in the store before the witness is asked
  EXPECT_FALSE(writer_.Step(*store_));
  EXPECT_FALSE(writer_.Step(*store_));
  EXPECT_EQ(writer_.Compare(*store_), "");
  EXPECT_NE(CheckStore(*store_), "") << "the witness is behind, and that is said";
  machine_.disk().Refuse("");
  Change(5);
  EXPECT_EQ(CheckStore(*store_), "");
  Start();
}

// The test would see it: these disks say that they have written, and have not.
TEST(PowerCut, DisksThatLieAreCaught) {
  for (const auto& [name, path] :
       {std::pair("log", &Machine::store_path), std::pair("witness", &Machine::witness_path)}) {
    Rounds all(1);
    const std::string file = std::invoke(path, all.machine());
    all.machine().disk().IgnoreSyncsOf(path == &Machine::store_path ? file + "-wal" : file);
    EXPECT_NE(all.Run(60), "") << name;
  }
}

}  // namespace
}  // namespace keyclave::fault

// ---- the witness's system calls ----

extern "C" ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  using keyclave::fault::watched;
  if (watched != nullptr && watched->IsWitness(fd) &&
      !watched->OnWitnessWrite(static_cast<uint64_t>(offset),
                               {static_cast<const uint8_t*>(bytes), size})) {
    errno = EIO;
    return -1;
  }
  return syscall(SYS_pwrite64, fd, bytes, size, offset);
}

extern "C" int fdatasync(int fd) {
  using keyclave::fault::watched;
  if (watched == nullptr || !watched->IsWitness(fd))
    return static_cast<int>(syscall(SYS_fdatasync, fd));
  if (watched->OnWitnessSync()) return 0;
  errno = EIO;
  return -1;
}

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  keyclave::fault::rounds = keyclave::fault::RoundsOf(argc, argv, keyclave::fault::kOrdinaryRounds);
  return RUN_ALL_TESTS();
}
