#include "enclave/sds/messages.h"

#include <discovery.pb.h>
#include <openssl/crypto.h>
#include <secret.pb.h>

namespace keyclave::sds {
namespace {

using envoy::extensions::transport_sockets::tls::v3::Secret;
using envoy::service::discovery::v3::DeltaDiscoveryRequest;
using envoy::service::discovery::v3::DeltaDiscoveryResponse;
using envoy::service::discovery::v3::DiscoveryRequest;
using envoy::service::discovery::v3::DiscoveryResponse;

void Wipe(std::string& text) { OPENSSL_cleanse(text.data(), text.size()); }

// Of its final size from the start, so that no copy of it is left behind by growing.
std::string Exposed(const SecretBytes& secret) {
  return std::string(AsText(secret.Expose(SecretAccess())));
}

template <class Message>
SecretBytes Encode(const Message& message) {
  SecretBytes out(message.ByteSizeLong());
  const auto bytes = out.ExposeMutable(SecretAccess());
  message.SerializeToArray(bytes.data(), static_cast<int>(bytes.size()));
  return out;
}

template <class Message>
Result<Message> Parse(ByteSpan bytes) {
  Message message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return Fail(Code::kMalformed, "no message of this protocol");
  return message;
}

template <class Names>
std::vector<std::string> ToVector(const Names& names) {
  return {names.begin(), names.end()};
}

template <class Message>
void ReadCommon(const Message& message, Ask& ask) {
  ask.type = message.type_url();
  ask.node = message.node().id();
  ask.nonce = message.response_nonce();
  if (message.has_error_detail()) ask.rejected = message.error_detail().message();
}

}  // namespace

Result<Ask> ReadAsk(Dialect dialect, ByteSpan message) {
  Ask ask;
  if (dialect == Dialect::kWorld) {
    KC_ASSIGN(const auto request, Parse<DiscoveryRequest>(message));
    ReadCommon(request, ask);
    ask.world = ToVector(request.resource_names());
  } else {
    KC_ASSIGN(const auto request, Parse<DeltaDiscoveryRequest>(message));
    ReadCommon(request, ask);
    ask.subscribe = ToVector(request.resource_names_subscribe());
    ask.unsubscribe = ToVector(request.resource_names_unsubscribe());
  }
  return ask;
}

SecretBytes EncodeCertificate(const std::string& name, const std::string& chain,
                              const SecretBytes& key) {
  Secret secret;
  secret.set_name(name);
  auto* certificate = secret.mutable_tls_certificate();
  certificate->mutable_certificate_chain()->set_inline_bytes(chain);
  std::string* const bytes = certificate->mutable_private_key()->mutable_inline_bytes();
  *bytes = Exposed(key);
  SecretBytes encoded = Encode(secret);
  Wipe(*bytes);
  return encoded;
}

SecretBytes EncodeTrustedCa(const std::string& name, const std::string& certificates) {
  Secret secret;
  secret.set_name(name);
  secret.mutable_validation_context()->mutable_trusted_ca()->set_inline_bytes(certificates);
  return Encode(secret);
}

SecretBytes EncodeAnswer(Dialect dialect, const Answer& answer) {
  const std::string type(kSecretType);
  const auto encode = [&](auto& response, google::protobuf::Any& any) {
    response.set_type_url(type);
    response.set_nonce(answer.nonce);
    any.set_type_url(type);
    *any.mutable_value() = Exposed(*answer.secret);
    SecretBytes encoded = Encode(response);
    Wipe(*any.mutable_value());
    return encoded;
  };
  if (dialect == Dialect::kWorld) {
    DiscoveryResponse response;
    response.set_version_info(answer.version);
    return encode(response, *response.add_resources());
  }
  DeltaDiscoveryResponse response;
  response.set_system_version_info(answer.version);
  auto* const resource = response.add_resources();
  resource->set_name(answer.name);
  resource->set_version(answer.version);
  return encode(response, *resource->mutable_resource());
}

SecretBytes EncodeAnswers(const std::string& version, const std::vector<SecretBytes>& secrets) {
  DiscoveryResponse response;
  response.set_version_info(version);
  response.set_type_url(std::string(kSecretType));
  for (const SecretBytes& secret : secrets) {
    auto* const any = response.add_resources();
    any->set_type_url(std::string(kSecretType));
    *any->mutable_value() = Exposed(secret);
  }
  SecretBytes encoded = Encode(response);
  for (auto& any : *response.mutable_resources()) Wipe(*any.mutable_value());
  return encoded;
}

}  // namespace keyclave::sds
