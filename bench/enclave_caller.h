// One caller of an enclave: the client library as the modules use it, and the calls that are
// measured. Everything throws when it fails.
#pragma once

#include <stdexcept>

#include "enclave/client/client.h"

namespace keyclave::bench {

template <class T>
T Must(Result<T> result) {
  if (!result.ok()) throw std::runtime_error(result.error().Text());
  return std::move(result).value();
}

class EnclaveCaller {
 public:
  // Connects and attests on first use, with a TLS key and evidence of its own.
  explicit EnclaveCaller(client::ClientConfig config) : client_(std::move(config)) {}

  void Connect() { Must(client_.Session()); }
  wire::TokenId FindToken(const std::string& label);
  // The two halves of the pair with this CKA_ID.
  void FindPair(const wire::TokenId& token, const std::string& id);
  // A P-256 signature over a digest.
  void Sign(const wire::ObjectRef& key);
  void MakeKey(const wire::TokenId& token, const std::string& label, const std::string& id);

 private:
  client::Client client_;
};

// The private key with this label.
wire::ObjectRef KeyNamed(const std::string& token, const std::string& label);

}  // namespace keyclave::bench
