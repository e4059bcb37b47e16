// Questions to the enclave while a key is being loaded. A reference that carries its public key
// needs none of them.
#pragma once

#include "ossl_provider/key.h"

namespace keyclave::ossl {

// The private key that the URI names. A URI with id and public key needs no request; another one,
// for the object, and one more for its versions if it has any. kInvalidArgument for a URI of
// another class of object.
Result<KeyPtr> LoadPrivateKey(Context& context, client::KeyUri uri);

// An object with its readable attributes, of the class that uri.object names.
Result<wire::ObjectInfo> FetchObject(Context& context, const client::KeyUri& uri);

// The token that the URI names. kTokenNotFound, kObjectAmbiguous.
Result<wire::TokenInfo> FindToken(client::Client& client, const client::KeyUri& uri);

// Logs this process in to the URI's token with the URI's PIN. kPinLocked, without trying, if one
// wrong try would lock the token.
Status LoginWithUriPin(client::Client& client, const client::KeyUri& uri);

}  // namespace keyclave::ossl
