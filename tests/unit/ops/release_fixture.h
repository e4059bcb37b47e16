// What the tests of release share: recipients, and callers whose evidence names them.
#pragma once

#include "enclave/mech/hpke.h"
#include "enclave/ops/release.h"
#include "enclave/wire/pkcs11_numbers.h"
#include "enclave/wire/receipt.h"
#include "tests/unit/ops/enclave_fixture.h"

namespace keyclave::ops {
using authz::WrapForm;

// A key pair of a recipient, whose private half only the recipient has.
struct Pair {
  std::shared_ptr<const mech::Key> private_key;
  Bytes spki;
  ByteArray<32> digest() const { return Sha256(spki); }
};

inline Pair NewPair(uint64_t mechanism, const wire::AttributeList& attributes) {
  wire::Mechanism generate;
  generate.type = mechanism;
  auto made = mech::FindMechanism(mechanism)->family->generate(generate, attributes).value();
  Pair pair;
  pair.spki = *made.attributes.Find(CKA_PUBLIC_KEY_INFO);
  made.attributes.SetUlong(CKA_CLASS, CKO_PRIVATE_KEY);
  pair.private_key = mech::LoadKey(made.attributes, made.material).value();
  return pair;
}
inline Pair NewX25519() {
  wire::AttributeList attributes;
  attributes.Set(CKA_EC_PARAMS, FromHex("06032b656e").value());
  return NewPair(CKM_EC_MONTGOMERY_KEY_PAIR_GEN, attributes);
}
inline const Pair& RsaPair() {
  static const Pair* const pair = [] {
    wire::AttributeList attributes;
    attributes.SetUlong(CKA_MODULUS_BITS, 2048);
    return new Pair(NewPair(CKM_RSA_PKCS_KEY_PAIR_GEN, attributes));
  }();
  return *pair;
}

inline wire::Mechanism Oaep(uint64_t hash, uint64_t mgf) {
  wire::Mechanism mechanism;
  mechanism.type = CKM_RSA_PKCS_OAEP;
  mechanism.oaep = wire::OaepParam{hash, mgf, {}};
  return mechanism;
}

class ReleaseTest : public EnclaveFixture {
 protected:
  wire::TokenInfo MakeReleasing(const std::string& operations = "release, read, wrap, sign",
                                const std::string& more = {}) {
    token_ = MakeToken(PolicyText("edge", operations, OwnMeasurement(), more));
    return token_;
  }

  Result<wire::ObjectReply> MakeAes(Caller& caller, const std::string& label, bool extractable,
                                    bool persistent = true) {
    wire::GenerateKeyRequest request;
    request.token = token_.id;
    request.mechanism.type = CKM_AES_KEY_GEN;
    request.attributes.SetUlong(CKA_VALUE_LEN, 32);
    request.attributes.SetText(CKA_LABEL, label);
    request.attributes.SetBool(CKA_TOKEN, persistent);
    request.attributes.SetBool(CKA_WRAP, true);
    request.attributes.SetBool(CKA_UNWRAP, true);
    request.attributes.SetBool(CKA_EXTRACTABLE, extractable);
    return Run<wire::Op::kGenerateKey>(caller, request);
  }
  wire::ObjectId AesId(const std::string& label, bool extractable) {
    const auto root = Connect(0);
    return MakeAes(*root, label, extractable).value().object.id;
  }

  // A caller whose evidence names these recipients.
  std::unique_ptr<Caller> ConnectNaming(std::vector<wire::ReleaseKey> keys) {
    auto caller = Connect(1000, /*attest=*/false);
    const auto hello = Run<wire::Op::kHello>(*caller, {});
    EXPECT_TRUE(Attest(*caller, hello->nonce, wire::EncodeRuntimeClaims({std::move(keys)})).ok());
    return caller;
  }

  static wire::ReleaseRequest To(const Pair& recipient, WrapForm form, const std::string& label) {
    wire::ReleaseRequest request;
    request.object = ByLabel(label);
    request.recipient = recipient.digest();
    request.form = static_cast<uint64_t>(form);
    request.nonce = Bytes(16, 0x5a);
    return request;
  }

  // A public key as an object of the caller's session.
  wire::ObjectId PublicObject(Caller& caller, const Pair& pair) {
    const auto key = mech::PublicKeyFromInfo(pair.spki).value();
    wire::CreateObjectRequest request;
    request.token = token_.id;
    request.attributes.SetUlong(CKA_CLASS, CKO_PUBLIC_KEY);
    request.attributes.SetUlong(CKA_KEY_TYPE, CKK_RSA);
    request.attributes.SetBool(CKA_WRAP, true);
    KeyAttributes(*key, request.attributes);
    auto made = Run<wire::Op::kCreateObject>(caller, request);
    EXPECT_TRUE(made.ok()) << made.error().Text();
    return made->object.id;
  }

  std::string LastAudit(const std::string& event) {
    std::string last;
    const auto lines = audit_->Read(1, 1000);
    for (const std::string& line : *lines) {
      if (line.find("\"event\":\"" + event + "\"") != std::string::npos) last = line;
    }
    return last;
  }

  wire::TokenInfo token_;

 private:
  static void KeyAttributes(const mech::Key& key, wire::AttributeList& out) {
    BIGNUM* n = nullptr;
    BIGNUM* e = nullptr;
    EVP_PKEY_get_bn_param(key.pkey(), "n", &n);
    EVP_PKEY_get_bn_param(key.pkey(), "e", &e);
    for (const auto& [type, number] : {std::pair(CKA_MODULUS, n), {CKA_PUBLIC_EXPONENT, e}}) {
      Bytes bytes(static_cast<size_t>(BN_num_bytes(number)));
      BN_bn2bin(number, bytes.data());
      out.Set(type, bytes);
      BN_free(number);
    }
  }
};

}  // namespace keyclave::ops
