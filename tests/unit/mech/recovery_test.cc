// The root secret in the hands of several: any `threshold` holders have it, fewer have nothing.
#include "enclave/mech/recovery.h"

#include <bit>
#include <set>

#include "enclave/base/hash.h"
#include "tests/unit/mech/mech_testing.h"

namespace keyclave::mech {
namespace {

constexpr const char* kEnclave = "000102030405060708090a0b0c0d0e0f";
// OBJECT IDENTIFIERs, DER: prime256v1, id-X25519, secp384r1.
constexpr uint8_t kP256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
constexpr uint8_t kX25519[] = {0x06, 0x03, 0x2b, 0x65, 0x6e};
constexpr uint8_t kP384[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};

KeyPtr NewPrivateKey(uint64_t mechanism, uint64_t attribute, ByteSpan value) {
  wire::AttributeList attributes;
  if (attribute == CKA_MODULUS_BITS) {
    attributes.SetUlong(CKA_MODULUS_BITS, 2048);
  } else {
    attributes.Set(attribute, value);
  }
  const MechEntry entry = Get(FindMechanism(mechanism));
  NewKey made = Get(entry.family->generate(Mech(mechanism), attributes));
  made.attributes.SetUlong(CKA_CLASS, CKO_PRIVATE_KEY);
  return Get(LoadKey(made.attributes, made.material));
}
KeyPtr NewX25519() { return NewPrivateKey(CKM_EC_MONTGOMERY_KEY_PAIR_GEN, CKA_EC_PARAMS, kX25519); }
KeyPtr NewP256() { return NewPrivateKey(CKM_EC_KEY_PAIR_GEN, CKA_EC_PARAMS, kP256); }
KeyPtr NewRsa() { return NewPrivateKey(CKM_RSA_PKCS_KEY_PAIR_GEN, CKA_MODULUS_BITS, {}); }

std::string NameOf(size_t place) { return "holder " + std::to_string(place); }

struct Enclave {
  Enclave(size_t threshold, const std::vector<KeyPtr>& private_keys) : keys(private_keys) {
    RandomFill(secret.ExposeMutable(SecretAccess()));
    std::vector<RecoveryKeyholder> holders;
    for (const KeyPtr& key : keys)
      holders.push_back({NameOf(holders.size()), Get(PublicKeyInfo(*key))});
    recovery = Get(MakeRecovery(kEnclave, holders, threshold, secret));
  }
  SecretBytes Open(size_t place) const {
    return Get(OpenParts(recovery, NameOf(place), *keys[place]));
  }

