// Private keys and certificates in files, read by GnuTLS; keys that it does not know by OpenSSL.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "enclave/base/secret_bytes.h"
#include "enclave/wire/attributes.h"

namespace keyclave::ctl {

// Asked only when the file is encrypted.
using Passphrase = std::function<Result<SecretBytes>()>;

struct PrivateKeyFile {
  SecretBytes pkcs8;                    // DER, unencrypted
  wire::AttributeList attributes = {};  // CKA_KEY_TYPE and the public key's
};
// One private key (PEM or DER; PKCS#8, encrypted PKCS#8, PKCS#1, SEC1), whole and consistent.
// kKeyFileInvalid says what is wrong with the file, or that keys of this type cannot be used.
Result<PrivateKeyFile> ReadPrivateKey(const std::string& path, const Passphrase& passphrase);
// The same of a file that was read already; `path` is put before what is wrong with it.
Result<PrivateKeyFile> ParsePrivateKey(const std::string& path, ByteSpan file,
                                       const Passphrase& passphrase);

// The same of any kind of key, as PKCS#8 (DER, unencrypted).
Result<SecretBytes> ReadSigningKey(const std::string& path, const Passphrase& passphrase);

struct Certificate {
  Bytes der;
  Bytes public_key_info;  // SubjectPublicKeyInfo, DER
  Bytes subject;          // DER
  Bytes issuer;           // DER
  Bytes serial;           // DER INTEGER, as CKA_SERIAL_NUMBER wants it
  std::string subject_text;
  std::vector<std::string> names;  // DNS names and IP addresses that it is for
  std::string not_after;
};
// The certificates of a file (PEM, one or more, or DER, one), in its order.
Result<std::vector<Certificate>> ReadCertificates(const std::string& path);
Result<Certificate> ParseCertificate(ByteSpan der);

// -----BEGIN label----- … as PEM files have it.
std::string ToPem(std::string_view label, ByteSpan der);
// The DER of the first block of that label. kMalformed.
Result<Bytes> DerOfPem(const char* label, ByteSpan pem);
// The DER of a public key's PEM file (SubjectPublicKeyInfo).
Result<Bytes> ReadPublicKey(const std::string& path);

}  // namespace keyclave::ctl
