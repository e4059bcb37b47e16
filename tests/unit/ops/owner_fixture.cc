#include "tests/unit/ops/owner_fixture.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

namespace keyclave::ops {
namespace {

EVP_PKEY* MakeKey(OwnerKey::Kind kind) {
  switch (kind) {
    case OwnerKey::Kind::kP256: return EVP_EC_gen("P-256");
    case OwnerKey::Kind::kEd25519: return EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
    case OwnerKey::Kind::kRsa: return EVP_RSA_gen(2048);
  }
  return nullptr;
}

}  // namespace

OwnerKey::OwnerKey(std::string name, Kind kind)
    : name_(std::move(name)), kind_(kind), key_(MakeKey(kind), EVP_PKEY_free) {}

Bytes OwnerKey::Spki() const {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key_.get(), &der);
  Bytes spki(der, der + size);
  OPENSSL_free(der);
  return spki;
}

Bytes OwnerKey::Sign(ByteSpan message) const {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  EVP_PKEY_CTX* options = nullptr;
  const EVP_MD* digest = kind_ == Kind::kEd25519 ? nullptr : EVP_sha256();
  EXPECT_EQ(EVP_DigestSignInit(context.get(), &options, digest, nullptr, key_.get()), 1);
  if (kind_ == Kind::kRsa) {
    EXPECT_EQ(EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING), 1);
    EXPECT_EQ(EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST), 1);
  }
  size_t size = 0;
  EXPECT_EQ(EVP_DigestSign(context.get(), nullptr, &size, message.data(), message.size()), 1);
  Bytes signature(size);
  EXPECT_EQ(EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()),
            1);
  signature.resize(size);
  return signature;
}

wire::NewOwner OwnerKey::Enrol(const std::string& enclave_id, const std::string& token_label,
                               wire::OwnerRole role) const {
  const wire::Owner owner{name_, role, Spki()};
  const wire::OwnerEnrolment enrolment{std::string(wire::kOwnerEnrolmentLabel), enclave_id,
                                       token_label, owner};
  return {owner, Sign(wire::Encode(enrolment))};
}

void OwnerFixture::SetUp() {
  EnclaveFixture::SetUp();
  config_.operators = {0};
}

void OwnerFixture::MakeOwnedToken(const std::string& policy) {
  const auto root = Connect(0);
  wire::CreateTokenRequest request;
  request.label = "token";
  request.policy = policy;
  request.owners.emplace();
  for (const OwnerKey* owner : {&ops_, &security_, &audit_owner_})
    request.owners->push_back(owner->Enrol(store_->enclave_id(), "token"));
  request.owners->push_back(
      auditor_.Enrol(store_->enclave_id(), "token", wire::OwnerRole::kAuditor));
  const auto reply = Run<wire::Op::kCreateToken>(*root, request);
  ASSERT_TRUE(reply.ok()) << reply.error().Text();
  token_ = reply->token.id;
}

wire::AdministerRequest OwnerFixture::SignedBy(const Signers& signers,
                                               const wire::Statement& statement) {
  wire::AdministerRequest request;
  request.statement = wire::Encode(statement);
  for (const OwnerKey* signer : signers)
    request.signatures.push_back({signer->name(), signer->Sign(request.statement)});
  return request;
}

Result<wire::KeyPairReply> OwnerFixture::MakeOwnedKey(const std::string& label) {
  static constexpr uint8_t kP256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
  wire::GenerateKeyPairRequest request;
  request.token = token_;
  request.mechanism.type = CKM_EC_KEY_PAIR_GEN;
  request.public_attributes.Set(CKA_EC_PARAMS, kP256);
  for (wire::AttributeList* attributes :
       {&request.public_attributes, &request.private_attributes}) {
    attributes->SetBool(CKA_TOKEN, true);
    attributes->SetText(CKA_LABEL, label);
  }
  request.private_attributes.SetBool(CKA_SIGN, true);
  return Signed<wire::Op::kGenerateKeyPair>({&ops_}, request);
}

}  // namespace keyclave::ops
