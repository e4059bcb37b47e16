#include "pkcs11/operation.h"

#include <gtest/gtest.h>

#include "pkcs11/cipher_chunk.h"

namespace keyclave::pkcs11 {
namespace {

void Start(Operations& operations, CK_FLAGS kind) {
  switch (kind) {
    case CKF_FIND_OBJECTS: operations.find.emplace(); break;
    case CKF_DIGEST:
      operations.digest.emplace().hasher = Hasher::Create(HashAlgorithm::kSha256).value();
      break;
    case CKF_SIGN: operations.sign.emplace(); break;
    case CKF_VERIFY: operations.verify.emplace(); break;
    case CKF_SIGN_RECOVER: operations.sign_recover.emplace(); break;
    case CKF_VERIFY_RECOVER: operations.verify_recover.emplace(); break;
    case CKF_ENCRYPT: operations.encrypt.emplace(); break;
    default: operations.decrypt.emplace(); break;
  }
}

constexpr CK_FLAGS kKinds[] = {CKF_FIND_OBJECTS, CKF_DIGEST,         CKF_SIGN,    CKF_VERIFY,
                               CKF_SIGN_RECOVER, CKF_VERIFY_RECOVER, CKF_ENCRYPT, CKF_DECRYPT};

bool IsDualPair(CK_FLAGS a, CK_FLAGS b) {
  const CK_FLAGS both = a | b;
  return a != b && (both == (CKF_DIGEST | CKF_ENCRYPT) || both == (CKF_DIGEST | CKF_DECRYPT) ||
                    both == (CKF_SIGN | CKF_ENCRYPT) || both == (CKF_VERIFY | CKF_DECRYPT));
}

TEST(Operations, RunSideBySideOnlyInDualPairs) {
  for (const CK_FLAGS active : kKinds) {
    for (const CK_FLAGS next : kKinds) {
      Operations operations;
      Start(operations, active);
      const Status may = operations.MayBegin(next);
      EXPECT_EQ(may.ok(), IsDualPair(active, next)) << active << " then " << next;
      if (!may.ok()) {
        EXPECT_EQ(may.code(), Code::kP11OperationActive);
      }
    }
  }
}

TEST(Operations, NeverRunThreeAtOnce) {
  Operations operations;
  Start(operations, CKF_DIGEST);
  Start(operations, CKF_ENCRYPT);
  for (const CK_FLAGS next : kKinds) EXPECT_FALSE(operations.MayBegin(next).ok());
}

TEST(Operations, CancelEndsWhatIsNamed) {
  Operations operations;
  Start(operations, CKF_DIGEST);
  Start(operations, CKF_ENCRYPT);
  operations.Cancel(CKF_DIGEST | CKF_SIGN);
  EXPECT_FALSE(operations.digest.has_value());
  EXPECT_TRUE(operations.encrypt.has_value());
}

TEST(OperationScope, EndsTheOperationUnlessItGoesOn) {
  std::optional<KeyOperation> slot;
  const auto after = [&](auto step) {
    slot.emplace();
    {
      OperationScope scope(slot);
      step(scope);
    }
    return slot.has_value();
  };
  using Scope = OperationScope<KeyOperation>;
  EXPECT_FALSE(after([](Scope&) {}));
  EXPECT_TRUE(after([](Scope& s) { EXPECT_TRUE(s.Continue(Done{}).ok()); }));
  EXPECT_FALSE(after([](Scope& s) { EXPECT_FALSE(s.Continue(Fail(Code::kDenied)).ok()); }));
  EXPECT_TRUE(
      after([](Scope& s) { EXPECT_FALSE(s.Continue(Fail(Code::kP11BufferTooSmall)).ok()); }));
  EXPECT_FALSE(after([](Scope& s) { EXPECT_TRUE(s.Finish(Delivery::kDelivered).ok()); }));
  EXPECT_TRUE(after([](Scope& s) { EXPECT_TRUE(s.Finish(Delivery::kLengthOnly).ok()); }));
  EXPECT_TRUE(after([](Scope& s) { EXPECT_FALSE(s.Finish(Fail(Code::kP11BufferTooSmall)).ok()); }));
  EXPECT_FALSE(after([](Scope& s) { EXPECT_FALSE(s.Finish(Fail(Code::kP11ArgumentsBad)).ok()); }));
}

TEST(KeyOperation, TakesNoMoreThanOneRequestCarries) {
  KeyOperation operation;
  const Bytes part(wire::kMaxField, 1);
  EXPECT_TRUE(operation.Add(part).ok());
  EXPECT_EQ(operation.Add(Bytes{1}).code(), Code::kDataLenRange);
}

KeyOperation Cipher(CK_MECHANISM_TYPE type) {
  KeyOperation operation;
  auto key = std::make_shared<CachedObject>();
  operation.key = key;
  operation.mechanism.type = type;
  return operation;
}

TEST(CipherChunk, ReleasesWholeBlocksAndHoldsThePaddedOne) {
  const KeyOperation cbc = Cipher(CKM_AES_CBC);
  const KeyOperation padded = Cipher(CKM_AES_CBC_PAD);
  const std::array<size_t, 5> totals = {0, 15, 16, 17, 32};
  const std::array<size_t, 5> plain = {0, 0, 16, 16, 32};
  const std::array<size_t, 5> held = {0, 0, 0, 16, 16};
  for (size_t i = 0; i < totals.size(); ++i) {
    EXPECT_EQ(Releasable(cbc, Direction::kDecrypt, totals[i]), plain[i]);
    EXPECT_EQ(Releasable(padded, Direction::kEncrypt, totals[i]), plain[i]);
    EXPECT_EQ(Releasable(padded, Direction::kDecrypt, totals[i]), held[i]);
  }
}

TEST(CipherChunk, NeverCutsModesWithATag) { EXPECT_FALSE(CanCut(Cipher(CKM_AES_GCM))); }

TEST(CipherChunk, ChainsCbcByItsLastCiphertextBlock) {
  KeyOperation operation = Cipher(CKM_AES_CBC);
  const Bytes input(32, 0x11);
  Bytes output(32, 0x22);
  output.back() = 0x33;
  ASSERT_TRUE(Advance(operation, Direction::kEncrypt, input, output).ok());
  EXPECT_EQ(*operation.mechanism.bytes, ToBytes(ByteSpan(output).last(16)));
  ASSERT_TRUE(Advance(operation, Direction::kDecrypt, input, output).ok());
  EXPECT_EQ(*operation.mechanism.bytes, Bytes(16, 0x11));
}

std::string Counter(uint64_t bits, const std::string& start, size_t blocks, bool* exhausted) {
  KeyOperation operation = Cipher(CKM_AES_CTR);
  operation.mechanism.ctr.emplace();
  operation.mechanism.ctr->counter_bits = bits;
  const Bytes block = FromHex(start).value();
  std::copy(block.begin(), block.end(), operation.mechanism.ctr->block.begin());
  const Bytes data(blocks * 16);
  EXPECT_TRUE(Advance(operation, Direction::kEncrypt, data, data).ok());
  *exhausted = operation.exhausted;
  return ToHex(operation.mechanism.ctr->block);
}

TEST(CipherChunk, CountsInTheCounterBitsOnly) {
  bool exhausted = false;
  EXPECT_EQ(Counter(128, "000102030405060708090a0b0c0d0eff", 1, &exhausted),
            "000102030405060708090a0b0c0d0f00");
  EXPECT_FALSE(exhausted);
  EXPECT_EQ(Counter(32, "ffffffffffffffffffffffff000000fe", 3, &exhausted),
            "ffffffffffffffffffffffff00000101");
  EXPECT_FALSE(exhausted);
  EXPECT_EQ(Counter(12, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaffd", 2, &exhausted),
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaafff");
  EXPECT_FALSE(exhausted);
  // The block after the last one would repeat the first: the operation may take no more.
  EXPECT_EQ(Counter(12, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaffd", 3, &exhausted),
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa000");
  EXPECT_TRUE(exhausted);
  Counter(1, "00000000000000000000000000000000", 5, &exhausted);
  EXPECT_TRUE(exhausted);
}

}  // namespace
}  // namespace keyclave::pkcs11
