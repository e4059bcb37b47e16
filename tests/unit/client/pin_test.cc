// Pinned policies travel with every reference to an object.
#include "enclave/client/pin.h"

#include <gtest/gtest.h>

namespace keyclave::client {
namespace {

ByteArray<32> Digest(uint8_t fill) {
  ByteArray<32> digest{};
  digest.fill(fill);
  return digest;
}

TEST(Pins, AreInEveryReferenceOfARequest) {
  wire::WrapKeyRequest request;
  request.wrapping_key.label = "kek";
  request.key.label = "key";
  const PolicyDigests pins = {Digest(1), Digest(2)};
  const auto encoded = EncodePinned<wire::Op::kWrapKey>(request, pins);
  ASSERT_TRUE(encoded.ok());
  const auto decoded = wire::Decode<wire::WrapKeyRequest>(*encoded);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->wrapping_key.policies, pins);
  EXPECT_EQ(decoded->key.policies, pins);
  EXPECT_EQ(decoded->key.label, "key");
}

TEST(Pins, WithoutThemNothingIsAdded) {
  wire::SignRequest request;
  request.key.label = "key";
  EXPECT_EQ(EncodePinned<wire::Op::kSign>(request, {}).value(), wire::Encode(request));
}

TEST(Pins, WhatAUriPinsMustBeAmongThem) {
  wire::SignRequest request;
  request.key.policies = {Digest(2)};
  const auto both = EncodePinned<wire::Op::kSign>(request, {Digest(1), Digest(2)});
  ASSERT_TRUE(both.ok());
  EXPECT_EQ(wire::Decode<wire::SignRequest>(*both)->key.policies, PolicyDigests{Digest(2)});
  EXPECT_EQ(EncodePinned<wire::Op::kSign>(request, {Digest(1)}).code(), Code::kPolicyDigest);
}

// Requests with secrets cannot be copied; they name no objects.
TEST(Pins, RequestsWithSecretsGoAsTheyAre) {
  wire::InitPinRequest request;
  request.pin = SecretBytes::CopyOf(AsBytes("123456"));
  EXPECT_EQ(EncodePinned<wire::Op::kInitPin>(request, {Digest(1)}).value(), wire::Encode(request));
}

}  // namespace
}  // namespace keyclave::client
