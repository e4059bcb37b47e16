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

  bool HasParameter() const { return bytes || pss || oaep || gcm || ctr || ecdh || tls || rsa_aes; }
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
  }
};

}  // namespace keyclave::wire
