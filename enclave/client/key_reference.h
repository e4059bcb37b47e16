// Key references: the ways in which a file or a command line names a key of the enclave.
//
// - A URI (RFC 7512, read and written by p11-kit): pkcs11:token=edge;object=www;type=private. The
//   scheme keyclave: is an alias. Attributes of modules and slots are accepted and mean nothing
//   here; one that RFC 7512 does not know is refused, because it would make the URI match more than
//   its writer meant.
// - A key-reference file, which programs take in place of a private key's PEM file: the URI within
//   `-----BEGIN PKCS#11 PROVIDER URI-----` (key_reference.asn), as pkcs11-provider writes it too.
//
// What Keyclave writes carries the public key (SubjectPublicKeyInfo) in the URI's vendor query
// attribute x-keyclave-spki, base64url, so that loading and matching need no request. It holds no
// secret. Two more vendor query attributes, both hexadecimal, pin what the key is used with:
// x-keyclave-version=current (or a number) names a version of the key that has the label, which is
// asked for when it is loaded. x-keyclave-policy is the digest of its policy,
// x-keyclave-measurement the measurement of the enclave. Where they differ, the operation is
// refused.
#pragma once

#include "enclave/wire/messages.h"

namespace keyclave::client {

inline constexpr std::string_view kKeyReferencePemLabel = "PKCS#11 PROVIDER URI";
inline constexpr size_t kMaxUri = size_t{16} << 10;  // bytes

// What a URI says. A PIN in it is for Client::Login and must never be logged.
struct KeyUri {
  wire::ObjectRef object;
  Bytes spki;  // DER; empty if the URI carries none
  std::optional<Bytes> pin_value;
  std::optional<std::string> pin_source;  // a path, or file: and a path
  std::string measurement = {};           // pinned, of the enclave; empty: what `expect` accepts
  std::string version = {};               // "current" or a number; empty: the URI does not say

  bool HasPin() const { return pin_value.has_value() || pin_source.has_value(); }
};

// Whether the text has one of the two schemes, in any case of letters.
bool IsKeyUri(std::string_view text);

// kInvalidArgument, with the reason but never with the URI itself (it may hold a PIN).
Result<KeyUri> ParseKeyUri(const std::string& uri);
Result<wire::ObjectRef> RefFromUri(const std::string& uri);

inline constexpr std::string_view kCurrentVersion = "current";

// The pkcs11: URI of an object, with its public key if `spki` is not empty, the first of the
// object's pinned policies, and the enclave's measurement and the version if they are not empty.
// kInvalidArgument for a token label or serial longer than PKCS#11 allows (32 and 16 bytes).
Result<std::string> MakeUri(const wire::ObjectRef& object, ByteSpan spki = {},
                            const std::string& measurement = {}, const std::string& version = {});

// The PIN that the URI names: its value, or the first line of its source. kInvalidArgument for a
// source that is not a file, kIo … for one that cannot be read.
Result<SecretBytes> ReadPin(const KeyUri& uri);

// A key-reference file's content. Decode returns the URI (kMalformed if it is something else); the
// URI is not parsed yet.
Result<Bytes> EncodeKeyReference(const std::string& uri);
Result<std::string> EncodeKeyReferencePem(const std::string& uri);
Result<std::string> DecodeKeyReference(ByteSpan der);
Result<std::string> DecodeKeyReferencePem(std::string_view pem);

}  // namespace keyclave::client
