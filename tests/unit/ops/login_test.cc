// PINs, tries, tickets.

#include "tests/unit/ops/enclave_fixture.h"

namespace keyclave::ops {
namespace {

class LoginTest : public EnclaveFixture {
 protected:
  void SetUp() override {
    EnclaveFixture::SetUp();
    token_ = MakeToken(PolicyText("edge", "sign, manage", OwnMeasurement()), "1234");
    caller_ = Connect(1000);
  }
  Result<wire::LoginReply> Login(Caller& caller, const char* pin,
                                 wire::LoginState user = wire::LoginState::kUser) {
    wire::LoginRequest request;
    request.token = token_.id;
    request.user = user;
    request.pin = SecretBytes::CopyOf(AsBytes(pin));
    return Run<wire::Op::kLogin>(caller, request);
  }
  Result<wire::LoginReply> Present(Caller& caller, const Bytes& ticket) {
    wire::LoginRequest request;
    request.token = token_.id;
    request.user = wire::LoginState::kUser;
    request.ticket = ticket;
    return Run<wire::Op::kLogin>(caller, request);
  }

  wire::TokenInfo token_;
  std::unique_ptr<Caller> caller_;
};

TEST_F(LoginTest, PrivateObjectsNeedThePin) {
  EXPECT_EQ(MakeKey(*caller_, token_.id, "key").code(), Code::kNotLoggedIn);
  ASSERT_TRUE(Login(*caller_, "1234").ok());
  ASSERT_TRUE(MakeKey(*caller_, token_.id, "key").ok());
  EXPECT_TRUE(Run<wire::Op::kSign>(*caller_, SignWith(ByLabel("key"))).ok());
  ASSERT_TRUE(Run<wire::Op::kLogout>(*caller_, {token_.id}).ok());
  EXPECT_EQ(Run<wire::Op::kSign>(*caller_, SignWith(ByLabel("key"))).code(), Code::kNotLoggedIn);
  wire::FindObjectsRequest find;
  find.token = token_.id;
  find.limit = 10;
  find.match.SetUlong(CKA_CLASS, CKO_PRIVATE_KEY);
  EXPECT_TRUE(Run<wire::Op::kFindObjects>(*caller_, find)->objects.empty());
}

TEST_F(LoginTest, LoginIsPerProcess) {
  ASSERT_TRUE(Login(*caller_, "1234").ok());
  ASSERT_TRUE(MakeKey(*caller_, token_.id, "key").ok());
  const auto other = Connect(1000);
  EXPECT_EQ(Run<wire::Op::kSign>(*other, SignWith(ByLabel("key"))).code(), Code::kNotLoggedIn);
}

TEST_F(LoginTest, WrongPinsLockAndARightOneResetsTheCount) {
  for (uint64_t i = 1; i < 10; ++i) {
    EXPECT_EQ(Login(*caller_, "9999").code(), Code::kPinIncorrect);
    EXPECT_EQ(store_->FindToken(token_.id)->user_pin.tries_left, 10 - i);
  }
  ASSERT_TRUE(Login(*caller_, "1234").ok());
  EXPECT_EQ(store_->FindToken(token_.id)->user_pin.tries_left, 10U);
  ASSERT_TRUE(Run<wire::Op::kLogout>(*caller_, {token_.id}).ok());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Login(*caller_, "9999").code(), Code::kPinIncorrect);
  EXPECT_EQ(Login(*caller_, "1234").code(), Code::kPinLocked);
  // The security officer opens it again.
  ASSERT_TRUE(Login(*caller_, "so-pin", wire::LoginState::kSecurityOfficer).ok());
  wire::InitPinRequest fresh;
  fresh.token = token_.id;
  fresh.pin = SecretBytes::CopyOf(AsBytes("5678"));
  ASSERT_TRUE(Run<wire::Op::kInitPin>(*caller_, fresh).ok());
  ASSERT_TRUE(Run<wire::Op::kLogout>(*caller_, {token_.id}).ok());
  EXPECT_TRUE(Login(*caller_, "5678").ok());
}

// Base §4.6.3, §4.8, §4.10: "The CKA_TRUSTED attribute can only be set to CK_TRUE by the SO user".
TEST_F(LoginTest, OnlyTheSecurityOfficerTrusts) {
  wire::CreateObjectRequest request;
  request.token = token_.id;
  request.attributes.SetUlong(CKA_CLASS, CKO_SECRET_KEY);
  request.attributes.SetUlong(CKA_KEY_TYPE, CKK_AES);
  request.attributes.SetBool(CKA_PRIVATE, false);
  request.attributes.SetBool(CKA_TOKEN, true);
  request.attributes.Set(CKA_VALUE, Bytes(16, 0x11));
  wire::AttributeList trusted;
  trusted.SetBool(CKA_TRUSTED, true);
  const auto trust_later = [&] {
    wire::SetAttributesRequest change;
    change.object.id = Run<wire::Op::kCreateObject>(*caller_, request)->object.id;
    change.attributes = trusted;
    return Run<wire::Op::kSetAttributes>(*caller_, change);
  };
  wire::CreateObjectRequest with_trust = request;
  with_trust.attributes.SetBool(CKA_TRUSTED, true);

  ASSERT_TRUE(Login(*caller_, "1234").ok());
  EXPECT_EQ(Run<wire::Op::kCreateObject>(*caller_, with_trust).code(), Code::kAttributeReadOnly);
  EXPECT_EQ(trust_later().code(), Code::kAttributeReadOnly);
  ASSERT_TRUE(Run<wire::Op::kLogout>(*caller_, {token_.id}).ok());
  ASSERT_TRUE(Login(*caller_, "so-pin", wire::LoginState::kSecurityOfficer).ok());
  EXPECT_TRUE(Run<wire::Op::kCreateObject>(*caller_, with_trust).ok());
  EXPECT_TRUE(trust_later().ok());
}

TEST_F(LoginTest, LoginWithoutAPinTriesNothing) {
  wire::LoginRequest request;
  request.token = token_.id;
  request.user = wire::LoginState::kUser;
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(Run<wire::Op::kLogin>(*caller_, request).code(), Code::kPinIncorrect);
  EXPECT_EQ(store_->FindToken(token_.id)->user_pin.tries_left, 10U);
}

TEST_F(LoginTest, TicketsAreForOneProcessAndOnePin) {
  const Bytes ticket = Login(*caller_, "1234")->ticket;
  ASSERT_TRUE(Run<wire::Op::kLogout>(*caller_, {token_.id}).ok());
  EXPECT_TRUE(Present(*caller_, ticket).ok());
  const auto other = Connect(1000);
  EXPECT_EQ(Present(*other, ticket).code(), Code::kNotLoggedIn);
  ASSERT_TRUE(Run<wire::Op::kLogout>(*caller_, {token_.id}).ok());
  wire::SetPinRequest change;
  change.token = token_.id;
  change.old_pin = SecretBytes::CopyOf(AsBytes("1234"));
  change.new_pin = SecretBytes::CopyOf(AsBytes("5678"));
  ASSERT_TRUE(Run<wire::Op::kSetPin>(*caller_, change).ok());
  EXPECT_EQ(Present(*caller_, ticket).code(), Code::kNotLoggedIn);
}

TEST_F(LoginTest, InitPinIsForTheSecurityOfficer) {
  wire::InitPinRequest request;
  request.token = token_.id;
  request.pin = SecretBytes::CopyOf(AsBytes("5678"));
  EXPECT_EQ(Run<wire::Op::kInitPin>(*caller_, request).code(), Code::kNotLoggedIn);
  ASSERT_TRUE(Login(*caller_, "1234").ok());
  EXPECT_EQ(Run<wire::Op::kInitPin>(*caller_, request).code(), Code::kNotLoggedIn);
}

TEST_F(LoginTest, InitialisingAnewNeedsTheSoPinAndEndsEverything) {
  ASSERT_TRUE(Login(*caller_, "1234").ok());
  ASSERT_TRUE(MakeKey(*caller_, token_.id, "key").ok());
  wire::InitTokenRequest request;
  request.token = token_.id;
  request.so_pin = SecretBytes::CopyOf(AsBytes("wrong!"));
  request.label = "renamed";
  EXPECT_EQ(Run<wire::Op::kInitToken>(*caller_, request).code(), Code::kPinIncorrect);
  EXPECT_EQ(store_->object_count(), 2U);
  request.so_pin = SecretBytes::CopyOf(AsBytes("so-pin"));
  const auto reply = Run<wire::Op::kInitToken>(*caller_, request);
  ASSERT_TRUE(reply.ok()) << reply.error().Text();
  EXPECT_EQ(reply->token.label, "renamed");
  EXPECT_FALSE(reply->token.has_user_pin);
  EXPECT_EQ(reply->token.login, wire::LoginState::kNone);
  EXPECT_EQ(store_->object_count(), 0U);
}

class UseLoginTest : public LoginTest {
 protected:
  void SetUp() override {
    LoginTest::SetUp();
    EXPECT_TRUE(Login(*caller_, "1234").ok());
    wire::AttributeList each;
    each.SetBool(CKA_ALWAYS_AUTHENTICATE, true);
    EXPECT_TRUE(MakeKey(*caller_, token_.id, "key", true, each).ok());
  }
  Result<wire::ReauthenticateReply> Again(Caller& caller, const char* pin) {
    wire::ReauthenticateRequest request;
    request.key = ByLabel("key");
    if (pin != nullptr) request.pin = SecretBytes::CopyOf(AsBytes(pin));
    return Run<wire::Op::kReauthenticate>(caller, request);
  }
  // Whether it signed; nothing else but the login ever stops it.
  bool Signs(Caller& caller, std::optional<uint64_t> login) {
    wire::SignRequest request = SignWith(ByLabel("key"));
    request.key.login = login;
    const auto reply = Run<wire::Op::kSign>(caller, request);
    if (!reply.ok()) {
      EXPECT_EQ(reply.code(), Code::kNotLoggedIn);
    }
    return reply.ok();
  }
};

TEST_F(UseLoginTest, OneLoginIsForOneUse) {
  EXPECT_FALSE(Signs(*caller_, std::nullopt));
  EXPECT_FALSE(Signs(*caller_, 1));
  const auto first = Again(*caller_, "1234");
  const auto second = Again(*caller_, "1234");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_TRUE(Signs(*caller_, second->login));
  EXPECT_FALSE(Signs(*caller_, second->login));
  EXPECT_TRUE(Signs(*caller_, first->login));
}

TEST_F(UseLoginTest, WrongPinsGiveNoneAndCount) {
  EXPECT_EQ(Again(*caller_, "9999").code(), Code::kPinIncorrect);
  EXPECT_EQ(Again(*caller_, nullptr).code(), Code::kPinIncorrect);
  EXPECT_EQ(store_->FindToken(token_.id)->user_pin.tries_left, 9U);
  for (int i = 0; i < 9; ++i) EXPECT_EQ(Again(*caller_, "9999").code(), Code::kPinIncorrect);
  EXPECT_EQ(Again(*caller_, "1234").code(), Code::kPinLocked);
  // That logged the user out, so that the key is not seen any more.
  EXPECT_NE(Again(*caller_, "1234").code(), Code::kPinLocked);
}

TEST_F(UseLoginTest, IsForOneKeyOneProcessAndOneLogin) {
  wire::AttributeList each;
  each.SetBool(CKA_ALWAYS_AUTHENTICATE, true);
  ASSERT_TRUE(MakeKey(*caller_, token_.id, "other", true, each).ok());
  const auto again = Again(*caller_, "1234");
  ASSERT_TRUE(again.ok());
  wire::SignRequest other = SignWith(ByLabel("other"));
  other.key.login = again->login;
  EXPECT_EQ(Run<wire::Op::kSign>(*caller_, other).code(), Code::kNotLoggedIn);
  const auto stranger = Connect(1000);
  ASSERT_TRUE(Login(*stranger, "1234").ok());
  EXPECT_FALSE(Signs(*stranger, again->login));
  ASSERT_TRUE(Run<wire::Op::kLogout>(*caller_, {token_.id}).ok());
  ASSERT_TRUE(Login(*caller_, "1234").ok());
  EXPECT_FALSE(Signs(*caller_, again->login));
}

// Without a PIN there is nothing to give: the call is asked for all the same.
TEST_F(EnclaveFixture, LoginForAUseOfATokenWithoutPins) {
  const auto token = MakeToken(PolicyText("edge", "sign, manage", OwnMeasurement()));
  const auto caller = Connect(1000);
  wire::AttributeList each;
  each.SetBool(CKA_ALWAYS_AUTHENTICATE, true);
  ASSERT_TRUE(MakeKey(*caller, token.id, "key", true, each).ok());
  wire::ReauthenticateRequest request;
  request.key = ByLabel("key");
  request.pin = SecretBytes::CopyOf(AsBytes("1234"));
  EXPECT_EQ(Run<wire::Op::kReauthenticate>(*caller, request).code(), Code::kPinNotSet);
  request.pin.reset();
  const auto again = Run<wire::Op::kReauthenticate>(*caller, request);
  ASSERT_TRUE(again.ok());
  wire::SignRequest sign = SignWith(ByLabel("key"));
  EXPECT_EQ(Run<wire::Op::kSign>(*caller, sign).code(), Code::kNotLoggedIn);
  sign.key.login = again->login;
  EXPECT_TRUE(Run<wire::Op::kSign>(*caller, sign).ok());
}

// An operator lists everything; what private data holds is behind the PIN for him, too.
TEST_F(EnclaveFixture, DataIsReadBehindThePinOnly) {
  const wire::TokenId token =
      MakeToken(PolicyText("edge", "read, manage", OwnMeasurement()), "1234").id;
  const auto root = Connect(0);
  const wire::LoginRequest login{
      token, wire::LoginState::kUser, SecretBytes::CopyOf(AsBytes("1234")), {}};
  ASSERT_TRUE(Run<wire::Op::kLogin>(*root, login).ok());
  wire::CreateObjectRequest data;
  data.token = token;
  data.attributes.SetUlong(CKA_CLASS, CKO_DATA);
  data.attributes.SetBool(CKA_TOKEN, true);
  data.attributes.SetBool(CKA_PRIVATE, true);
  data.attributes.SetText(CKA_VALUE, "secret");
  ASSERT_TRUE(Run<wire::Op::kCreateObject>(*root, data).ok());
  wire::FindObjectsRequest find;
  find.token = token;
  find.limit = 10;
  find.all = true;
  const auto is_shown = [&] {
    const auto found = Run<wire::Op::kFindObjects>(*root, find);
    EXPECT_EQ(found->objects.size(), 1U);
    return found->objects.front().attributes.Has(CKA_VALUE);
  };
  EXPECT_TRUE(is_shown());
  ASSERT_TRUE(Run<wire::Op::kLogout>(*root, {token}).ok());
  EXPECT_FALSE(is_shown());
}

TEST_F(LoginTest, ShortAndLongPinsAreRefused) {
  ASSERT_TRUE(Login(*caller_, "so-pin", wire::LoginState::kSecurityOfficer).ok());
  wire::InitPinRequest request;
  request.token = token_.id;
  for (const size_t size : {size_t{0}, size_t{3}, size_t{256}}) {
    request.pin = SecretBytes(size);
    EXPECT_EQ(Run<wire::Op::kInitPin>(*caller_, request).code(), Code::kPinLenRange) << size;
  }
}

}  // namespace
}  // namespace keyclave::ops
