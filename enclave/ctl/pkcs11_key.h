// A private key in a PKCS#11 token, by its URI.
#pragma once

#include <gnutls/abstract.h>

#include <string>

#include "enclave/base/secret_bytes.h"

namespace keyclave::ctl {

// What a key's URI says besides which key: PKCS#11 modules and PINs.
struct Pkcs11KeyUri {
  std::string uri;          // which token, which key
  std::string module_path;  // empty: those that p11-kit knows
  std::string pin_file;     // empty: ask
};
// kInvalidArgument for what is no URI of a key, and for one that holds a PIN.
Result<Pkcs11KeyUri> ParsePkcs11KeyUri(const std::string& text);

// Where PINs come from; lives as long as the key that it is set for.
class PinSource {
 public:
  explicit PinSource(std::string file) : file_(std::move(file)) {}
  void SetFor(gnutls_privkey_t key);

 private:
  static int Answer(void* self, int attempt, const char* token_url, const char* token_label,
                    unsigned flags, char* pin, size_t pin_max);
  Status Read(const std::string& token_label);
  const std::string file_;
  SecretBytes pin_;
};

// Makes PKCS#11 ready for keys of p11-kit's modules or, if the URI names one, of that module alone.
Status LoadPkcs11(const std::string& module_path);
// Finds the key; logs in if the token wants that.
Status ImportPkcs11Key(gnutls_privkey_t key, const Pkcs11KeyUri& uri, PinSource& pin);

}  // namespace keyclave::ctl
