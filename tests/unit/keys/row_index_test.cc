#include "enclave/keys/row_index.h"

#include <random>

#include "tests/unit/keys/fixture.h"

namespace keyclave::keys {
namespace {

RowIndex::Entry MakeEntry(uint64_t number, uint64_t version = 1) {
  RowIndex::Entry entry;
  entry.id = Sha256(AsBytes(std::to_string(number)));
  entry.version = version;
  const auto tag = Sha256(AsBytes(std::to_string(number) + "/" + std::to_string(version)));
  std::copy_n(tag.begin(), entry.tag.size(), entry.tag.begin());
  return entry;
}

RowIndex Loaded(const std::vector<RowIndex::Entry>& entries) {
  RowIndex index;
  for (const auto& entry : entries) index.Load(entry);
  EXPECT_TRUE(index.FinishLoading().ok());
  return index;
}

TEST(RowIndex, DigestDoesNotDependOnTheOrderOfLoading) {
  std::vector<RowIndex::Entry> entries;
  for (uint64_t i = 0; i < 3000; ++i) entries.push_back(MakeEntry(i));
  const RowIndex forward = Loaded(entries);
  std::reverse(entries.begin(), entries.end());
  EXPECT_EQ(Loaded(entries).digest(), forward.digest());
}

TEST(RowIndex, DigestMovesWithEveryPartOfEveryEntry) {
  std::vector<RowIndex::Entry> entries;
  for (uint64_t i = 0; i < 100; ++i) entries.push_back(MakeEntry(i));
  const auto digest = Loaded(entries).digest();
  std::set<ByteArray<32>> seen{digest};
  const auto expect_new = [&](const std::vector<RowIndex::Entry>& changed) {
    EXPECT_TRUE(seen.insert(Loaded(changed).digest()).second);
  };
  for (size_t i = 0; i < entries.size(); ++i) {
    auto changed = entries;
    changed[i].version = 2;
    expect_new(changed);
    changed = entries;
    changed[i].tag[15] ^= 1;
    expect_new(changed);
    changed = entries;
    changed[i].id[31] ^= 1;
    expect_new(changed);
    changed = entries;
    changed.erase(changed.begin() + static_cast<ptrdiff_t>(i));
    expect_new(changed);
    changed = entries;
    std::swap(changed[i].tag, changed[(i + 1) % entries.size()].tag);
    expect_new(changed);
  }
  expect_new({});
}

TEST(RowIndex, ChangesGiveTheDigestOfLoadingTheResult) {
  std::mt19937 random(1);
  std::map<uint64_t, uint64_t> versions;
  RowIndex index = Loaded({});
  for (int round = 0; round < 200; ++round) {
    std::map<uint64_t, RowIndex::Entry> changed;
    const size_t count = 1 + random() % 20;
    for (size_t i = 0; i < count; ++i) {
      const uint64_t number = random() % 500;
      changed[number] = MakeEntry(number, ++versions[number]);
    }
    std::vector<RowIndex::Entry> list;
    for (const auto& [number, entry] : changed) list.push_back(entry);
    const auto delta = index.Prepare(list);
    const auto promised = delta.root;
    index.Apply(delta);
    EXPECT_EQ(index.digest(), promised);
  }
  std::vector<RowIndex::Entry> result;
  for (const auto& [number, version] : versions) result.push_back(MakeEntry(number, version));
  const RowIndex fresh = Loaded(result);
  EXPECT_EQ(index.digest(), fresh.digest());
  EXPECT_EQ(index.size(), fresh.size());
}

TEST(RowIndex, PreparingChangesNothing) {
  RowIndex index = Loaded({MakeEntry(1)});
  const auto before = index.digest();
  const auto delta = index.Prepare({MakeEntry(1, 2), MakeEntry(2)});
  EXPECT_NE(delta.root, before);
  EXPECT_EQ(delta.size, 2U);
  EXPECT_EQ(index.digest(), before);
  EXPECT_EQ(index.size(), 1U);
  EXPECT_EQ(index.Find(MakeEntry(1).id)->version, 1U);
  EXPECT_EQ(index.Find(MakeEntry(2).id), nullptr);
}

TEST(RowIndex, RefusesTheSameRowTwice) {
  RowIndex index;
  index.Load(MakeEntry(1));
  index.Load(MakeEntry(2));
  index.Load(MakeEntry(1, 2));
  EXPECT_EQ(index.FinishLoading().code(), Code::kStoreCorrupt);
}

}  // namespace
}  // namespace keyclave::keys
