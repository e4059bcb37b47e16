// A key as the provider knows it: its public half, and for a private key the name under which the
// enclave has the other. Immutable once made, shared by everything that uses it; it holds no secret
// but, where a URI carried one, a PIN.
//
// A URI that names a key by its label may have loaded several versions of it. Such a key is the one
// in service, until the first certificate that it is compared with is another version's: then it is
// that one, for good. So a server's certificate and key fit, whichever of the two was replaced
// first.
#pragma once

#include "enclave/client/key_reference.h"
#include "ossl_provider/context.h"
#include "ossl_provider/key_type.h"

namespace keyclave::ossl {

// One version of a key: its public half, and the name of the private one.
struct KeyVersion {
  EvpPkey public_key;  // in the context's own library context
  Bytes spki;          // DER
  wire::ObjectRef object = {};
};

class Key {
 public:
  // Of the first version's type; the others' types are the same. Empty `uri`: a public key.
  static Result<std::shared_ptr<const Key>> FromVersions(
      const Context& context, std::vector<std::pair<Bytes, wire::ObjectRef>> versions,
      std::optional<client::KeyUri> uri);
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
  EVP_PKEY* public_key() const { return Version().public_key.get(); }
  const Bytes& spki() const { return Version().spki; }
  // Bytes of a signature or plaintext.
  size_t max_output() const { return static_cast<size_t>(EVP_PKEY_get_size(public_key())); }
  // Whether this is the public key of the key, or of that version that it becomes thereby.
  bool Matches(EVP_PKEY* public_key) const;
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
  Key(KeyType type, std::vector<KeyVersion> versions, std::optional<client::KeyUri> uri);
  const KeyVersion& Version() const;
  template <wire::Op op>
  Result<typename wire::OpTraits<op>::Reply> Ask(
      Context& context, const typename wire::OpTraits<op>::Request& request) const;
  template <wire::Op op>
  Result<Bytes> Use(Context& context, wire::Mechanism mechanism, ByteSpan input) const;

  const KeyType type_;
  const std::vector<KeyVersion> versions_;  // the one in service first
  const std::optional<client::KeyUri> uri_;
  // Which of versions_ a certificate chose; kOpen: none yet.
  static constexpr size_t kOpen = SIZE_MAX;
  mutable std::atomic<size_t> settled_{kOpen};
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
