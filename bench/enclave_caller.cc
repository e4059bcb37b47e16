#include "bench/enclave_caller.h"

namespace keyclave::bench {
namespace {

// OBJECT IDENTIFIER prime256v1 (RFC 5480 §2.1.1.1), DER.
constexpr uint8_t kP256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};

wire::AttributeList Named(const std::string& label, const std::string& id) {
  wire::AttributeList attributes;
  attributes.SetBool(CKA_TOKEN, true);
  attributes.SetText(CKA_LABEL, label);
  attributes.SetText(CKA_ID, id);
  return attributes;
}

}  // namespace

wire::TokenId EnclaveCaller::FindToken(const std::string& label) {
  const auto tokens = Must(client_.Call<wire::Op::kListTokens>({}));
  for (const wire::TokenInfo& token : tokens.tokens) {
    if (token.label == label) return token.id;
  }
  throw std::runtime_error("no token " + label);
}

void EnclaveCaller::FindPair(const wire::TokenId& token, const std::string& id) {
  wire::FindObjectsRequest request;
  request.token = token;
  request.match.SetText(CKA_ID, id);
  request.limit = 16;
  const auto found = Must(client_.Call<wire::Op::kFindObjects>(request));
  if (found.objects.size() != 2)
    throw std::runtime_error("found " + std::to_string(found.objects.size()) +
                             " objects, not a pair");
}

void EnclaveCaller::Sign(const wire::ObjectRef& key) {
  wire::SignRequest request;
  request.key = key;
  request.mechanism.type = CKM_ECDSA;
  request.input = Bytes(32, 0x5a);
  if (Must(client_.Call<wire::Op::kSign>(request)).output.size() != 64)
    throw std::runtime_error("not a P-256 signature");
}

void EnclaveCaller::MakeKey(const wire::TokenId& token, const std::string& label,
                            const std::string& id) {
  wire::GenerateKeyPairRequest request;
  request.token = token;
  request.mechanism.type = CKM_EC_KEY_PAIR_GEN;
  request.public_attributes = Named(label, id);
  request.public_attributes.Set(CKA_EC_PARAMS, kP256);
  request.private_attributes = Named(label, id);
  Must(client_.Call<wire::Op::kGenerateKeyPair>(request));
}

wire::ObjectRef KeyNamed(const std::string& token, const std::string& label) {
  wire::ObjectRef key;
  key.token_label = token;
  key.object_class = CKO_PRIVATE_KEY;
  key.label = label;
  return key;
}

}  // namespace keyclave::bench
