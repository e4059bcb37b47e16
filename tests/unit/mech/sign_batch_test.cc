// Signatures in groups by a multi-buffer library: a fake one with faults to order, and the real one
// where the system and the processor have it.

#include "enclave/mech/sign_batch.h"

#include <dlfcn.h>

#include "tests/fakes/paths.h"
#include "tests/unit/mech/mech_testing.h"

namespace keyclave::mech {
namespace {

constexpr LaneKind kEveryKind[] = {LaneKind::kRsa2048, LaneKind::kRsa3072, LaneKind::kRsa4096,
                                   LaneKind::kP256,    LaneKind::kP384,    LaneKind::kP521,
                                   LaneKind::kEd25519};

// A mechanism with a key pair for it, and an input that it takes.
struct Subject {
  Subject(std::string called, wire::Mechanism how, const KeyPair& pair, Bytes what)
      : name(std::move(called)),
        mechanism(std::move(how)),
        private_key(pair.private_key),
        public_key(pair.public_key),
        input(std::move(what)) {}
  std::string name;
  wire::Mechanism mechanism;
  KeyPtr private_key;
  KeyPtr public_key;
  Bytes input;
};

std::vector<Subject> MakeSubjects() {
  std::vector<Subject> subjects;
  const Bytes digest(32, 0x5a);
  const Bytes message = Bytes(100, 0x33);
  for (const uint64_t bits : {2048U, 3072U}) {
    const auto size = std::to_string(bits);
    const KeyPair pair = NewRsaPair(bits);
    subjects.push_back({"pkcs1 " + size, Mech(CKM_RSA_PKCS), pair, digest});
    subjects.push_back({"pkcs1 sha256 " + size, Mech(CKM_SHA256_RSA_PKCS), pair, message});
    subjects.push_back({"pkcs1 sha3 " + size, Mech(CKM_SHA3_384_RSA_PKCS), pair, message});
    subjects.push_back(
        {"pss " + size, Pss(CKM_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA256, 32), pair, digest});
    subjects.push_back({"pss sha512 " + size,
                        Pss(CKM_SHA512_RSA_PKCS_PSS, CKM_SHA512, CKG_MGF1_SHA1, 20), pair,
                        message});
  }
  for (const std::string_view curve : {kP256, kP384, kP521}) {
    subjects.push_back({"ecdsa " + std::string(curve), Mech(CKM_ECDSA), NewEcPair(curve), digest});
    subjects.push_back(
        {"ecdsa sha512 " + std::string(curve), Mech(CKM_ECDSA_SHA512), NewEcPair(curve), message});
    subjects.push_back(
        {"ecdsa of a byte " + std::string(curve), Mech(CKM_ECDSA), NewEcPair(curve), Bytes(1, 7)});
  }
  subjects.push_back(
      {"ed25519", Mech(CKM_EDDSA), NewEcPair(kEd25519, CKM_EC_EDWARDS_KEY_PAIR_GEN), message});
  return subjects;
}

// Made once: RSA keys take their time.
const std::vector<Subject>& Subjects() {
  static const auto* const subjects = new std::vector<Subject>(MakeSubjects());
  return *subjects;
}

class SignBatchTest : public testing::Test {
 protected:
  static std::string FakeLibrary() { return fakes::BuildPath("lib/libfake_crypto_mb.so"); }
  void SetUp() override {
    OrderFault(0);
    library_ = Get(MultiBuffer::Load(FakeLibrary(), 2));
  }
  void TearDown() override { OrderFault(0); }

