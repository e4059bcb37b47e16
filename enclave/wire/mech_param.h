// A mechanism and its parameter as they travel: CK_MECHANISM without pointers. At most one shape is
// present.
#pragma once

#include <optional>

#include "enclave/wire/codec.h"
#include "enclave/wire/pkcs11_extra.h"

namespace keyclave::wire {

struct PssParam {  // CK_RSA_PKCS_PSS_PARAMS
  uint64_t hash = 0;
  uint64_t mgf = 0;
  uint64_t salt_length = 0;  // bytes
  template <class V>
  void Visit(V&& v) {
    v(1, hash);
    v(2, mgf);
    v(3, salt_length);
  }
};

struct OaepParam {  // CK_RSA_PKCS_OAEP_PARAMS
  uint64_t hash = 0;
  uint64_t mgf = 0;
  Bytes label;
  template <class V>
  void Visit(V&& v) {
    v(1, hash);
    v(2, mgf);
    v(3, label);
  }
};

struct GcmParam {  // CK_GCM_PARAMS
  Bytes iv;
  Bytes aad;
  uint64_t tag_bits = 0;
  template <class V>
  void Visit(V&& v) {
    v(1, iv);
    v(2, aad);
    v(3, tag_bits);
  }
};

struct CtrParam {  // CK_AES_CTR_PARAMS
  uint64_t counter_bits = 0;
  ByteArray<16> block{};
  template <class V>
  void Visit(V&& v) {
    v(1, counter_bits);
    v(2, block);
  }
};

struct EcdhParam {  // CK_ECDH1_DERIVE_PARAMS
  uint64_t kdf = 0;
  Bytes shared_data;
  Bytes public_data;
  template <class V>
  void Visit(V&& v) {
    v(1, kdf);
    v(2, shared_data);
    v(3, public_data);
  }
};

struct RsaAesParam {  // CK_RSA_AES_KEY_WRAP_PARAMS
  uint64_t aes_bits = 0;
  OaepParam oaep;
  template <class V>
  void Visit(V&& v) {
    v(1, aes_bits);
    v(2, oaep);
  }
};

struct TlsVersionParam {  // for kCkmRsaPkcsTls; versions as on the wire of TLS: 0x0303
  uint64_t client_version = 0;
  uint64_t negotiated_version = 0;  // 0: accept client_version only
  template <class V>
  void Visit(V&& v) {
    v(1, client_version);
    v(2, negotiated_version);
  }
};

struct EddsaParam {  // CK_EDDSA_PARAMS
  bool prehash = false;
  Bytes context;
  template <class V>
  void Visit(V&& v) {
    v(1, prehash);
    v(2, context);
  }
};

struct CcmParam {  // CK_CCM_PARAMS
  Bytes nonce;
  Bytes aad;
  uint64_t tag_size = 0;   // bytes
  uint64_t data_size = 0;  // bytes of plaintext; wrapping does not look at it
  template <class V>
  void Visit(V&& v) {
    v(1, nonce);
    v(2, aad);
    v(3, tag_size);
    v(4, data_size);
  }
};

struct CbcDataParam {  // CK_AES_CBC_ENCRYPT_DATA_PARAMS
  ByteArray<16> iv{};
  Bytes data;
  template <class V>
  void Visit(V&& v) {
    v(1, iv);
    v(2, data);
  }
};

struct HkdfParam {  // CK_HKDF_PARAMS; a salt that is a key is the mechanism's second key
  bool extract = false;
  bool expand = false;
  uint64_t hash = 0;
  Bytes salt;
  Bytes info;
  template <class V>
  void Visit(V&& v) {
    v(1, extract);
    v(2, expand);
    v(3, hash);
    v(4, salt);
    v(5, info);
  }
};

struct KbkdfField {  // CK_PRF_DATA_PARAM
  uint64_t kind = 0;
  Bytes data;               // of a byte array
  uint64_t width_bits = 0;  // of a counter or a length
  bool little_endian = false;
  uint64_t length_method = 0;
  template <class V>
  void Visit(V&& v) {
    v(1, kind);
    v(2, data);
    v(3, width_bits);
    v(4, little_endian);
    v(5, length_method);
  }
};

struct KbkdfParam {  // CK_SP800_108_KDF_PARAMS, CK_SP800_108_FEEDBACK_KDF_PARAMS
  uint64_t prf = 0;
  Bytes iv;  // of the feedback mode
  std::vector<KbkdfField> fields;
  template <class V>
  void Visit(V&& v) {
    v(1, prf);
    v(2, iv);
    v(3, fields);
  }
};

struct SignContextParam {  // CK_SIGN_ADDITIONAL_CONTEXT, CK_HASH_SIGN_ADDITIONAL_CONTEXT
  uint64_t hedge = 0;
  Bytes context;
  uint64_t hash = 0;  // 0: none
  template <class V>
  void Visit(V&& v) {
    v(1, hedge);
    v(2, context);
    v(3, hash);
  }
};

struct Mechanism {
  uint64_t type = 0;
  std::optional<Bytes> bytes;  // an IV, or whatever the mechanism takes as plain bytes
  std::optional<PssParam> pss;
  std::optional<OaepParam> oaep;
  std::optional<GcmParam> gcm;
  std::optional<CtrParam> ctr;
  std::optional<EcdhParam> ecdh;
  std::optional<TlsVersionParam> tls;
  std::optional<RsaAesParam> rsa_aes;
  std::optional<EddsaParam> eddsa;
  std::optional<CcmParam> ccm;
  std::optional<CbcDataParam> cbc_data;
  std::optional<HkdfParam> hkdf;
  std::optional<KbkdfParam> kbkdf;
  std::optional<SignContextParam> sign_context;
  // The id of another key that a derivation takes: beside a shape, or alone.
  std::optional<ByteArray<16>> second_key;

  size_t CountShapes() const;  // that are present; the second key is none
  bool HasParameter() const { return CountShapes() != 0 || second_key.has_value(); }
  template <class V>
  void Visit(V&& v) {
    v(1, type);
    v(2, bytes);
    v(3, pss);
    v(4, oaep);
    v(5, gcm);
    v(6, ctr);
    v(7, ecdh);
    v(8, tls);
    v(9, rsa_aes);
    v(10, eddsa);
    v(11, ccm);
    v(12, cbc_data);
    v(13, hkdf);
    v(14, kbkdf);
    v(15, sign_context);
    v(16, second_key);
  }
};

inline size_t Mechanism::CountShapes() const {
  size_t count = 0;
  for (const bool present :
       {bytes.has_value(), pss.has_value(), oaep.has_value(), gcm.has_value(), ctr.has_value(),
        ecdh.has_value(), tls.has_value(), rsa_aes.has_value(), eddsa.has_value(), ccm.has_value(),
        cbc_data.has_value(), hkdf.has_value(), kbkdf.has_value(), sign_context.has_value()}) {
    count += present ? 1U : 0U;
  }
  return count;
}

}  // namespace keyclave::wire
