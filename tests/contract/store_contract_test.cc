// What every storage backend must do, run over each of them.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <thread>

#include "enclave/base/hash.h"
#include "enclave/store/store.h"
#include "tests/fakes/fault_store.h"
#include "tests/fakes/temporary_directory.h"

namespace keyclave::store {
namespace {

struct Backend {
  std::string name;
  bool persistent = false;
  std::function<std::unique_ptr<Store>(const std::string& path, bool create)> open;
};

std::unique_ptr<Store> OpenSqlite(const std::string& path, bool create) {
  auto opened = OpenSqliteStore(path, create);
  EXPECT_TRUE(opened.ok()) << opened.error().Text();
  return opened.ok() ? std::move(opened).value() : nullptr;
}

std::vector<Backend> Backends() {
  return {{"sqlite", true, OpenSqlite},
          {"memory", false, [](const std::string&, bool) { return MakeMemoryStore(); }},
          {"faultless", false, [](const std::string&, bool) {
             return fakes::MakeFaultStore(MakeMemoryStore(),
                                          std::make_shared<fakes::FaultControl>());
           }}};
}

RowId Id(uint8_t first) {
  RowId id{};
  id[0] = first;
  return id;
}

class StoreContract : public testing::TestWithParam<Backend> {
 protected:
  void SetUp() override { Reopen(true); }
  void Reopen(bool create) {
    store_.reset();
    store_ = GetParam().open(directory_.path() + "/store.db", create);
    ASSERT_NE(store_, nullptr);
  }
  std::map<RowId, Bytes> All() {
    std::map<RowId, Bytes> all;
    const Status visited = store_->ForEach([&](const RowId& id, ByteSpan sealed) -> Status {
      EXPECT_TRUE(all.emplace(id, ToBytes(sealed)).second) << "the same row twice";
      return Done{};
    });
    EXPECT_TRUE(visited.ok());
    return all;
  }
  void Commit(std::vector<Change> changes, std::string_view head) {
    const Status committed = store_->Commit(changes, AsBytes(head));
    ASSERT_TRUE(committed.ok()) << committed.error().Text();
  }

