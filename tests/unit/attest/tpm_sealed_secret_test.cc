// The bytes that Seal gives and Unseal is given: by anybody.

#include <gtest/gtest.h>

#include "attest/tpm/sealed_secret.h"
#include "enclave/base/cbor.h"

namespace keyclave::attest::tpm {
namespace {

constexpr uint16_t kSha256 = 0x000b;

SealedSecret Sample() {
  SealedSecret sealed;
  sealed.unique.fill(0x11);
  sealed.private_part = Bytes(190, 0x22);
  sealed.selection = {.bank = kSha256, .registers = {0, 7, 23}, .bits = {0x81, 0x00, 0x80}};
  for (const unsigned index : sealed.selection.registers)
    sealed.values[kSha256][index] = Bytes(32, static_cast<uint8_t>(index));
  return sealed;
}

TEST(TpmSealedSecret, ComesBackAsItWas) {
  const Bytes bytes = EncodeSealedSecret(Sample());
  const auto parsed = ParseSealedSecret(bytes);
  ASSERT_TRUE(parsed.ok()) << parsed.error().Text();
  EXPECT_EQ(parsed->unique, Sample().unique);
  EXPECT_EQ(parsed->private_part, Sample().private_part);
  EXPECT_EQ(parsed->selection.registers, Sample().selection.registers);
  EXPECT_EQ(parsed->selection.bits, Sample().selection.bits);
  EXPECT_EQ(parsed->values, Sample().values);
  EXPECT_EQ(EncodeSealedSecret(*parsed), bytes);
}

TEST(TpmSealedSecret, EveryLengthButTheRightOneIsRefused) {
  Bytes bytes = EncodeSealedSecret(Sample());
  for (size_t i = 0; i < bytes.size(); ++i)
    EXPECT_FALSE(ParseSealedSecret(ByteSpan(bytes).first(i)).ok()) << i;
  bytes.push_back(0);
  EXPECT_EQ(ParseSealedSecret(bytes).code(), Code::kTrailingBytes);
  EXPECT_EQ(ParseSealedSecret(Bytes(kMaxSealedSecret + 1)).code(), Code::kTooLarge);
}

// Whatever is changed, it is refused or means exactly what it says: nothing is passed over.
TEST(TpmSealedSecret, EveryChangedBitIsRefusedOrSeen) {
  const Bytes bytes = EncodeSealedSecret(Sample());
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    Bytes changed = bytes;
    changed[bit / 8] = static_cast<uint8_t>(changed[bit / 8] ^ 1U << (bit % 8));
    const auto parsed = ParseSealedSecret(changed);
    if (parsed.ok()) {
      EXPECT_EQ(EncodeSealedSecret(*parsed), changed) << bit;
    }
  }
}

TEST(TpmSealedSecret, HostileSizesAreRefused) {
  const auto refused = [](const auto& write) {
    CborWriter writer;
    write(writer);
    return !ParseSealedSecret(writer.bytes()).ok();
  };
  const auto begin = [](CborWriter& writer, ByteSpan private_part) {
    writer.Map(5);
    writer.Uint(1);
    writer.Text("keyclave/tpm-sealed/1");
    writer.Uint(2);
    writer.ByteString(ByteArray<32>{});
    writer.Uint(3);
    writer.ByteString(private_part);
    writer.Uint(4);
    writer.Uint(kSha256);
    writer.Uint(5);
  };
  const Bytes some(10, 1);
  EXPECT_TRUE(refused([](CborWriter& w) { w.Map(UINT64_MAX); }));
  EXPECT_TRUE(refused([&](CborWriter& w) {
    begin(w, some);
    w.Map(0);
  }));
  EXPECT_TRUE(refused([&](CborWriter& w) {
    begin(w, some);
    w.Map(uint64_t{1} << 40);
  }));
  EXPECT_TRUE(refused([&](CborWriter& w) {
    begin(w, {});
    w.Map(1);
    w.Uint(0);
    w.ByteString(ByteArray<32>{});
  }));
  EXPECT_TRUE(refused([&](CborWriter& w) {
    begin(w, Bytes(1025));
    w.Map(1);
    w.Uint(0);
    w.ByteString(ByteArray<32>{});
  }));
  EXPECT_TRUE(refused([&](CborWriter& w) {
    begin(w, some);
    w.Map(1);
    w.Uint(24);
    w.ByteString(ByteArray<32>{});
  }));
  EXPECT_TRUE(refused([&](CborWriter& w) {
    begin(w, some);
    w.Map(1);
    w.Uint(0);
    w.ByteString(ByteArray<20>{});
  }));
  EXPECT_FALSE(refused([&](CborWriter& w) {
    begin(w, some);
    w.Map(1);
    w.Uint(0);
    w.ByteString(ByteArray<32>{});
  }));
}

// As tpm2_createpolicy --policy-pcr -l sha256:0,7 says it for registers that are zero.
TEST(TpmSealedSecret, ThePolicyIsTheOneThatTpmsCompute) {
  PcrSelection selection{.bank = kSha256, .registers = {0, 7}, .bits = {0x81, 0, 0}};
  const PcrValues values = {{kSha256, {{0, Bytes(32)}, {7, Bytes(32)}}}};
  const auto policy = PolicyOf(selection, values);
  ASSERT_TRUE(policy.ok());
  EXPECT_EQ(ToHex(*policy), "02e3642b3e29eeccfffd8031c00a6f0a0febe5ceea2f6ef6b0322fe81598cf31");
}

}  // namespace
}  // namespace keyclave::attest::tpm
