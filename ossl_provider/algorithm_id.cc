// AlgorithmIdentifiers, from libcrypto's ASN.1 templates; they fetch nothing.

#include <openssl/objects.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "ossl_provider/signature.h"

namespace keyclave::ossl {
namespace {

using Algor = std::unique_ptr<X509_ALGOR, Free<X509_ALGOR_free>>;
using Integer = std::unique_ptr<ASN1_INTEGER, Free<ASN1_INTEGER_free>>;
using String = std::unique_ptr<ASN1_STRING, Free<ASN1_STRING_free>>;
using PssParams = std::unique_ptr<RSA_PSS_PARAMS, Free<RSA_PSS_PARAMS_free>>;

template <class T>
T Need(T object) {
  if (object == nullptr) throw std::bad_alloc();
  return object;
}

Result<Bytes> Encode(const X509_ALGOR* algor) {
  unsigned char* der = nullptr;
  const int size = i2d_X509_ALGOR(algor, &der);
  const Memory owned(der);
  if (size <= 0) return Fail(Code::kInternal, "encoding an algorithm identifier");
  return ToBytes(FromC(der, static_cast<size_t>(size)));
}

Algor HashAlgor(const Digest& digest) {
  Algor algor = Need(Algor(X509_ALGOR_new()));
  X509_ALGOR_set0(algor.get(), OBJ_nid2obj(digest.nid), V_ASN1_NULL, nullptr);
  return algor;
}

// mgf1 with its digest as parameter.
Algor MgfAlgor(const Digest& digest) {
  const Algor hash = HashAlgor(digest);
  String packed = Need(String(ASN1_item_pack(hash.get(), ASN1_ITEM_rptr(X509_ALGOR), nullptr)));
  Algor algor = Need(Algor(X509_ALGOR_new()));
  X509_ALGOR_set0(algor.get(), OBJ_nid2obj(NID_mgf1), V_ASN1_SEQUENCE, packed.release());
  return algor;
}

}  // namespace

Result<Bytes> PlainAlgorithmId(const Digest& digest, KeyFamily family) {
  const bool ec = family == KeyFamily::kEc;
  int nid = NID_undef;
  if (OBJ_find_sigid_by_algs(&nid, digest.nid, ec ? NID_X9_62_id_ecPublicKey : NID_rsaEncryption) !=
      1) {
    return Fail(Code::kUnsupported, std::string("an algorithm identifier with ") + digest.name);
  }
  const Algor algor = Need(Algor(X509_ALGOR_new()));
  // RFC 4055 §5: NULL for RSA; RFC 5758 §3.2: absent for ECDSA.
  X509_ALGOR_set0(algor.get(), OBJ_nid2obj(nid), ec ? V_ASN1_UNDEF : V_ASN1_NULL, nullptr);
  return Encode(algor.get());
}

Result<Bytes> OwnAlgorithmId(std::string_view names) {
  // Of a type's names the one in digits and dots is its identifier.
  std::string oid;
  while (!names.empty()) {
    const size_t end = std::min(names.find(':'), names.size());
    if (names.find_first_not_of("0123456789.") >= end) oid = names.substr(0, end);
    names.remove_prefix(std::min(end + 1, names.size()));
  }
  ASN1_OBJECT* object = OBJ_txt2obj(oid.c_str(), 1);
  if (object == nullptr) return Fail(Code::kInternal, "an algorithm without an identifier");
  const Algor algor = Need(Algor(X509_ALGOR_new()));
  // RFC 8410 §6, RFC 9881 §2, RFC 9909 §3: the parameters are absent. The object is algor's now.
  X509_ALGOR_set0(algor.get(), object, V_ASN1_UNDEF, nullptr);
  return Encode(algor.get());
}

Result<Bytes> PssAlgorithmId(const Digest& digest, const Digest& mgf1, int salt_length) {
  const PssParams pss = Need(PssParams(RSA_PSS_PARAMS_new()));
  // RFC 4055 §3.1: what equals the DEFAULT (SHA-1, MGF1 with SHA-1, 20) is left out of DER.
  if (digest.algorithm != HashAlgorithm::kSha1) pss->hashAlgorithm = HashAlgor(digest).release();
  if (mgf1.algorithm != HashAlgorithm::kSha1) pss->maskGenAlgorithm = MgfAlgor(mgf1).release();
  if (salt_length != 20) {
    Integer salt = Need(Integer(ASN1_INTEGER_new()));
    if (ASN1_INTEGER_set_int64(salt.get(), salt_length) != 1) throw std::bad_alloc();
    pss->saltLength = salt.release();
  }
  String packed = Need(String(ASN1_item_pack(pss.get(), ASN1_ITEM_rptr(RSA_PSS_PARAMS), nullptr)));
  const Algor algor = Need(Algor(X509_ALGOR_new()));
  X509_ALGOR_set0(algor.get(), OBJ_nid2obj(NID_rsassaPss), V_ASN1_SEQUENCE, packed.release());
  return Encode(algor.get());
}

Result<Bytes> PssPublicKeyInfo(const Context& context, ByteSpan spki) {
  using Info = std::unique_ptr<X509_PUBKEY, Free<X509_PUBKEY_free>>;
  X509_PUBKEY* raw = X509_PUBKEY_new_ex(context.libctx(), nullptr);
  const unsigned char* in = spki.data();
  // What is decoded into is freed if it fails.
  const Info info(d2i_X509_PUBKEY(&raw, &in, static_cast<long>(spki.size())));
  X509_ALGOR* algor = nullptr;
  if (info == nullptr || X509_PUBKEY_get0_param(nullptr, nullptr, nullptr, &algor, info.get()) != 1)
    return Fail(Code::kMalformed, "an RSA public key");
  X509_ALGOR_set0(algor, OBJ_nid2obj(NID_rsassaPss), V_ASN1_UNDEF, nullptr);
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(info.get(), &der);
  const Memory owned(der);
  if (size <= 0) return Fail(Code::kInternal, "encoding an RSA-PSS public key");
  return ToBytes(FromC(der, static_cast<size_t>(size)));
}

}  // namespace keyclave::ossl
