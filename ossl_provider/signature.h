// A signature or verification in progress, and what each family of keys makes of it. A message goes
// to the enclave as it is, and is hashed there; one that is too long is hashed here, where the
// algorithm can take a digest.
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

// What EdDSA, ML-DSA, SLH-DSA and SM2 add.
struct MessageSettings {
  std::string instance = {};  // of EdDSA: "Ed25519ctx" …; empty: the pure scheme
  Bytes context = {};         // the context string; SM2: the signer's identity
  bool deterministic = false;
};

struct SignatureContext {
  Context& context;
  const Scheme& scheme;
  // A composite algorithm's digest ("SHA2-256" of "RSA-SHA256"); nullptr: chosen at init.
  const char* composite = nullptr;
  KeyPtr key{};
  Operation operation = Operation::kSign;
  const Digest* digest = nullptr;
  bool digest_fixed = false;  // chosen by digest_sign_init: not to be changed
  // Engaged while a message is taken in; else what is signed is a digest.
  std::optional<client::SignedMessage> message{};
  Bytes expected{};  // the signature that verify_message_final checks
  RsaSettings rsa{};
  MessageSettings settings{};
};

// What is signed: a message, or its digest, or for RSA without a digest the bare block.
using Input = client::SignedMessage::Taken;

// Answers of one family of keys.
struct Scheme {
  bool (*takes)(KeyFamily family);
  // Whether it signs digests that somebody else made; if not, messages only, of up to
  // client::kMaxUnhashedMessage bytes.
  bool signs_digests = false;
  Status (*begin)(SignatureContext& ctx);  // defaults for ctx.key
  // Chooses the digest of a message by its name, which may be empty or null.
  Status (*choose_digest)(SignatureContext& ctx, const char* name);
  Status (*set)(SignatureContext& ctx, const OSSL_PARAM params[]);
  Status (*get)(const SignatureContext& ctx, OSSL_PARAM params[]);
  Result<Bytes> (*sign)(const SignatureContext& ctx, const Input& input);
  // With the public half, here: whether the signature is good.
  Result<bool> (*verify)(const SignatureContext& ctx, ByteSpan signature, const Input& input);
  // The message that a signature holds; nullptr: it holds none.
  Result<Bytes> (*recover)(const SignatureContext& ctx, ByteSpan signature) = nullptr;
  const OSSL_PARAM* settable;
  const OSSL_PARAM* gettable;
};

extern const Scheme kRsaScheme;
extern const Scheme kEcdsaScheme;
extern const Scheme kSm2Scheme;
extern const Scheme kEddsaScheme;
extern const Scheme kPostQuantumScheme;  // ML-DSA and SLH-DSA

// The signature that verify_message_final is to check: OpenSSL 3.4's
// OSSL_SIGNATURE_PARAM_SIGNATURE.
inline constexpr char kSignatureToVerify[] = "signature";
#define KC_SIGNATURE_TO_VERIFY OSSL_PARAM_octet_string(kSignatureToVerify, nullptr, 0)

// ---- shared by schemes that sign digests: signature_digest.cc ----

// SHA-256 if no name is given.
Status ChooseAnyDigest(SignatureContext& ctx, const char* name);
// The digest that a DIGEST parameter names, if there is one.
Status SetDigest(SignatureContext& ctx, const OSSL_PARAM params[]);
// kDataLenRange for what is neither a message nor as long as a digest of ctx.digest.
Status CheckSize(const SignatureContext& ctx, const Input& input);
// r and s, as the enclave gives them, to the DER that OpenSSL wants.
Result<Bytes> EncodeRs(Bytes rs);

// ---- shared by schemes that sign messages: signature_message.cc ----

// Refuses every digest by name.
Status ChooseNoDigest(SignatureContext& ctx, const char* name);
// EVP_DigestVerify with the public half in the own library context.
Result<bool> VerifyMessage(const SignatureContext& ctx, const char* digest,
                           const OSSL_PARAM params[], ByteSpan signature, ByteSpan message);

// ---- AlgorithmIdentifiers of signatures (RFC 4055, RFC 5758, RFC 8410 …), DER: algorithm_id.cc

// Of a digest with a key of this family. kUnsupported if there is no identifier for the two.
Result<Bytes> PlainAlgorithmId(const Digest& digest, KeyFamily family);
Result<Bytes> PssAlgorithmId(const Digest& digest, const Digest& mgf1, int salt_length);
// Of an algorithm that has one of its own, in digits and dots among these names.
Result<Bytes> OwnAlgorithmId(std::string_view names);
// An RSA key's SubjectPublicKeyInfo as that of an RSA-PSS key without restrictions (RFC 4055 §3.1).
Result<Bytes> PssPublicKeyInfo(const Context& context, ByteSpan spki);

}  // namespace keyclave::ossl