  static void OrderFault(int which) {
    void* handle = dlopen(FakeLibrary().c_str(), RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(handle, nullptr) << dlerror();
    const auto order =
        reinterpret_cast<void (*)(int)>(dlsym(handle, "fake_mbx_order_fault"));  // dlsym(3)
    order(which);
    dlclose(handle);
  }

  static size_t Add(SignBatch& batch, const Subject& subject, const Bytes& input) {
    const MechEntry entry = Get(FindMechanism(subject.mechanism.type));
    EXPECT_TRUE(batch.Takes(entry, *subject.private_key)) << subject.name;
    return batch.Add(entry, subject.private_key, subject.mechanism, input);
  }
  uint64_t Groups() const {
    uint64_t groups = 0;
    for (size_t size = 1; size <= kLanes; ++size) groups += library_->groups(size);
    return groups;
  }

  std::unique_ptr<const MultiBuffer> library_;
};

TEST_F(SignBatchTest, EveryKindIsTriedOut) {
  for (const LaneKind kind : kEveryKind) {
    EXPECT_EQ(library_->WorthFrom(kind), 2U) << InfoOf(kind).name;
  }
  EXPECT_EQ(Groups(), 0U) << "what was tried out is not counted";
  EXPECT_EQ(library_->Describe(),
            "crypto_mb 9.8.7: rsa-2048 from 2, rsa-3072 from 2, rsa-4096 from 2, p-256 from 2, "
            "p-384 from 2, p-521 from 2, ed25519 from 2");
  const auto measured = Get(MultiBuffer::Load(FakeLibrary()));
  for (const LaneKind kind : kEveryKind) EXPECT_LE(measured->WorthFrom(kind), kLanes);
}

TEST_F(SignBatchTest, SignaturesOfGroupsVerify) {
  for (const Subject& subject : Subjects()) {
    const uint64_t before = Groups();
    SignBatch batch(library_.get());
    for (size_t i = 0; i < 11; ++i) EXPECT_EQ(Add(batch, subject, subject.input), i);
    const auto signatures = batch.Run();
    ASSERT_EQ(signatures.size(), 11U);
    for (const auto& signature : signatures) {
      ASSERT_TRUE(signature.ok()) << subject.name << ": " << signature.error().Text();
      EXPECT_EQ(CodeOf(Verify(subject.public_key, subject.mechanism, subject.input, *signature)),
                "ok")
          << subject.name;
    }
    EXPECT_GT(Groups(), before) << subject.name;
    EXPECT_TRUE(batch.Run().empty());
  }
}

// Each signature is of its own input and by its own key, whatever is beside it.
TEST_F(SignBatchTest, KindsAndKeysAreNotMixedUp) {
  const std::vector<Subject>& subjects = Subjects();
  SignBatch batch(library_.get());
  std::vector<std::pair<const Subject*, Bytes>> asked;
  for (size_t round = 0; round < 3; ++round) {
    for (const Subject& subject : subjects) {
      Bytes input = subject.input;
      input.front() = static_cast<uint8_t>(round + 1);
      EXPECT_EQ(Add(batch, subject, input), asked.size());
      asked.emplace_back(&subject, input);
    }
  }
  const auto signatures = batch.Run();
  ASSERT_EQ(signatures.size(), asked.size());
  for (size_t i = 0; i < asked.size(); ++i) {
    const auto& [subject, input] = asked[i];
    EXPECT_EQ(CodeOf(Verify(subject->public_key, subject->mechanism, input, Get(signatures[i]))),
              "ok")
        << subject->name;
  }
}

TEST_F(SignBatchTest, DeterministicOnesAreWhatTheyAreAlone) {
  for (const Subject& subject : Subjects()) {
    const bool random = subject.mechanism.pss.has_value() || subject.name.rfind("ecdsa", 0) == 0;
    if (random) continue;
    SignBatch batch(library_.get());
    for (size_t i = 0; i < kLanes; ++i) Add(batch, subject, subject.input);
    const Bytes alone = Get(Sign(subject.private_key, subject.mechanism, subject.input));
    for (const auto& signature : batch.Run()) EXPECT_EQ(Get(signature), alone) << subject.name;
  }
}

// One fault in an RSA signature gives the key away: nothing leaves that does not verify.
TEST_F(SignBatchTest, WrongSignaturesDoNotLeave) {
  OrderFault(1);
  uint64_t faults = 0;
  for (const Subject& subject : Subjects()) {
    SignBatch batch(library_.get());
    for (size_t i = 0; i < kLanes; ++i) Add(batch, subject, subject.input);
    for (const auto& signature : batch.Run()) {
      EXPECT_EQ(
          CodeOf(Verify(subject.public_key, subject.mechanism, subject.input, Get(signature))),
          "ok")
          << subject.name;
    }
    EXPECT_EQ(library_->faults(), ++faults) << subject.name;
  }
}

// Lane 2 is wrong, so every kind is; and a library that says itself that all is well.
TEST_F(SignBatchTest, LibrariesThatComputeWronglyAreNotUsed) {
  OrderFault(1);
  const auto broken = MultiBuffer::Load(FakeLibrary(), 2);
  EXPECT_EQ(CodeOf(broken), "Unsupported");
  OrderFault(2);
  const auto half = Get(MultiBuffer::Load(FakeLibrary(), 2));
  EXPECT_EQ(half->WorthFrom(LaneKind::kEd25519), 0U);
  EXPECT_NE(half->WorthFrom(LaneKind::kP256), 0U);
  EXPECT_NE(half->Describe().find("ed25519 computed wrongly, not used"), std::string::npos)
      << half->Describe();
  EXPECT_EQ(half->faults(), 0U);
}

// What a lane cannot do is done alone, beside the others: other parameters, inputs that are
// refused.
TEST_F(SignBatchTest, WhatDoesNotFitIsSignedAlone) {
  const Subject good{"p256", Mech(CKM_ECDSA), NewEcPair(kP256), Bytes(32, 1)};
  const Subject zeros{"zeros", Mech(CKM_ECDSA), NewEcPair(kP256), Bytes(32, 0)};
  const Subject none{"nothing", Mech(CKM_ECDSA), NewEcPair(kP256), Bytes()};
  const Subject rsa{"rsa", Mech(CKM_RSA_PKCS), SomeRsaPair(), Bytes(246, 1)};  // too long by one
  SignBatch batch(library_.get());
  for (size_t i = 0; i < kLanes; ++i) {
    for (const Subject* subject : {&good, &zeros, &none, &rsa})
      Add(batch, *subject, subject->input);
  }
  const auto results = batch.Run();
  for (size_t i = 0; i < results.size(); i += 4) {
    EXPECT_EQ(CodeOf(Verify(good.public_key, good.mechanism, good.input, Get(results[i]))), "ok");
    EXPECT_EQ(CodeOf(Verify(zeros.public_key, zeros.mechanism, zeros.input, Get(results[i + 1]))),
              "ok");
    EXPECT_EQ(CodeOf(results[i + 2]), "DataLenRange");
    EXPECT_EQ(CodeOf(results[i + 3]), "DataLenRange");
  }
}

TEST_F(SignBatchTest, OtherKeysAreNotTaken) {
  const SignBatch batch(library_.get());
  const MechEntry ecdsa = Get(FindMechanism(CKM_ECDSA));
  EXPECT_FALSE(batch.Takes(ecdsa, *NewEcPair(kK256).private_key));
  EXPECT_FALSE(batch.Takes(ecdsa, *NewEcPair(kP256).public_key));
  EXPECT_TRUE(batch.Takes(ecdsa, *NewEcPair(kP256).private_key));
  SignBatch without(nullptr);
  EXPECT_FALSE(without.Takes(ecdsa, *NewEcPair(kP256).private_key));
  EXPECT_TRUE(without.Run().empty());
  const MechEntry eddsa = Get(FindMechanism(CKM_EDDSA));
  EXPECT_FALSE(batch.Takes(eddsa, *NewEcPair(kEd448, CKM_EC_EDWARDS_KEY_PAIR_GEN).private_key));
}

TEST_F(SignBatchTest, ALibraryThatIsNoneSaysWhy) {
  const auto none = MultiBuffer::Load("/nonexistent/libcrypto_mb.so");
  ASSERT_FALSE(none.ok());
  EXPECT_NE(none.error().Text().find("/nonexistent"), std::string::npos) << none.error().Text();
  const auto other = MultiBuffer::Load("libz.so.1");
  ASSERT_FALSE(other.ok());
}

}  // namespace
}  // namespace keyclave::mech
