// The key of a leaf certificate: made in this process's memory, handed to one caller, and gone.
#pragma once

#include "enclave/base/secret_bytes.h"
#include "enclave/mech/openssl_handles.h"
#include "enclave/sds/config.h"

namespace keyclave::sds {

class LeafKey {
 public:
  static Result<LeafKey> Make(LeafKeyType type);

  // A PKCS#10 request (DER) without subject or attributes: the key, and the proof of it.
  Result<Bytes> Request() const;
  Result<SecretBytes> Pem() const;  // PKCS#8, unencrypted

 private:
  explicit LeafKey(mech::EvpPkey key) : key_(std::move(key)) {}
  mech::EvpPkey key_;
};

}  // namespace keyclave::sds
