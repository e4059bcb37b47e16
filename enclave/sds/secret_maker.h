// Makes what secrets are: leaf keys with certificates that the enclave issues, and certificates to
// verify peers with. Nothing that is made is kept.
#pragma once

#include "enclave/base/clock.h"
#include "enclave/base/secret_bytes.h"
#include "enclave/client/client.h"
#include "enclave/sds/config.h"

namespace keyclave::sds {

struct MadeSecret {
  std::string version;     // another one whenever the contents are
  SecretBytes encoded;     // envoy.extensions.transport_sockets.tls.v3.Secret
  UnixTime not_after = 0;  // 0: it does not end
  std::string text;        // for logs: "serial 5f…, until …"
};

class SecretMaker {
 public:
  virtual ~SecretMaker() = default;
  // May take as long as the enclave does. Called by several threads.
  virtual Result<MadeSecret> Make(const std::string& name, const SecretConfig& secret) = 0;
};

// By the enclave of client.yaml.
class EnclaveSecretMaker final : public SecretMaker {
 public:
  explicit EnclaveSecretMaker(client::ClientConfig config) : client_(std::move(config)) {}
  Result<MadeSecret> Make(const std::string& name, const SecretConfig& secret) override;

 private:
  Result<MadeSecret> MakeCertificate(const std::string& name, const CertificateSecret& secret);
  Result<MadeSecret> MakeTrusted(const std::string& name, const TrustedCaSecret& secret);
  // The certificates that the token has of the CA, PEM.
  Result<std::string> CertificatesOf(const std::string& uri);

  client::Client client_;
};

}  // namespace keyclave::sds
