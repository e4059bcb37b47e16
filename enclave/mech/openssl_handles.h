// Owned OpenSSL handles: each is freed when its owner goes.
#pragma once

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/param_build.h>
#include <openssl/x509v3.h>

#include <memory>

namespace keyclave::mech {

template <auto free_function>
struct FreeWith {
  template <class T>
  void operator()(T* handle) const {
    free_function(handle);
  }
};
template <class T, auto free_function>
using Owned = std::unique_ptr<T, FreeWith<free_function>>;

// OPENSSL_free is a macro; this is its function.
inline void OpensslFree(void* memory) { OPENSSL_free(memory); }

using EvpPkey = Owned<EVP_PKEY, EVP_PKEY_free>;
using EvpPkeyCtx = Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using EvpCipherCtx = Owned<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;
using EvpMdCtx = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;
using EvpMacCtx = Owned<EVP_MAC_CTX, EVP_MAC_CTX_free>;
using EvpKdfCtx = Owned<EVP_KDF_CTX, EVP_KDF_CTX_free>;
using BigNum = Owned<BIGNUM, BN_clear_free>;
using BnCtx = Owned<BN_CTX, BN_CTX_free>;
using EcGroup = Owned<EC_GROUP, EC_GROUP_free>;
using EcPoint = Owned<EC_POINT, EC_POINT_clear_free>;
using EcdsaSig = Owned<ECDSA_SIG, ECDSA_SIG_free>;
using ParamBuilder = Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>;
using Params = Owned<OSSL_PARAM, OSSL_PARAM_free>;
using Pkcs8Info = Owned<PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free>;
using X509Sig = Owned<X509_SIG, X509_SIG_free>;
using X509Cert = Owned<X509, X509_free>;
using X509Request = Owned<X509_REQ, X509_REQ_free>;
using X509Crl = Owned<X509_CRL, X509_CRL_free>;
using X509Name = Owned<X509_NAME, X509_NAME_free>;
using OctetString = Owned<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free>;
using Asn1Object = Owned<ASN1_OBJECT, ASN1_OBJECT_free>;

}  // namespace keyclave::mech
