#include "enclave/guard/digest.h"

#include "enclave/guard/der.h"
#include "enclave/mech/evp.h"
#include "enclave/mech/hash_alg.h"

namespace keyclave::guard {
namespace {

bool IsDigestSize(size_t size) {
  const auto hashes = mech::AllHashes();
  return std::any_of(hashes.begin(), hashes.end(),
                     [&](const mech::HashAlg& hash) { return hash.size == size; });
}

// RFC 8017 §9.2: DigestAlgorithm and a digest of its length.
bool IsDigestInfo(ByteSpan message) {
  if (!IsDer(message)) return false;
  const uint8_t* next = message.data();
  const mech::X509Sig info(d2i_X509_SIG(nullptr, &next, static_cast<long>(message.size())));
  if (info == nullptr) return false;
  const X509_ALGOR* algorithm = nullptr;
  const ASN1_OCTET_STRING* digest = nullptr;
  X509_SIG_get0(info.get(), &algorithm, &digest);
  const ASN1_OBJECT* object = nullptr;
  int parameter = 0;
  X509_ALGOR_get0(&object, &parameter, nullptr, algorithm);
  if (parameter != V_ASN1_NULL) return false;
  for (const mech::HashAlg& hash : mech::AllHashes()) {
    if (EVP_MD_get_type(hash.md()) == OBJ_obj2nid(object))
      return static_cast<size_t>(ASN1_STRING_length(digest)) == hash.size;
  }
  return false;
}

}  // namespace

Status CheckDigest(ByteSpan message, const Context& context) {
  if (context.row.input == mech::SignInput::kMessage) return Done{};
  switch (context.row.type) {
    case CKM_ECDSA:
    case CKM_RSA_PKCS_PSS:
      if (IsDigestSize(message.size())) return Done{};
      return Fail(Code::kInputRefused,
                  std::to_string(message.size()) + " bytes are no digest of a known hash");
    case CKM_RSA_PKCS:
      if (IsDigestInfo(message)) return Done{};
      return Fail(Code::kInputRefused, "it is no DigestInfo of a known hash");
    default: return Fail(Code::kInputRefused, "the mechanism signs bare blocks");
  }
}

}  // namespace keyclave::guard
