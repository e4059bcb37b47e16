// The enclave as a command sees it: calls, tokens by label, objects by label or pkcs11: URI.
#pragma once

#include <memory>

#include "enclave/client/client.h"
#include "enclave/ctl/command.h"

namespace keyclave::ctl {

class Enclave {
 public:
  // Reads client.yaml; the channel opens with the first call.
  static Result<std::unique_ptr<Enclave>> Open(const Globals& globals);
  explicit Enclave(client::ClientConfig config) : client_(std::move(config)) {}

  client::Client& client() { return client_; }
  template <wire::Op op>
  Result<typename wire::OpTraits<op>::Reply> Call(
      const typename wire::OpTraits<op>::Request& request) {
    return client_.Call<op>(request);
  }

  // The token of this label; with an empty label the only one there is. kTokenNotFound,
  // kInvalidArgument (several, none named).
  Result<wire::TokenInfo> Token(const std::string& label);
  // Every object of the token that the caller may see and that matches.
  Result<std::vector<wire::ObjectInfo>> Objects(const wire::TokenId& token,
                                                const wire::AttributeList& match);
  // The object that `name` means: a pkcs11: URI, or a label in the token. Of several, keys that can
  // act (private, secret) come before public keys, certificates and data. kObjectNotFound,
  // kObjectAmbiguous.
  Result<wire::ObjectInfo> Object(const std::string& name, const std::string& token_label);

 private:
  client::Client client_;
};

// --token LABEL (or KEYCLAVE_TOKEN).
void AddTokenOption(CLI::App& command, std::string& label);
wire::ObjectRef RefTo(const wire::ObjectInfo& object);

}  // namespace keyclave::ctl
