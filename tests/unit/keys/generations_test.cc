// Several generations of one root secret in a store: what each of them opens, what is sealed under
// which, and what of the older ones is still taken.
#include "enclave/keys/member_key.h"
#include "enclave/keys/vault.h"
#include "tests/fakes/lasting_store.h"
#include "tests/unit/keys/first_format.h"

namespace keyclave::keys {
namespace {

constexpr uint8_t kRows = 5;

RootKeyring TwoGenerations() {
  RootKeyring keyring(TestSecret());
  keyring.secrets.emplace(2, TestSecret(100));
  return keyring;
}

// The next generation's record: what is in it is the keeper's business, here the bare secret.
RecordChange RecordOf(uint32_t generation, const SecretBytes& secret) {
  return {{GenerationRecordKey(generation), 0, {}, ToBytes(secret.Expose(SecretAccess()))}};
}

class Generations : public testing::Test {
 protected:
  std::unique_ptr<store::Store> Store() {
    return fakes::MakeFaultStore(std::make_unique<fakes::LastingStore>(inner_), faults_);
  }
  Result<std::unique_ptr<Vault>> Open(const RootKeyring& keyring) {
    bodies_.clear();
    GenerationKeeper keeper;
    keeper.save = [this](const RootKeyring& next) -> Status {
      if (fail_save_) return Fail(Code::kStoreFull, "fault");
      saved_ = next.Clone();
      return Done{};
    };
    keeper.unwrap = [this](uint32_t /*generation*/, ByteSpan body) -> Result<SecretBytes> {
      if (removed_) return Fail(Code::kFleetRemoved, "fault");
      return SecretBytes::CopyOf(body);
    };
    const auto visit = [this](const Record& record) -> Status {
      if (record.key.type == RecordType::kObject)
        bodies_.insert(std::string(AsText(record.body)) + " v" + std::to_string(record.version));
      return Done{};
    };
    return Vault::Open(Store(), std::make_unique<fakes::MemoryWitness>(witness_), keyring, visit,
                       {},
                       /*is_copy=*/true, std::move(keeper));
  }
  void Create() {
    const auto vault = Must(
        Vault::Create(Store(), std::make_unique<fakes::MemoryWitness>(witness_), TestSecret()));
    for (uint8_t id = 1; id <= kRows; ++id)
      MustOk(vault->Commit({TestChange(id, "body " + std::to_string(id))}));
  }
  void PutFirstStore() {
    const FirstStore made = MakeFirstStore(TestSecret(), kRows, 41);
    MustOk(inner_->Commit(made.rows, made.head));
    witness_->mark = Witness::Mark{41, Sha256(made.head)};
  }
  // How many rows say format and generation.
  std::map<std::pair<int, int>, int> Formats() {
    std::map<std::pair<int, int>, int> found;
    MustOk(inner_->ForEach([&](const store::RowId&, ByteSpan sealed) -> Status {
      ++found[{sealed[0], sealed[0] == 1 ? 1 : sealed[4]}];
      return Done{};
    }));
    return found;
  }
  static Status Begin(Vault& vault, uint32_t generation, const SecretBytes& secret) {
    return vault.BeginGeneration(generation, secret, {RecordOf(generation, secret)});
  }

