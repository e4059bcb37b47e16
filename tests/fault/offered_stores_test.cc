// ctest: TIMEOUT=300
// Every way of offering a daemon an old, forked, mixed or edited state: refused at its start by
// name, found by --check-store, and without any effect on the witness.
#include <gmock/gmock.h>

#include "tests/fault/offered_scene.h"

namespace keyclave::fault {
namespace {

struct Offer {
  const char* name;
  std::function<void(Scene&)> make;
  Code code;
  const char* words;     // of the message
  bool counted = false;  // by a counter of the platform's
};

void FlipIn(Scene& scene, const std::string& file, size_t place) {
  Bytes content = scene.ReadAll(file);
  content.at(place) ^= 0x10;
  scene.WriteAll(file, content);
}

// Two histories that part, kept as "one" and "two"; the state is that of "one".
void Fork(Scene& scene, int first, int second) {
  scene.Keep("before");
  scene.Change(first);
  scene.Keep("one");
  scene.PutBack("before");
  scene.Change(second);
  scene.Keep("two");
  scene.PutBack("one");
}

const Offer kOldStores[] = {
    {"the store of yesterday",
     [](Scene& s) {
       s.Keep("old");
       s.Change(3);
       s.PutBack("old", "store.db");
     },
     Code::kStoreRolledBack, "Restore the newest store.db"},
    {"the store of yesterday and its log",
     [](Scene& s) {
       s.KeepRunning("old");
       s.Change(3);
       s.PutBack("old", "store.db");
       s.PutBack("old", "store.db-wal");
     },
     Code::kStoreRolledBack, "witness epoch"},
    {"the log of yesterday beside the store of today",
     [](Scene& s) {
       s.KeepRunning("old");
       s.Change(3);
       s.PutBack("old", "store.db-wal");
     },
     Code::kStoreRolledBack, "witness epoch"},
    {"the head of yesterday",
     [](Scene& s) {
       s.Keep("old");
       s.Change(2);
       s.Sql("UPDATE head SET sealed = ?1", s.HeadKept("old"));
     },
     Code::kStoreRolledBack, "witness epoch"},
    {"one row of yesterday",
     [](Scene& s) {
       s.Keep("old");
       s.Update(1);
       s.PutRow(s.DifferentRows("old").front());
     },
     Code::kStoreCorrupt, "put back to an older version"},
    {"a row that was removed",
     [](Scene& s) {
       s.Keep("old");
       s.Remove(1);
       s.PutRow(s.DifferentRows("old").front());
     },
     Code::kStoreCorrupt, "put back to an older version"},
    {"the whole state of yesterday, where a counter stands",
     [](Scene& s) {
       s.Keep("old");
       s.Change(2);
       s.PutBack("old");
     },
     Code::kStoreRolledBack, "the counter in memory stands at", true},
};

const Offer kForkedStores[] = {
    {"a copy that went another way to the same epoch",
     [](Scene& s) {
       Fork(s, 2, 2);
       s.PutBack("two", "store.db");
     },
     Code::kStoreRolledBack, "another state of that epoch"},
    {"a copy that went further",
     [](Scene& s) {
       Fork(s, 2, 5);
       s.PutBack("two", "store.db");
     },
     Code::kWitnessInvalid, "older than a crash can make it"},
    {"a copy that went less far",
     [](Scene& s) {
       Fork(s, 5, 2);
       s.PutBack("two", "store.db");
     },
     Code::kStoreRolledBack, "witness epoch"},
    {"the rows of one history under the head of another",
     [](Scene& s) {
       Fork(s, 1, 1);
       s.PutBack("two");
       s.Sql("DELETE FROM record");
       for (const Scene::Row& row : s.RowsKept("one")) s.PutRow(row);
     },
     Code::kStoreCorrupt, "exchanged for one of another time"},
    {"a row of one history in the place of another's",
     [](Scene& s) {
       s.Keep("before");
       s.Update(1);
       s.Keep("one");
       s.PutBack("before");
       s.Update(1);
       s.PutRow(s.DifferentRows("one").front());
     },
     Code::kStoreCorrupt, "exchanged for one of another time"},
    {"a state whose copy has gone on, where a counter stands",
     [](Scene& s) { s.count() = *s.count() + 1; }, Code::kStoreRolledBack,
     "another keyclaved runs on a copy", true},
};

const Offer kMixedStores[] = {
    {"rows in each other's places",
     [](Scene& s) {
       const auto rows = s.Rows();
       s.PutRow({rows[0].first, rows[1].second});
       s.PutRow({rows[1].first, rows[0].second});
     },
     Code::kStoreCorrupt, "swapped with another"},
    {"a row under an id of its own",
     [](Scene& s) {
       s.PutRow({Bytes(32, 0xaa), s.Rows().front().second});
     },
     Code::kStoreCorrupt, "edited or swapped"},
    {"a row of another enclave",
     [](Scene& s) {
       s.KeepAnother("other");
       s.PutRow(s.RowsKept("other").front());
     },
     Code::kStoreCorrupt, "edited or swapped"},
    {"a genuine row of another time",
     [](Scene& s) {
       s.Keep("before");
       s.Change();
       s.Keep("after");
       s.PutBack("before");
       s.PutRow(s.DifferentRows("after").front());
     },
     Code::kStoreCorrupt, "1 row extra"},
    {"a row that somebody made up",
     [](Scene& s) {
       s.PutRow({Bytes(32, 0xaa), Bytes(400, 1)});
     },
     Code::kStoreCorrupt, "edited or swapped"},
    {"without a row",
     [](Scene& s) { s.Sql("DELETE FROM record WHERE id = ?1", s.Rows().front().first); },
     Code::kStoreCorrupt, "1 row missing"},
    {"without the tombstone of a row",
     [](Scene& s) {
       s.Keep("before");
       s.Remove(1);
       s.Sql("DELETE FROM record WHERE id = ?1", s.DifferentRows("before").front().first);
     },
     Code::kStoreCorrupt, "1 row missing"},
    {"without any row", [](Scene& s) { s.Sql("DELETE FROM record"); }, Code::kStoreCorrupt,
     "rows missing"},
    {"the store of another enclave",
     [](Scene& s) {
       s.KeepAnother("other");
       s.PutBack("other", "store.db");
     },
     Code::kStoreForeign, "belongs to another enclave"},
    {"the head of another enclave",
     [](Scene& s) {
       s.KeepAnother("other");
       s.Sql("UPDATE head SET sealed = ?1", s.HeadKept("other"));
     },
     Code::kStoreForeign, "belongs to another enclave"},
    {"the root secret of another enclave",
     [](Scene& s) {
       s.KeepAnother("other");
       s.PutBack("other", "root.key");
     },
     Code::kStoreForeign, "belongs to another enclave"},
    {"the witness of another enclave",
     [](Scene& s) {
       s.KeepAnother("other");
       s.PutBack("other", "witness");
     },
     Code::kWitnessInvalid, "no mark of this enclave"},
};

const Offer kEditedStores[] = {
    {"an edited row",
     [](Scene& s) {
       auto row = s.Rows().front();
       row.second.back() ^= 1;
       s.PutRow(row);
     },
     Code::kStoreCorrupt, "edited or swapped"},
    {"a row that was cut",
     [](Scene& s) {
       auto row = s.Rows().front();
       row.second.resize(row.second.size() / 2);
       s.PutRow(row);
     },
     Code::kStoreCorrupt, "edited or swapped"},
    {"an edited head",
     [](Scene& s) {
       Bytes head = s.Head();
       head.back() ^= 1;
       s.Sql("UPDATE head SET sealed = ?1", head);
     },
     Code::kStoreCorrupt, "head"},
    {"no head", [](Scene& s) { s.Sql("DELETE FROM head"); }, Code::kStoreCorrupt, "head"},
    {"a row of a newer version",
     [](Scene& s) {
       auto row = s.Rows().front();
       row.second.front() = 0xff;
       s.PutRow(row);
     },
     Code::kStoreNewer, "newer version"},
    {"a head of a newer version",
     [](Scene& s) {
       Bytes head = s.Head();
       head[4] = 0xff;
       s.Sql("UPDATE head SET sealed = ?1", head);
     },
     Code::kStoreNewer, "newer version"},
    {"a schema of a newer version", [](Scene& s) { s.Sql("PRAGMA user_version = 1000"); },
     Code::kStoreNewer, "schema version 1000"},
    {"a schema of no version", [](Scene& s) { s.Sql("PRAGMA user_version = 0"); },
     Code::kStoreCorrupt, "not those of a store"},
    {"another program's file", [](Scene& s) { s.Sql("PRAGMA application_id = 1"); },
     Code::kStoreCorrupt, "not a store of Keyclave"},
    {"a trigger",
     [](Scene& s) {
       s.Sql("CREATE TRIGGER t AFTER INSERT ON record BEGIN DELETE FROM record; END");
     },
     Code::kStoreCorrupt, "tables are not those"},
    {"a view", [](Scene& s) { s.Sql("CREATE VIEW v AS SELECT * FROM record"); },
     Code::kStoreCorrupt, "tables are not those"},
    {"an index", [](Scene& s) { s.Sql("CREATE INDEX i ON record (sealed)"); }, Code::kStoreCorrupt,
     "tables are not those"},
    {"a table", [](Scene& s) { s.Sql("CREATE TABLE more (x)"); }, Code::kStoreCorrupt,
     "tables are not those"},
    {"an empty file", [](Scene& s) { s.WriteAll("store.db", {}); }, Code::kStoreCorrupt,
     "not a store of Keyclave"},
    {"a file that was cut",
     [](Scene& s) {
       const Bytes file = s.ReadAll("store.db");
       s.WriteAll("store.db", ByteSpan(file).first(file.size() / 2));
     },
     Code::kStoreCorrupt, "store.db"},
    {"a file of something else", [](Scene& s) { s.WriteAll("store.db", Bytes(8192, 7)); },
     Code::kStoreCorrupt, "store.db"},
    {"no file", [](Scene& s) { s.Drop("store.db"); }, Code::kStoreMissing, "store.db is missing"},
    {"no root secret", [](Scene& s) { s.Drop("root.key"); }, Code::kRootSecretInvalid,
     "root.key is missing"},
    {"an edited root secret", [](Scene& s) { FlipIn(s, "root.key", 100); },
     Code::kRootSecretInvalid, "root.key"},
};

const Offer kWitnesses[] = {
    {"no witness", [](Scene& s) { s.Drop("witness"); }, Code::kWitnessMissing, "--accept-store"},
    {"an empty witness", [](Scene& s) { s.WriteAll("witness", {}); }, Code::kWitnessInvalid,
     "no mark of this enclave"},
    {"a witness without its marks", [](Scene& s) { s.WriteAll("witness", Bytes(8192)); },
     Code::kWitnessInvalid, "no mark of this enclave"},
    {"a witness with both marks edited",
     [](Scene& s) {
       FlipIn(s, "witness", 10);
       FlipIn(s, "witness", 4096 + 10);
     },
     Code::kWitnessInvalid, "no mark of this enclave"},
    {"the witness of yesterday",
     [](Scene& s) {
       s.Keep("old");
       s.Change(3);
       s.PutBack("old", "witness");
     },
     Code::kWitnessInvalid, "older than a crash can make it"},
    {"a witness newer than the store",
     [](Scene& s) {
       s.Keep("old");
       s.Change();
       s.Keep("new");
       s.PutBack("old");
       s.PutBack("new", "witness");
     },
     Code::kStoreRolledBack, "witness epoch"},
    {"a counter that went on", [](Scene& s) { s.count() = *s.count() + 5; }, Code::kStoreRolledBack,
     "a copy of an older one", true},
    {"a counter that stands too low", [](Scene& s) { s.count() = *s.count() - 5; },
     Code::kWitnessInvalid, "another counter", true},
    {"no counter", [](Scene& s) { s.count().reset(); }, Code::kWitnessMissing, "counter", true},
};

void ExpectRefused(const Offer& offer) {
  SCOPED_TRACE(offer.name);
  Scene scene(offer.counted);
  offer.make(scene);
  const bool has_witness = std::filesystem::exists(scene.Path("witness"));
  const Bytes witness = has_witness ? scene.ReadAll("witness") : Bytes();
  const auto count = scene.count();
  const auto findings = keys::CheckState(scene.state(), scene.sealer());
  EXPECT_TRUE(!findings.ok() || !findings->empty()) << "--check-store says that it is whole";
  const auto opened = scene.Open();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.code(), offer.code) << opened.error().Text();
  EXPECT_THAT(opened.error().Text(), testing::HasSubstr(offer.words));
  EXPECT_EQ(std::filesystem::exists(scene.Path("witness")), has_witness);
  EXPECT_EQ(has_witness ? scene.ReadAll("witness") : Bytes(), witness) << "the witness moved";
  EXPECT_EQ(scene.count(), count) << "the counter moved";
}

TEST(OfferedStores, OldOnesAreRefused) {
  for (const Offer& offer : kOldStores) ExpectRefused(offer);
}
TEST(OfferedStores, ForkedOnesAreRefused) {
  for (const Offer& offer : kForkedStores) ExpectRefused(offer);
}
TEST(OfferedStores, MixedOnesAreRefused) {
  for (const Offer& offer : kMixedStores) ExpectRefused(offer);
}
TEST(OfferedStores, EditedOnesAreRefused) {
  for (const Offer& offer : kEditedStores) ExpectRefused(offer);
}
TEST(OfferedStores, WitnessesThatDoNotBelongAreRefused) {
  for (const Offer& offer : kWitnesses) ExpectRefused(offer);
}

// A byte of the file anywhere: refused; or one of SQLite's index, by which single rows are looked
// up and which a start does not need: found by the check; or one that nothing is kept in.
TEST(OfferedStores, EditedByteOfAnyRegionIsRefusedOrFoundOrMeansNothing) {
  Scene scene(false);
  const Bytes whole = scene.ReadAll("store.db");
  const Bytes witness = scene.ReadAll("witness");
  const size_t rows = scene.Rows().size();
  unsigned refused = 0;
  for (size_t place = 0; place < whole.size(); place += 97) {
    scene.WriteAll("store.db", whole);
    scene.WriteAll("witness", witness);
    scene.Drop("store.db-wal");
    FlipIn(scene, "store.db", place);
    const auto opened = scene.Open();
    if (!opened.ok()) {
      ++refused;
      const Code code = opened.code();
      EXPECT_TRUE(code == Code::kStoreCorrupt || code == Code::kStoreNewer ||
                  code == Code::kStoreForeign || code == Code::kStoreRolledBack ||
                  code == Code::kStoreReadOnly)
          << place << ": " << opened.error().Text();
      continue;
    }
    EXPECT_EQ((*opened)->object_count(), 6U) << place;
    const keys::RowsChecked checked = (*opened)->CheckRows(std::nullopt).value();
    EXPECT_TRUE(checked.rows == rows || !checked.findings.empty()) << place;
  }
  EXPECT_GT(refused, 20U);
}

// A page whose end was not written.
TEST(OfferedStores, TornPagesAreRefusedOrMeanNothing) {
  constexpr size_t kPage = 4096;
  Scene scene(false);
  const Bytes whole = scene.ReadAll("store.db");
  unsigned refused = 0;
  for (size_t page = 0; page < whole.size(); page += kPage) {
    for (const size_t torn : {size_t{512}, size_t{2048}, size_t{3584}}) {
      Bytes edited = whole;
      std::fill(edited.begin() + static_cast<std::ptrdiff_t>(page + torn),
                edited.begin() + static_cast<std::ptrdiff_t>(page + kPage), uint8_t{0});
      scene.WriteAll("store.db", edited);
      const auto opened = scene.Open();
      refused += opened.ok() ? 0U : 1U;
      EXPECT_EQ(opened.ok() ? (*opened)->object_count() : 6U, 6U) << page;
    }
  }
  EXPECT_GT(refused, 5U);
}

}  // namespace
}  // namespace keyclave::fault
