// What owners require of the enclave's build: it rises, and whoever is below has no keys.
#include "enclave/ops/version_floor.h"
#include "enclave/wire/pkcs11_numbers.h"
#include "tests/unit/ops/owner_fixture.h"

namespace keyclave::ops {
namespace {

constexpr const char* kPolicy =
    "policy: join\nversion: 1\npermit:\n  - operations: [join]\n    allow_unattested: true\n"
    "    when: {tee: {is: simulated}}\n";

attest::ClaimSet ClaimsWith(int64_t svn, attest::Origin origin = attest::Origin::kAttested) {
  attest::ClaimSet claims;
  claims.Set("svn", svn, origin);
  return claims;
}

class UpgradeTest : public OwnerFixture {
 protected:
  void SetUp() override {
    OwnerFixture::SetUp();
    MakeOwnedToken(kPolicy);
    service_->claims = {{"svn", "7", true}};
  }
  void Found() {
    keys::NewObject object;
    object.object.token = token_;
    object.object.attributes.SetUlong(CKA_CLASS, CKO_DATA);
    const keys::TokenRecord member{.type = keys::RecordType::kMember, .id = {1}, .body = {}};
    const auto founded = store_->FoundFleet(std::move(object), member);
    ASSERT_TRUE(founded.ok()) << founded.error().Text();
  }
  Code Require(const Signers& signers, uint64_t svn) {
    const auto reply = Signed<wire::Op::kRequireVersion>(signers, {token_, svn});
    return reply.ok() ? Code::kInternal : reply.code();
  }
};

TEST_F(UpgradeTest, OwnersRaiseItAndItNeverFalls) {
  Found();
  EXPECT_EQ(Require({&ops_, &security_}, 5), Code::kInternal);
  EXPECT_EQ(store_->minimum_version(), 5U);
  EXPECT_EQ(Require({&ops_, &security_}, 4), Code::kVersionTooLow);
  EXPECT_EQ(Require({&ops_, &security_}, 7), Code::kInternal);
  EXPECT_EQ(store_->minimum_version(), 7U);
}

TEST_F(UpgradeTest, NotAboveTheEnclaveThatIsAsked) {
  Found();
  EXPECT_EQ(Require({&ops_, &security_}, 8), Code::kVersionTooLow);
  service_->claims = {{"svn", "9", false}};  // not attested: it counts for nothing
  EXPECT_EQ(Require({&ops_, &security_}, 1), Code::kVersionTooLow);
  EXPECT_EQ(store_->minimum_version(), 0U);
}

TEST_F(UpgradeTest, NobodyElseDecides) {
  EXPECT_EQ(Require({&ops_, &security_}, 5), Code::kWrongState) << "no fleet was founded";
  Found();
  EXPECT_NE(Require({&ops_}, 5), Code::kInternal) << "fewer than the quorum";
  const auto root = Connect(0);
  EXPECT_EQ(Run<wire::Op::kRequireVersion>(*root, {token_, 5}).code(), Code::kOwnersOnly);
  wire::CreateTokenRequest other;
  other.label = "other";
  other.policy = PolicyText("other", "sign", OwnMeasurement());
  const auto made = Run<wire::Op::kCreateToken>(*root, other);
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(Run<wire::Op::kRequireVersion>(*root, {made->token.id, 5}).code(), Code::kWrongState);
  EXPECT_EQ(store_->minimum_version(), 0U);
}

TEST_F(UpgradeTest, WhoeverIsBelowIsRefused) {
  EXPECT_TRUE(CheckVersion(*store_, attest::ClaimSet()).ok()) << "nothing is required";
  Found();
  ASSERT_EQ(Require({&ops_, &security_}, 5), Code::kInternal);
  EXPECT_TRUE(CheckVersion(*store_, ClaimsWith(5)).ok());
  EXPECT_TRUE(CheckVersion(*store_, ClaimsWith(6)).ok());
  EXPECT_EQ(CheckVersion(*store_, ClaimsWith(4)).code(), Code::kVersionTooLow);
  EXPECT_EQ(CheckVersion(*store_, ClaimsWith(-1)).code(), Code::kVersionTooLow);
  EXPECT_EQ(CheckVersion(*store_, attest::ClaimSet()).code(), Code::kVersionTooLow);
  EXPECT_EQ(CheckVersion(*store_, ClaimsWith(9, attest::Origin::kTransport)).code(),
            Code::kVersionTooLow);
}

}  // namespace
}  // namespace keyclave::ops