  const std::shared_ptr<store::Store> inner_ = store::MakeMemoryStore();
  const std::shared_ptr<fakes::FaultControl> faults_ = std::make_shared<fakes::FaultControl>();
  const std::shared_ptr<fakes::WitnessControl> witness_ = std::make_shared<fakes::WitnessControl>();
  std::set<std::string> bodies_;
  std::optional<RootKeyring> saved_;
  bool fail_save_ = false;
  bool removed_ = false;
};

TEST_F(Generations, StoreOfTheFirstFormatOpensAndGoesOnInTheNewOne) {
  PutFirstStore();
  {
    const auto vault = Must(Open(TestSecret()));
    EXPECT_EQ(bodies_.size(), kRows);
    EXPECT_TRUE(bodies_.contains("body 3 v1"));
    EXPECT_EQ((*inner_->ReadHead())[4], 1) << "opening changes nothing";
    EXPECT_EQ(Must(vault->Read(TestKey(2))).body, ToBytes("body 2"));
    EXPECT_TRUE(vault->CheckHead().empty());
    MustOk(vault->Commit({TestChange(2, "changed")}));
    EXPECT_EQ((*inner_->ReadHead())[4], 2);
    EXPECT_EQ(Must(vault->Read(TestKey(3))).body, ToBytes("body 3"));
    EXPECT_EQ(vault->Commit({TestRemoval(kRows + 1)}).code(), Code::kNotFound) << "its tombstone";
  }
  const std::map<std::pair<int, int>, int> expected{{{1, 1}, kRows}, {{2, 1}, 1}};
  EXPECT_EQ(Formats(), expected);
  Must(Open(TestSecret()));
  EXPECT_TRUE(bodies_.contains("changed v2"));
  EXPECT_TRUE(bodies_.contains("body 3 v1"));
}

TEST_F(Generations, EditedRowOfTheFirstFormatIsNoticedWhenTheFormatChanges) {
  PutFirstStore();
  const auto vault = Must(Open(TestSecret()));
  const store::RowId row = vault->RowOf(TestKey(3));
  store::Change edited{row, Must(inner_->Read(row))};
  (*edited.sealed)[20] ^= 1;  // of the header: the body's tag is what it was
  MustOk(inner_->Commit({&edited, 1}, Must(inner_->ReadHead())));
  EXPECT_EQ(vault->Commit({TestChange(2, "changed")}).code(), Code::kStoreCorrupt);
  EXPECT_EQ(Open(TestSecret()).code(), Code::kStoreCorrupt);
}

TEST_F(Generations, TagOfTheNewFormatIsOverTheWholeRow) {
  const KeyGenerations keys(TestSecret());
  RowSealer sealer(keys);
  const store::RowId row = sealer.IdOf(TestKey(1));
  const Bytes sealed = Must(sealer.Seal(row, {TestKey(1), false, 1, {}}, AsBytes("body")));
  for (size_t at = 0; at < sealed.size(); ++at) {
    Bytes other = sealed;
    other[at] ^= 1;
    EXPECT_NE(Must(TagOf(other)), Must(TagOf(sealed))) << at;
    EXPECT_EQ(Must(TagOf(other, 1)) == Must(TagOf(sealed, 1)), at + kTagSize < sealed.size()) << at;
  }
}

TEST_F(Generations, GenerationThatARowOrHeadSaysIsAuthenticated) {
  const RootKeyring keyring = TwoGenerations();
  const KeyGenerations keys(keyring);
  RowSealer sealer(keys);
  const store::RowId row = sealer.IdOf(TestKey(1));
  for (const uint32_t generation : {1U, 2U}) {
    const RowHeader header{TestKey(1), false, 1, {}, generation};
    Bytes sealed = Must(sealer.Seal(row, header, AsBytes("body")));
    EXPECT_EQ(Must(sealer.Open(row, sealed)).header.generation, generation);
    Bytes other = sealed;
    other[4] = static_cast<uint8_t>(3 - generation);
    EXPECT_EQ(sealer.Open(row, other).code(), Code::kSealFailed);
    other[4] = 3;
    EXPECT_EQ(sealer.Open(row, other).code(), Code::kSealFailed);
    // As if it were of the first format.
    Bytes first = sealed;
    first.erase(first.begin(), first.begin() + 5);
    first.insert(first.begin(), 1);
    EXPECT_EQ(sealer.Open(row, first).code(), Code::kSealFailed);
    Bytes head = Must(SealHead(keys, {41, 1000, {}, generation}));
    EXPECT_EQ(Must(OpenHead(keys, head)).generation, generation);
    head[5 + 16 + 3] = static_cast<uint8_t>(3 - generation);
    EXPECT_EQ(OpenHead(keys, head).code(), Code::kStoreCorrupt);
  }
  const KeyGenerations first(TestSecret());
  EXPECT_EQ(RowSealer(first)
                .Open(row, Must(sealer.Seal(row, {TestKey(1), false, 1, {}, 2}, AsBytes("body"))))
                .code(),
            Code::kSealFailed);
}

TEST_F(Generations, WhatIsWrittenAfterABeginningIsOfIt) {
  Create();
  const auto vault = Must(Open(TestSecret()));
  MustOk(Begin(*vault, 2, TestSecret(100)));
  EXPECT_EQ(vault->generation().generation, 2U);
  EXPECT_EQ(vault->generation().older_rows, kRows);
  MustOk(vault->Commit({TestChange(1, "changed")}));
  EXPECT_EQ(vault->generation().older_rows, kRows - 1U);
  EXPECT_EQ(Must(vault->Read(TestKey(1))).body, ToBytes("changed"));
  EXPECT_EQ(Must(vault->Read(TestKey(2))).body, ToBytes("body 2"));
  ASSERT_TRUE(saved_.has_value());
  EXPECT_EQ(saved_->newest(), 2U);
  // The record of the generation stays under the first one: who lags behind has no other.
  const std::map<std::pair<int, int>, int> expected{{{2, 1}, kRows - 1 + 1}, {{2, 2}, 1}};
  EXPECT_EQ(Formats(), expected);
  EXPECT_EQ(ToHex(vault->enclave_id()), ToHex(KeySchedule(TestSecret()).EnclaveId()));
}

TEST_F(Generations, ResealingChangesNoRecordAndEndsTheGenerationsInBetween) {
  Create();
  {
    const auto vault = Must(Open(TestSecret()));
    MustOk(vault->Commit({TestRemoval(4)}));
    MustOk(Begin(*vault, 2, TestSecret(100)));
    EXPECT_EQ(Must(vault->Reseal(2)), 2U);
    MustOk(Begin(*vault, 3, TestSecret(200)));
    MustOk(vault->RetireGenerations());
    EXPECT_EQ(saved_->oldest, 1U) << "rows are still of older ones";
    size_t rows = 0;
    for (size_t done = 2; done != 0; rows += done) done = Must(vault->Reseal(2));
    EXPECT_EQ(rows, kRows);
    MustOk(vault->RetireGenerations());
  }
  const std::map<std::pair<int, int>, int> expected{{{2, 3}, kRows}, {{2, 1}, 2}};
  EXPECT_EQ(Formats(), expected);
  EXPECT_EQ(saved_->secrets.size(), 2U);
  EXPECT_EQ(saved_->newest(), 3U);
  EXPECT_EQ(saved_->oldest, 3U);
  const auto vault = Must(Open(*saved_));
  EXPECT_EQ(bodies_, (std::set<std::string>{"body 1 v1", "body 2 v1", "body 3 v1", "body 5 v1"}));
  EXPECT_EQ(Must(vault->Reseal(10)), 0U);
}

TEST_F(Generations, ResealingGoesOnAfterAStop) {
  Create();
  {
    const auto vault = Must(Open(TestSecret()));
    MustOk(Begin(*vault, 2, TestSecret(100)));
    EXPECT_EQ(Must(vault->Reseal(3)), 3U);
    faults_->next_commit = fakes::FaultControl::CommitFault::kBefore;
    EXPECT_FALSE(vault->Reseal(3).ok());
    EXPECT_EQ(vault->generation().older_rows, kRows - 3U);
  }
  const auto vault = Must(Open(*saved_));
  EXPECT_EQ(vault->generation().older_rows, kRows - 3U);
  EXPECT_EQ(Must(vault->Reseal(100)), kRows - 3U);
  EXPECT_EQ(Must(vault->Reseal(100)), 0U);
}

TEST_F(Generations, RetiredGenerationsAreNotTakenFromAnybody) {
  Create();
  Bytes old_head;
  store::Change old_row;
  {
    const auto vault = Must(Open(TestSecret()));
    old_head = Must(inner_->ReadHead());
    old_row = {vault->RowOf(TestKey(1)), Must(inner_->Read(vault->RowOf(TestKey(1))))};
    MustOk(Begin(*vault, 2, TestSecret(100)));
    while (Must(vault->Reseal(100)) != 0) {
    }
    MustOk(vault->RetireGenerations());
  }
  const KeyGenerations keys(*saved_);
  EXPECT_EQ(RowSealer(keys).Open(old_row.id, *old_row.sealed).code(), Code::kSealFailed);
  EXPECT_EQ(OpenHead(keys, old_head).code(), Code::kStoreRolledBack);
  // Nor a record of the generation that somebody seals under another one.
  RowSealer sealer(keys);
  EXPECT_FALSE(
      sealer
          .Seal(sealer.IdOf(GenerationRecordKey(3)), {GenerationRecordKey(3), false, 1, {}, 2}, {})
          .ok());
  MustOk(inner_->Commit({&old_row, 1}, old_head));
  EXPECT_EQ(Open(*saved_).code(), Code::kStoreRolledBack);
}

TEST_F(Generations, WhoStoppedBeforeItsFileWasWrittenFindsTheSecretInTheStore) {
  Create();
  {
    const auto vault = Must(Open(TestSecret()));
    fail_save_ = true;
    MustOk(Begin(*vault, 2, TestSecret(100)));
    MustOk(vault->Commit({TestChange(1, "changed")}));
  }
  EXPECT_FALSE(saved_.has_value());
  EXPECT_EQ(Open(TestSecret()).code(), Code::kStoreFull) << "nothing is used that is not on disk";
  fail_save_ = false;
  Must(Open(TestSecret()));
  EXPECT_TRUE(bodies_.contains("changed v2"));
  ASSERT_TRUE(saved_.has_value());
  EXPECT_EQ(saved_->newest(), 2U);
  Must(Open(*saved_));
}

TEST_F(Generations, WhoWasLeftOutIsToldSo) {
  Create();
  MustOk(Begin(*Must(Open(TestSecret())), 2, TestSecret(100)));
  removed_ = true;
  EXPECT_EQ(Open(TestSecret()).code(), Code::kFleetRemoved);
}

TEST_F(Generations, BeginningThatFailedLeavesTheOneBefore) {
  Create();
  const auto vault = Must(Open(TestSecret()));
  faults_->next_commit = fakes::FaultControl::CommitFault::kBefore;
  EXPECT_FALSE(Begin(*vault, 2, TestSecret(50)).ok());
  EXPECT_FALSE(saved_.has_value());
  MustOk(vault->Commit({TestChange(1, "changed")}));
  // Another secret under the same number: nothing is left of the first one's keys.
  MustOk(Begin(*vault, 2, TestSecret(100)));
  MustOk(vault->Commit({TestChange(2, "changed too")}));
  Must(Open(*saved_));
  EXPECT_TRUE(bodies_.contains("changed too v2"));
  EXPECT_EQ(Begin(*vault, 4, TestSecret(1)).code(), Code::kStoreMoved);
}

TEST_F(Generations, HeadOfAGenerationThatNobodyTellsIsDamage) {
  Create();
  const KeyGenerations keys(TwoGenerations());
  const auto vault = Must(Open(TestSecret()));
  const Bytes head = Must(SealHead(keys, {vault->epoch() + 1, kRows, {}, 2}));
  MustOk(inner_->Commit({}, head));
  EXPECT_EQ(Open(TestSecret()).code(), Code::kStoreCorrupt);
}

TEST_F(Generations, ThereAreNotTooManyAtOnce) {
  Create();
  const auto vault = Must(Open(TestSecret()));
  for (uint32_t generation = 2; generation <= kMaxGenerations; ++generation)
    MustOk(Begin(*vault, generation, TestSecret(static_cast<uint8_t>(generation))));
  EXPECT_EQ(Begin(*vault, kMaxGenerations + 1, TestSecret(99)).code(), Code::kObjectLimit);
}

TEST(MemberKey, OpensItsOwnShareAlone) {
  const SecretBytes own = NewMemberKey();
  const SecretBytes other = NewMemberKey();
  const Bytes public_key = Must(MemberPublicKey(own));
  MustOk(CheckMemberPublicKey(public_key));
  EXPECT_FALSE(CheckMemberPublicKey(ByteSpan(public_key).first(public_key.size() - 1)).ok());
  const GenerationFor whom{{1}, 2, "a"};
  GenerationRecord record{2, {{"a", Must(WrapGeneration(whom, public_key, TestSecret(9)))}}};
  const Bytes body = wire::Encode(record);
  EXPECT_TRUE(Must(UnwrapGeneration(whom, own, body)) == TestSecret(9));
  EXPECT_EQ(UnwrapGeneration(whom, other, body).code(), Code::kFleetRemoved);
  EXPECT_EQ(UnwrapGeneration(whom, {}, body).code(), Code::kFleetRemoved);
  EXPECT_EQ(UnwrapGeneration({{1}, 2, "b"}, own, body).code(), Code::kFleetRemoved);
  EXPECT_EQ(UnwrapGeneration({{1}, 3, "a"}, own, body).code(), Code::kStoreCorrupt);
  EXPECT_EQ(UnwrapGeneration({{2}, 2, "a"}, own, body).code(), Code::kFleetRemoved);
  record.shares.front().wrapped.back() ^= 1;
  EXPECT_EQ(UnwrapGeneration(whom, own, wire::Encode(record)).code(), Code::kFleetRemoved);
  EXPECT_EQ(UnwrapGeneration(whom, own, AsBytes("nothing")).code(), Code::kStoreCorrupt);
}

}  // namespace
}  // namespace keyclave::keys
