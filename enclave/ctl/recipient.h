// Whom a key is released to, as the command line plays it: a public key of the user's, or a key
// pair that lives as long as the process.
#pragma once

#include "enclave/authz/wrap_forms.h"
#include "enclave/mech/release_form.h"
#include "enclave/wire/messages.h"

namespace keyclave::ctl {

struct Recipient {
  Bytes spki;  // SubjectPublicKeyInfo, DER
  const mech::ReleaseForm* form = nullptr;
  std::shared_ptr<const mech::Key> private_key;  // of NewRecipient only
};

// `form` by name; empty: what fits the key. kInvalidArgument if it does not, or is none.
Result<Recipient> RecipientOf(const Bytes& spki, const std::string& form);
// A new key pair for the form (empty: hpke-x25519).
Result<Recipient> NewRecipient(const std::string& form);

}  // namespace keyclave::ctl
