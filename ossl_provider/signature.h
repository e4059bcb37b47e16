// A signature or verification in progress, and what RSA and ECDSA each make of it. A message goes
// to the enclave as it is, and is hashed there; one that is too long is hashed here.
#pragma once

#include "enclave/client/signed_message.h"
#include "ossl_provider/digest.h"
#include "ossl_provider/key.h"

namespace keyclave::ossl {

struct Scheme;

enum class Operation { kSign, kVerify, kVerifyRecover };

// What RSA adds. Numbers are OpenSSL's (RSA_PKCS1_PADDING …, RSA_PSS_SALTLEN_AUTO …).
struct RsaSettings {
  int padding = 0;
  int salt_length = 0;
  const Digest* mgf1 = nullptr;  // nullptr: the signature's own digest
  // Restrictions of an RSA-PSS key (RFC 4055 §1.2).
  const Digest* only_digest = nullptr;
  const Digest* only_mgf1 = nullptr;
  int min_salt_length = 0;
};

struct SignatureContext {
  Context& context;
  const Scheme& scheme;
  KeyPtr key{};
  Operation operation = Operation::kSign;
  const Digest* digest = nullptr;
  bool digest_fixed = false;  // chosen by digest_sign_init: not to be changed
  std::optional<client::SignedMessage> message{};
  RsaSettings rsa{};
};

// What is signed: a message, or its digest, or for RSA without a digest the bare block.
using Input = client::SignedMessage::Taken;

// Answers of RSA and of ECDSA.
struct Scheme {
  bool (*takes)(KeyType type);
  Status (*begin)(SignatureContext& ctx);  // defaults for ctx.key
  Status (*set)(SignatureContext& ctx, const OSSL_PARAM params[]);
  Status (*get)(const SignatureContext& ctx, OSSL_PARAM params[]);
  Result<Bytes> (*sign)(const SignatureContext& ctx, const Input& input);
  // The public key's operation, prepared in the own library context.
  Status (*prepare)(const SignatureContext& ctx, EVP_PKEY_CTX* verify);
};

extern const Scheme kRsaScheme;
extern const Scheme kEcdsaScheme;

// kDataLenRange for what is neither a message nor as long as a digest of ctx.digest.
Status CheckSize(const SignatureContext& ctx, const Input& input);

// The digest that a DIGEST parameter names, if there is one.
Status SetDigest(SignatureContext& ctx, const OSSL_PARAM params[]);

// AlgorithmIdentifiers of signatures (RFC 4055, RFC 5758), DER.
Result<Bytes> PlainAlgorithmId(const Digest& digest, KeyType type);
Result<Bytes> PssAlgorithmId(const Digest& digest, const Digest& mgf1, int salt_length);

}  // namespace keyclave::ossl