  fakes::TemporaryDirectory directory_;
  std::unique_ptr<Store> store_;
};

TEST_P(StoreContract, IsEmptyWhenNew) {
  EXPECT_TRUE(store_->ReadHead().value().empty());
  EXPECT_TRUE(All().empty());
  EXPECT_EQ(store_->Read(Id(1)).code(), Code::kNotFound);
}

TEST_P(StoreContract, GivesBackWhatWasCommitted) {
  Commit({{Id(1), ToBytes("one")}, {Id(2), ToBytes("two")}}, "head 1");
  EXPECT_EQ(*store_->ReadHead(), ToBytes("head 1"));
  EXPECT_EQ(*store_->Read(Id(1)), ToBytes("one"));
  EXPECT_EQ(All(), (std::map<RowId, Bytes>{{Id(1), ToBytes("one")}, {Id(2), ToBytes("two")}}));
}

TEST_P(StoreContract, ReplacesAndRemovesRowsInOneCommit) {
  Commit({{Id(1), ToBytes("one")}, {Id(2), ToBytes("two")}}, "head 1");
  Commit({{Id(1), ToBytes("other")}, {Id(2), std::nullopt}, {Id(3), ToBytes("three")}}, "head 2");
  EXPECT_EQ(*store_->ReadHead(), ToBytes("head 2"));
  EXPECT_EQ(store_->Read(Id(2)).code(), Code::kNotFound);
  EXPECT_EQ(All(), (std::map<RowId, Bytes>{{Id(1), ToBytes("other")}, {Id(3), ToBytes("three")}}));
}

TEST_P(StoreContract, CommitsAHeadAlone) {
  Commit({{Id(1), ToBytes("one")}}, "head 1");
  Commit({}, "head 2");
  EXPECT_EQ(*store_->ReadHead(), ToBytes("head 2"));
  EXPECT_EQ(All().size(), 1U);
}

TEST_P(StoreContract, RemovesWhatIsNotThere) {
  Commit({{Id(9), std::nullopt}}, "head");
  EXPECT_TRUE(All().empty());
}

TEST_P(StoreContract, KeepsEmptyRowsAndRowsOfEveryByte) {
  Bytes every(1U << 20);
  for (size_t i = 0; i < every.size(); ++i) every[i] = static_cast<uint8_t>(i);
  Commit({{Id(1), Bytes()}, {Id(2), every}}, "head");
  EXPECT_EQ(*store_->Read(Id(1)), Bytes());
  EXPECT_EQ(*store_->Read(Id(2)), every);
}

TEST_P(StoreContract, TellsIdsApartThatDifferInOneBit) {
  std::vector<Change> changes;
  for (size_t bit = 0; bit < 256; ++bit) {
    RowId id{};
    id[bit / 8] = static_cast<uint8_t>(1U << (bit % 8));
    changes.push_back({id, ToBytes(std::to_string(bit))});
  }
  Commit(changes, "head");
  for (const Change& change : changes) EXPECT_EQ(*store_->Read(change.id), *change.sealed);
}

TEST_P(StoreContract, StopsVisitingWhenToldTo) {
  Commit({{Id(1), ToBytes("one")}, {Id(2), ToBytes("two")}}, "head");
  size_t visited = 0;
  const Status status = store_->ForEach([&](const RowId&, ByteSpan) -> Status {
    ++visited;
    return Fail(Code::kMalformed, "enough");
  });
  EXPECT_EQ(status.code(), Code::kMalformed);
  EXPECT_EQ(visited, 1U);
  Commit({{Id(3), ToBytes("three")}}, "head 2");  // an unfinished visit leaves nothing locked
}

TEST_P(StoreContract, ReadsRowsInTheOrderOfTheirIdsPageByPage) {
  std::vector<Change> changes;
  for (size_t i = 0; i < 100; ++i)
    changes.push_back({Sha256(AsBytes(std::to_string(i))), ToBytes(std::to_string(i))});
  Commit(changes, "head");
  for (const size_t limit : {size_t{1}, size_t{7}, size_t{99}, size_t{100}, size_t{101}}) {
    std::map<RowId, Bytes> found;
    std::optional<RowId> after;
    for (;;) {
      const auto page = store_->ReadAfter(after, limit);
      ASSERT_TRUE(page.ok());
      ASSERT_LE(page->size(), limit);
      for (const Row& row : *page) {
        EXPECT_TRUE(!after || *after < row.id);
        after = row.id;
        found[row.id] = row.sealed;
      }
      if (page->size() < limit) break;
    }
    EXPECT_EQ(found, All()) << limit;
  }
}

TEST_P(StoreContract, CompactingChangesNoRow) {
  Commit({{Id(1), Bytes(500'000, 1)}, {Id(2), ToBytes("two")}}, "head 1");
  Commit({{Id(1), ToBytes("one")}}, "head 2");
  const auto done = store_->Compact();
  ASSERT_TRUE(done.ok()) << done.error().Text();
  EXPECT_LE(done->after.file + done->after.log, done->before.file + done->before.log);
  EXPECT_EQ(All(), (std::map<RowId, Bytes>{{Id(1), ToBytes("one")}, {Id(2), ToBytes("two")}}));
  EXPECT_EQ(*store_->ReadHead(), ToBytes("head 2"));
  EXPECT_TRUE(store_->CheckStructure(true).value().empty());
  Commit({{Id(3), ToBytes("three")}}, "head 3");
  if (!GetParam().persistent) return;
  Reopen(false);
  EXPECT_EQ(All().size(), 3U);
}

TEST_P(StoreContract, HoldsThousandsOfRows) {
  std::vector<Change> changes;
  for (size_t i = 0; i < 5000; ++i)
    changes.push_back({Sha256(AsBytes(std::to_string(i))), ToBytes(std::to_string(i))});
  Commit(changes, "head");
  EXPECT_EQ(All().size(), 5000U);
}

TEST_P(StoreContract, ServesReadersWhileItCommits) {
  Commit({{Id(1), ToBytes("same")}}, "head");
  std::thread writer([&] {
    for (int i = 0; i < 50; ++i) {
      const Change change{Id(2), ToBytes(std::to_string(i))};
      EXPECT_TRUE(store_->Commit({&change, 1}, AsBytes("head")).ok());
    }
  });
  for (int i = 0; i < 200; ++i) EXPECT_EQ(*store_->Read(Id(1)), ToBytes("same"));
  writer.join();
  EXPECT_EQ(*store_->Read(Id(2)), ToBytes("49"));
}

TEST_P(StoreContract, SurvivesReopening) {
  if (!GetParam().persistent) GTEST_SKIP() << "lives in memory";
  Commit({{Id(1), ToBytes("one")}, {Id(2), ToBytes("two")}}, "head 1");
  Commit({{Id(2), std::nullopt}}, "head 2");
  Reopen(false);
  EXPECT_EQ(*store_->ReadHead(), ToBytes("head 2"));
  EXPECT_EQ(All(), (std::map<RowId, Bytes>{{Id(1), ToBytes("one")}}));
}

INSTANTIATE_TEST_SUITE_P(Backends, StoreContract, testing::ValuesIn(Backends()),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace keyclave::store
