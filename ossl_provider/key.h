// A key as the provider knows it: its public half, and for a private key the name under which the
// enclave has the other. Immutable once made, shared by everything that uses it; it holds no secret
// but, where a URI carried one, a PIN.
#pragma once

#include "enclave/client/key_reference.h"
#include "ossl_provider/context.h"
#include "ossl_provider/key_type.h"

namespace keyclave::ossl {

class Key {
 public:
  // From SubjectPublicKeyInfo (DER). With `uri` a private key. kMalformed; kUnsupported for another
  // algorithm.
  static Result<std::shared_ptr<const Key>> FromSpki(const Context& context, ByteSpan spki,
                                                     std::optional<client::KeyUri> uri);
  // A public key of this one's type and curve from its encoded form (an EC point, or bare bytes).
  Result<std::shared_ptr<const Key>> WithPublicKey(const Context& context, ByteSpan encoded) const;
  // A public key from the parameters that another provider exported.
  static Result<std::shared_ptr<const Key>> FromParams(const Context& context, KeyType type,
                                                       const OSSL_PARAM params[]);

  KeyType type() const { return type_; }
  KeyFamily family() const { return FamilyOf(type_); }
  bool is_private() const { return uri_.has_value(); }
  EVP_PKEY* public_key() const {
    return public_key_.get();
  }  // in the context's own library context
  const Bytes& spki() const { return spki_; }
  size_t max_output() const { return max_output_; }  // bytes of a signature or plaintext
  // The URI that names the key without a PIN; with its public key if asked.
  Result<std::string> Uri(bool with_spki) const;

  // What the enclave does with the private half; one request each. kActionProhibited for a public
  // key.
  Result<Bytes> Sign(Context& context, wire::Mechanism mechanism, ByteSpan input) const;
  Result<Bytes> Decrypt(Context& context, wire::Mechanism mechanism, ByteSpan input) const;
  // A secret of `size` bytes (0: as many as the mechanism gives) that the enclave agrees on for its
  // caller. Three requests: the enclave makes a session key of it, which is read and taken away
  // again.
  Result<SecretBytes> Derive(Context& context, wire::Mechanism mechanism, size_t size) const;
  Result<SecretBytes> Decapsulate(Context& context, wire::Mechanism mechanism,
                                  ByteSpan ciphertext) const;

 private:
  Key(KeyType type, EvpPkey public_key, Bytes spki, std::optional<client::KeyUri> uri);
  template <wire::Op op>
  Result<typename wire::OpTraits<op>::Reply> Ask(
      Context& context, const typename wire::OpTraits<op>::Request& request) const;
  template <wire::Op op>
  Result<Bytes> Use(Context& context, wire::Mechanism mechanism, ByteSpan input) const;

  const KeyType type_;
  const EvpPkey public_key_;
  const Bytes spki_;
  const std::optional<client::KeyUri> uri_;
  const size_t max_output_;
  // The enclave refused the PIN once. It is never sent again: more tries would lock the token.
  mutable std::atomic<bool> pin_refused_{false};
};

using KeyPtr = std::shared_ptr<const Key>;

// What a KEYMGMT hands to libcrypto as key data. `key` is empty between new and import, and where
// only parameters were copied: those of `parameters`, until a public key is set.
struct KeyData {
  Context& context;
  KeyType type;
  KeyPtr key;
  KeyPtr parameters = nullptr;
};

// An object reference as the decoder and the store give it to libcrypto, and as KEYMGMT load takes
// it: the address of a KeyData that lives until the callback returns.
Result<const KeyData*> FromReference(const void* reference, size_t size);

}  // namespace keyclave::ossl
