// sds.yaml: who may ask for which secrets, and what they are (docs/servers/envoy.md). What is not
// here is refused.
//
//   socket: /run/keyclave/sds.sock
//   mode: "0660"                       # of the socket; 0600 if left out
//   owner: 101                         # uid and gid of the socket; the process's own if left out
//   group: 101
//   client: /etc/keyclave/client.yaml  # how the enclave is reached; KEYCLAVE_CONFIG if left out
//   status_file: /run/keyclave/sds.status
//   callers:
//     - name: edge
//       uid: 101
//       executable: 5f1c…              # or a list: keyclave evidence measure /usr/bin/envoy
//       secrets: [edge, roots]
//   secrets:
//     edge:
//       certificate:
//         ca: "pkcs11:token=mesh;object=mesh-ca"
//         names: [edge.mesh.example, "spiffe://mesh.example/edge"]
//         usages: [server-auth, client-auth]
//         ttl: 12h
//         key: ec:p256                 # or rsa:2048, rsa:3072; ec:p256 if left out
//         subject: CN=edge.mesh.example
//     roots:
//       trusted_ca: {ca: "pkcs11:token=mesh;object=mesh-ca"}   # or {file: /etc/ssl/mesh.pem}
#pragma once

#include <map>
#include <set>
#include <variant>

#include "enclave/base/bytes.h"

namespace keyclave::sds {

enum class LeafKeyType : uint8_t { kEcP256, kEcP384, kRsa2048, kRsa3072 };

// A leaf key that this process makes, with a certificate that the enclave issues.
struct CertificateSecret {
  std::string ca;  // URI of the CA's private key
  std::vector<std::string> names = {};
  std::vector<std::string> usages = {};
  std::string subject = {};
  uint64_t ttl = 0;  // seconds
  LeafKeyType key = LeafKeyType::kEcP256;
  bool operator==(const CertificateSecret&) const = default;
};

// Certificates that peers are to be verified with: the CA's own as the token has them, or a file's.
struct TrustedCaSecret {
  std::string ca = {};    // URI of the CA's key
  std::string file = {};  // or PEM
  bool operator==(const TrustedCaSecret&) const = default;
};

using SecretConfig = std::variant<CertificateSecret, TrustedCaSecret>;

// A process is a caller by its user and its executable; both are the kernel's word.
struct CallerConfig {
  std::string name;
  uint32_t uid = 0;
  std::vector<ByteArray<32>> executables = {};
  std::set<std::string, std::less<>> secrets = {};
};

struct SdsConfig {
  std::string socket;
  uint32_t mode = 0600;
  std::optional<uint32_t> owner = {};
  std::optional<uint32_t> group = {};
  std::string client = {};
  std::string status_file = {};  // empty: none
  std::vector<CallerConfig> callers = {};
  std::map<std::string, SecretConfig, std::less<>> secrets = {};

  // nullptr: nobody that the file knows.
  const CallerConfig* FindCaller(uint32_t uid, const ByteArray<32>& executable) const;
};

inline constexpr uint64_t kMinTtl = 10;          // seconds
inline constexpr uint64_t kMaxTtl = 90 * 86400;  // seconds

// kConfig… with file, line and key.
Result<SdsConfig> LoadSdsConfig(const std::string& path);
Result<SdsConfig> ParseSdsConfig(std::string_view text, const std::string& name);

}  // namespace keyclave::sds
