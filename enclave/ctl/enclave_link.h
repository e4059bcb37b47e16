// The enclave as a command sees it: calls, tokens by label, objects by label or pkcs11: URI.
#pragma once

#include <memory>

#include "enclave/client/client.h"
#include "enclave/client/key_reference.h"
#include "enclave/ctl/command.h"

namespace keyclave::ctl {

// How a command names the token that it works on, and how it logs in if that token has a PIN.
struct TokenChoice {
  std::string label;
  std::string pin_file;
};

class Enclave {
 public:
  // Reads client.yaml; the channel opens with the first call.
  static Result<std::unique_ptr<Enclave>> Open(const Globals& globals,
                                               const TokenChoice& choice = {});
  Enclave(client::ClientConfig config, std::string pin_file)
      : client_(std::move(config)), pin_file_(std::move(pin_file)) {}

  client::Client& client() { return client_; }
  // As Client::Call; where the enclave wants a login first, the PIN is read (from the choice's file
  // or the terminal) and the call repeated.
  template <wire::Op op>
  Result<typename wire::OpTraits<op>::Reply> Call(
      const typename wire::OpTraits<op>::Request& request) {
    auto reply = client_.Call<op>(request, measurement_);
    if (reply.ok() || reply.code() != Code::kNotLoggedIn || !token_) return reply;
    KC_CHECK_OK(Login());
    return client_.Call<op>(request, measurement_);
  }

  // The token of this label; with an empty label the only one there is. kTokenNotFound,
  // kInvalidArgument (several, none named).
  Result<wire::TokenInfo> Token(const std::string& label);
  // Every object of the token that matches: for operators all there are, for others those that they
  // have a grant for.
  Result<std::vector<wire::ObjectInfo>> Objects(const wire::TokenId& token,
                                                const wire::AttributeList& match);
  // The object that `name` means: a pkcs11: URI, or a label in the token. Of several, keys that can
  // act (private, secret) come before public keys, certificates and data. kObjectNotFound,
  // kObjectAmbiguous.
  Result<wire::ObjectInfo> Object(const std::string& name, const std::string& token_label);

 private:
  Status Login();
  static Status CheckPins(const client::KeyUri& uri, const wire::ObjectInfo& object);

  client::Client client_;
  const std::string pin_file_;
  std::string measurement_;               // of the enclave, pinned by a URI
  std::optional<wire::TokenInfo> token_;  // the latest that was named
  bool is_operator_ = true;               // until the enclave says otherwise
};

// --token LABEL (or KEYCLAVE_TOKEN); --pin-file FILE.
void AddTokenLabel(CLI::App& command, std::string& label);
void AddTokenOptions(CLI::App& command, TokenChoice& choice);
wire::ObjectRef RefTo(const wire::ObjectInfo& object);

}  // namespace keyclave::ctl