  SecretBytes secret{32};
  std::vector<KeyPtr> keys;
  wire::Recovery recovery;
};

std::vector<KeyPtr> FiveKeys() {
  return {NewX25519(), NewP256(), NewRsa(), NewX25519(), NewP256()};
}

TEST(Recovery, AnyHoldersAsManyAsTheThresholdHaveItAndFewerDoNot) {
  const std::vector<KeyPtr> five = FiveKeys();
  for (size_t holders = 1; holders <= five.size(); ++holders) {
    for (size_t threshold = 1; threshold <= holders; ++threshold) {
      const Enclave enclave(threshold,
                            {five.begin(), five.begin() + static_cast<ptrdiff_t>(holders)});
      for (uint32_t who = 0; who < 1U << holders; ++who) {
        RecoveryMeeting meeting(enclave.recovery);
        for (size_t place = 0; place < holders; ++place) {
          if ((who >> place & 1U) == 0) continue;
          ASSERT_EQ(CodeOf(meeting.Give(NameOf(place), enclave.Open(place))), "ok");
        }
        const bool enough = static_cast<size_t>(std::popcount(who)) >= threshold;
        EXPECT_EQ(meeting.missing() == 0, enough) << threshold << " of " << holders << ": " << who;
        if (enough) {
          EXPECT_EQ(Get(meeting.Join()), enclave.secret);
        } else {
          EXPECT_EQ(CodeOf(meeting.Join()), "WrongState");
        }
      }
    }
  }
}

// What fewer have is not only refused: it is not enough. Whoever is one short lacks a whole part,
// and each part is drawn anew for each enclave.
TEST(Recovery, WhoeverIsOneShortLacksAPart) {
  for (size_t holders = 1; holders <= kMaxHolders; ++holders) {
    for (size_t threshold = 1; threshold <= holders; ++threshold) {
      const std::vector<uint32_t> masks = PartMasks(threshold, holders);
      for (uint32_t who = 0; who < 1U << holders; ++who) {
        const auto count = static_cast<size_t>(std::popcount(who));
        if (count != threshold && count + 1 != threshold) continue;
        const bool all = std::all_of(masks.begin(), masks.end(),
                                     [&](uint32_t without) { return (who & ~without) != 0; });
        EXPECT_EQ(all, count == threshold) << threshold << " of " << holders << ": " << who;
      }
    }
  }
}

TEST(Recovery, PartsAreFreshEachTime) {
  const std::vector<KeyPtr> keys = {NewX25519(), NewX25519(), NewX25519()};
  const Enclave one(2, keys);
  const Enclave other(2, keys);
  std::set<ByteArray<32>> seen;
  for (const auto& commitments : {one.recovery.commitments, other.recovery.commitments})
    seen.insert(commitments.begin(), commitments.end());
  EXPECT_EQ(seen.size(), 6U);
}

TEST(Recovery, WrongSharesAreNoticedAndWhose) {
  const Enclave enclave(2, {NewX25519(), NewP256(), NewX25519()});
  RecoveryMeeting meeting(enclave.recovery);
  const SecretBytes good = enclave.Open(0);
  const auto refused = [&](const std::string& holder, const Bytes& bytes) {
    const Status given = meeting.Give(holder, SecretBytes::CopyOf(bytes));
    if (!given.ok()) {
      EXPECT_NE(given.error().Text().find(holder), std::string::npos) << given.error().Text();
    }
    return CodeOf(given);
  };
  const Bytes parts = ToBytes(good.Expose(SecretAccess()));
  for (size_t bit = 0; bit < parts.size() * 8; bit += 37)
    EXPECT_EQ(refused("holder 0", Flipped(parts, bit)), "RecoveryShareInvalid");
  EXPECT_EQ(refused("holder 1", parts), "RecoveryShareInvalid");
  EXPECT_EQ(refused("holder 0", {}), "RecoveryShareInvalid");
  EXPECT_EQ(refused("holder 0", Bytes(parts.begin(), parts.end() - 1)), "RecoveryShareInvalid");
  EXPECT_EQ(refused("nobody", parts), "NotFound");
  EXPECT_TRUE(meeting.given().empty());
  EXPECT_EQ(refused("holder 0", parts), "ok");
  EXPECT_EQ(refused("holder 0", parts), "ok");  // again: nothing changes
  EXPECT_EQ(meeting.missing(), 1U);
}

TEST(Recovery, OnlyTheHoldersOwnKeyOpensAShare) {
  const Enclave enclave(2, {NewX25519(), NewX25519(), NewRsa()});
  EXPECT_EQ(CodeOf(OpenParts(enclave.recovery, "holder 0", *enclave.keys[1])),
            "KeyTypeInconsistent");
  EXPECT_EQ(CodeOf(OpenParts(enclave.recovery, "nobody", *enclave.keys[0])), "NotFound");
  // Sealed to one holder, offered under another's name, or for another enclave or threshold.
  wire::Recovery swapped = enclave.recovery;
  std::swap(swapped.holders[0].sealed, swapped.holders[1].sealed);
  EXPECT_EQ(CodeOf(OpenParts(swapped, "holder 0", *enclave.keys[0])), "RecoveryShareInvalid");
  wire::Recovery elsewhere = enclave.recovery;
  elsewhere.enclave_id.back() = 'e';
  EXPECT_EQ(CodeOf(OpenParts(elsewhere, "holder 0", *enclave.keys[0])), "RecoveryShareInvalid");
  wire::Recovery committed = enclave.recovery;
  for (auto& commitment : committed.commitments) commitment[0] ^= 1;
  EXPECT_EQ(CodeOf(OpenParts(committed, "holder 2", *enclave.keys[2])), "RecoveryShareInvalid");
  wire::Recovery other = enclave.recovery;
  other.threshold = 3;  // which has as many parts, others
  EXPECT_EQ(CodeOf(OpenParts(other, "holder 0", *enclave.keys[0])), "RecoveryShareInvalid");
  other.threshold = 1;
  EXPECT_EQ(CodeOf(OpenParts(other, "holder 0", *enclave.keys[0])), "Malformed");
}

TEST(Recovery, WhatCannotBeMadeIsRefused) {
  const Bytes one = Get(PublicKeyInfo(*NewX25519()));
  const Bytes two = Get(PublicKeyInfo(*NewP256()));
  const Bytes p384 = Get(PublicKeyInfo(*NewPrivateKey(CKM_EC_KEY_PAIR_GEN, CKA_EC_PARAMS, kP384)));
  const auto made = [&](const std::vector<RecoveryKeyholder>& holders, size_t threshold) {
    return CodeOf(MakeRecovery(kEnclave, holders, threshold, SecretBytes(32)));
  };
  EXPECT_EQ(made({{"a", one}, {"b", two}}, 2), "ok");
  EXPECT_EQ(made({}, 0), "InvalidArgument");
  EXPECT_EQ(made({{"a", one}}, 0), "InvalidArgument");
  EXPECT_EQ(made({{"a", one}}, 2), "InvalidArgument");
  EXPECT_EQ(made({{"a", one}, {"a", two}}, 1), "InvalidArgument");
  EXPECT_EQ(made({{"a", one}, {"b", one}}, 1), "InvalidArgument");
  EXPECT_EQ(made({{"", one}}, 1), "InvalidArgument");
  EXPECT_EQ(made({{"a", p384}}, 1), "InvalidArgument");
  EXPECT_EQ(made({{"a", ToBytes("no key")}}, 1), "InvalidArgument");
  EXPECT_EQ(CodeOf(CheckSplit(6, kMaxHolders + 1)), "InvalidArgument");
  wire::Recovery few = Get(MakeRecovery(kEnclave, {{"a", one}, {"b", two}}, 2, SecretBytes(32)));
  few.commitments.pop_back();
  EXPECT_EQ(CodeOf(CheckRecovery(few)), "Malformed");
}

}  // namespace
}  // namespace keyclave::mech
