// The enclave as a command sees it: calls, tokens by label, objects by label or pkcs11: URI, and
// what owners of a token sign.
#pragma once

#include <memory>

#include "enclave/client/client.h"
#include "enclave/client/key_reference.h"
#include "enclave/ctl/command.h"
#include "enclave/ctl/owner_choice.h"
#include "enclave/ctl/request_file.h"

namespace keyclave::ctl {

// How a command names the token that it works on, how it logs in if that token has a PIN, and whom
// it signs for if the token has owners.
struct TokenChoice {
  std::string label;
  std::string pin_file;
  OwnerChoice owner;
};

class Enclave {
 public:
  // Reads client.yaml; the channel opens with the first call.
  static Result<std::unique_ptr<Enclave>> Open(const Globals& globals,
                                               const TokenChoice& choice = {});
  static Result<std::unique_ptr<Enclave>> Open(client::ClientConfig config,
                                               const TokenChoice& choice);
  Enclave(client::ClientConfig config, TokenChoice choice, Signers signers)
      : client_(std::move(config)), choice_(std::move(choice)), signers_(std::move(signers)) {}

  client::Client& client() { return client_; }
  Signers& signers() { return signers_; }
  // As Client::Call; where the enclave wants a login first (a PIN, or an owner's), that is done and
  // the call repeated.
  template <wire::Op op>
  Result<typename wire::OpTraits<op>::Reply> Call(
      const typename wire::OpTraits<op>::Request& request) {
    auto reply = client_.Call<op>(request, measurement_);
    while (!reply.ok()) {
      KC_ASSIGN(const bool mended, Mend(reply.code()));
      if (!mended) return reply;
      reply = client_.Call<op>(request, measurement_);
    }
    return reply;
  }

  // A change of the token that was named last. Where it has owners, the request is signed by those
  // of the command line; nullopt: it was kept for the file (--out), see WriteRequests.
  template <wire::Op op>
  Result<std::optional<typename wire::OpTraits<op>::Reply>> Change(
      const typename wire::OpTraits<op>::Request& request) {
    using Reply = typename wire::OpTraits<op>::Reply;
    KC_ASSIGN(const bool is_signed, ChangesAreSigned());
    if (!is_signed) {
      KC_ASSIGN(Reply reply, Call<op>(request));
      return std::optional<Reply>(std::move(reply));
    }
    KC_ASSIGN(const std::optional<Bytes> fields,
              SignedCall(op, wire::OpCodec<op>::EncodeRequest(request)));
    if (!fields) return std::optional<Reply>();
    KC_ASSIGN(Reply reply, wire::OpCodec<op>::DecodeReply(*fields));
    return std::optional<Reply>(std::move(reply));
  }
  // Writes what Change kept to the file of --out, which must not exist, and says who is to sign it.
  Result<int> WriteRequests(bool json);
  // Sends what owners signed; the reply is the operation's.
  Result<Bytes> Administer(const wire::AdministerRequest& request);

  // The token of this label; with an empty label the only one there is. kTokenNotFound,
  // kInvalidArgument (several, none named).
  Result<wire::TokenInfo> Token(const std::string& label);
  // Every object of the token that matches: for those who administer it all there are, for others
  // those that they have a grant for.
  // With `versions` keys that are not in service, too.
  Result<std::vector<wire::ObjectInfo>> Objects(const wire::TokenId& token,
                                                const wire::AttributeList& match,
                                                bool versions = false);
  // kOwnersOnly if the last Objects left out what only the token's owners may see.
  Status SawAll() const;
  // The object that `name` means: a pkcs11: URI, or a label in the token. Of several, keys that can
  // act (private, secret) come before public keys, certificates and data. kObjectNotFound,
  // kObjectAmbiguous.
  Result<wire::ObjectInfo> Object(const std::string& name, const std::string& token_label);

 private:
  Status Login();
  Status LogInAsOwner();
  // Whether something was done about the refusal, so that the call is worth repeating.
  Result<bool> Mend(Code refusal);
  Result<bool> ChangesAreSigned() const;
  Result<std::optional<Bytes>> SignedCall(wire::Op op, const Bytes& fields);
  Result<wire::AdministerRequest> SignNext(wire::Op op, const Bytes& fields);
  static Status CheckPins(const client::KeyUri& uri, const wire::ObjectInfo& object);

  client::Client client_;
  const TokenChoice choice_;
  Signers signers_;
  std::string measurement_;               // of the enclave, pinned by a URI
  std::optional<wire::TokenInfo> token_;  // the latest that was named
  bool wants_all_ = true;                 // until the enclave says that this is not for us
  std::optional<Error> left_out_;
  bool logged_in_ = false;
  bool is_owner_session_ = false;
  RequestFile requests_;  // for --out
};

// --token LABEL (or KEYCLAVE_TOKEN); --pin-file FILE; --owner NAME=KEY and what belongs to it.
void AddTokenLabel(CLI::App& command, std::string& label);
void AddTokenOptions(CLI::App& command, TokenChoice& choice);
wire::ObjectRef RefTo(const wire::ObjectInfo& object);

}  // namespace keyclave::ctl
