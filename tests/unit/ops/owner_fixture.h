// A token with owners: keys that sign as the command line does, and requests under their authority.
#pragma once

#include <openssl/evp.h>

#include "tests/unit/ops/enclave_fixture.h"

namespace keyclave::ops {

// An owner's private key: P-256, Ed25519 or RSA-2048.
class OwnerKey {
 public:
  enum class Kind { kP256, kEd25519, kRsa };
  OwnerKey(std::string name, Kind kind);

  const std::string& name() const { return name_; }
  Bytes Spki() const;
  Bytes Sign(ByteSpan message) const;
  wire::NewOwner Enrol(const std::string& enclave_id, const std::string& token_label,
                       wire::OwnerRole role = wire::OwnerRole::kOwner) const;

 private:
  std::string name_;
  Kind kind_;
  std::shared_ptr<EVP_PKEY> key_;
};

class OwnerFixture : public EnclaveFixture {
 protected:
  using Signers = std::vector<const OwnerKey*>;

  void SetUp() override;
  // A token "token" of ops, security and audit (quorum 2), with an auditor besides.
  void MakeOwnedToken(const std::string& policy);

  template <wire::Op op>
  wire::Statement StatementOf(const typename wire::OpTraits<op>::Request& request) {
    return {.label = std::string(wire::kStatementLabel),
            .enclave_id = store_->enclave_id(),
            .token = token_,
            .sequence = ++sequence_,
            .expires = clock_.now + 600,
            .op = static_cast<uint64_t>(op),
            .request = wire::OpCodec<op>::EncodeRequest(request)};
  }
  static wire::AdministerRequest SignedBy(const Signers& signers, const wire::Statement& statement);
  // The request under the signatures of these owners, sent by an unattested stranger.
  template <wire::Op op>
  Result<typename wire::OpTraits<op>::Reply> Signed(
      const Signers& signers, const typename wire::OpTraits<op>::Request& request) {
    const auto anybody = Connect(4711, /*attest=*/false);
    KC_ASSIGN(const auto reply,
              Run<wire::Op::kAdminister>(*anybody, SignedBy(signers, StatementOf<op>(request))));
    return wire::OpCodec<op>::DecodeReply(reply.reply);
  }
  Result<wire::ApplyPolicyReply> Apply(const Signers& signers, const std::string& text) {
    return Signed<wire::Op::kApplyPolicy>(signers, {token_, text, false});
  }
  // An EC key pair of the token, made under an owner's signature.
  Result<wire::KeyPairReply> MakeOwnedKey(const std::string& label);

  const OwnerKey ops_{"ops", OwnerKey::Kind::kP256};
  const OwnerKey security_{"security", OwnerKey::Kind::kEd25519};
  const OwnerKey audit_owner_{"audit", OwnerKey::Kind::kRsa};
  const OwnerKey auditor_{"auditor", OwnerKey::Kind::kP256};
  const OwnerKey stranger_{"ops", OwnerKey::Kind::kP256};  // another key under an owner's name
  wire::TokenId token_{};
  uint64_t sequence_ = 0;
};

}  // namespace keyclave::ops
