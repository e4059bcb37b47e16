// The private keys that owners of tokens sign with: PEM files, or keys in any PKCS#11 token.
//
// After Open succeeded the key is P-256, Ed25519 or RSA from 2048 bits, and spki() is what the
// enclave knows the owner by. PINs and passphrases come from the terminal or from files, never from
// arguments.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "enclave/base/secret_bytes.h"
#include "enclave/wire/messages.h"

namespace keyclave::ctl {

// NAME=FILE or NAME=pkcs11:URI, as --owner has it.
struct OwnerKeySpec {
  std::string name;
  std::string key;
  bool IsUri() const { return key.starts_with("pkcs11:"); }
};
// kInvalidArgument.
Result<OwnerKeySpec> ParseOwnerKeySpec(const std::string& text);

class OwnerKey {
 public:
  // kKeyFileInvalid, kUnsupported (another kind of key), kInvalidArgument (a URI with a PIN in it).
  static Result<OwnerKey> Open(const OwnerKeySpec& spec, const std::string& passphrase_file);
  OwnerKey(OwnerKey&&) noexcept;
  OwnerKey& operator=(OwnerKey&&) noexcept;
  ~OwnerKey();

  const std::string& name() const { return name_; }
  const Bytes& spki() const { return spki_; }
  // ECDSA on P-256 (DER) or RSA-PSS with SHA-256 (salt of 32 bytes), or Ed25519.
  Result<Bytes> Sign(ByteSpan message) const;
  // With the key's own signature as the proof that its holder wants to be an owner.
  Result<wire::NewOwner> Enrol(const std::string& enclave_id, const std::string& token_label,
                               wire::OwnerRole role) const;

 private:
  class Handle;
  OwnerKey(std::string name, std::unique_ptr<Handle> key, Bytes spki);
  std::string name_;
  std::unique_ptr<Handle> key_;
  Bytes spki_;
};

// Two names or two keys that are the same are a mistake: kInvalidArgument.
Result<std::vector<OwnerKey>> OpenOwnerKeys(const std::vector<OwnerKeySpec>& specs,
                                            const std::string& passphrase_file);

enum class OwnerKeyType { kP256, kEd25519, kRsa };
// A new private key as PKCS#8 in PEM.
Result<SecretBytes> MakeOwnerKey(OwnerKeyType type);

}  // namespace keyclave::ctl
