// xDS's messages, as this program uses them: requests read into what both protocols have in common,
// responses written into memory that is wiped.
#pragma once

#include <optional>
#include <vector>

#include "enclave/base/secret_bytes.h"

namespace keyclave::sds {

inline constexpr std::string_view kSecretType =
    "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";

// State of the world, or changes only (StreamSecrets and FetchSecrets, or DeltaSecrets).
enum class Dialect : uint8_t { kWorld, kDelta };

// What a client says.
struct Ask {
  std::string type;
  std::string node;                               // its own word; empty if it says none
  std::string nonce;                              // of the response that it answers; empty for none
  std::optional<std::string> rejected;            // NACK: why
  std::optional<std::vector<std::string>> world;  // kWorld: all names that it wants
  std::vector<std::string> subscribe;             // kDelta
  std::vector<std::string> unsubscribe;
};

// kMalformed.
Result<Ask> ReadAsk(Dialect dialect, ByteSpan message);

// Secrets, encoded.
SecretBytes EncodeCertificate(const std::string& name, const std::string& chain,
                              const SecretBytes& key);
SecretBytes EncodeTrustedCa(const std::string& name, const std::string& certificates);

// A response with one secret.
struct Answer {
  std::string version;
  std::string nonce;
  std::string name;
  const SecretBytes* secret = nullptr;
};
SecretBytes EncodeAnswer(Dialect dialect, const Answer& answer);
// FetchSecrets: several at once.
SecretBytes EncodeAnswers(const std::string& version, const std::vector<SecretBytes>& secrets);

}  // namespace keyclave::sds
