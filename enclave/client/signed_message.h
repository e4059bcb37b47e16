// A message on its way to a signature. Up to kMaxWholeMessage it is kept as it is, so that the
// enclave sees what it signs and hashes it itself (keys whose policy has an `input` ask for that);
// what is longer is hashed as it comes, and has any length.
#pragma once

#include "enclave/base/hash.h"

namespace keyclave::client {

inline constexpr size_t kMaxWholeMessage = size_t{64} << 10;    // bytes
inline constexpr size_t kMaxUnhashedMessage = size_t{1} << 20;  // bytes

class SignedMessage {
 public:
  // `limit`: up to how many bytes it stays whole. kUnsupported if the library lacks the digest.
  static Result<SignedMessage> Create(HashAlgorithm algorithm, size_t limit = kMaxWholeMessage);
  // For an algorithm that takes no digest (EdDSA): stays whole, up to kMaxUnhashedMessage.
  static SignedMessage Unhashed() { return SignedMessage(std::nullopt, kMaxUnhashedMessage); }

  // kTooLarge if it has to stay whole and cannot.
  Status Add(ByteSpan part);
  // The message if `whole`, or its digest; the next message then begins.
  struct Taken {
    Bytes bytes;
    bool whole = false;
  };
  Result<Taken> Take();
  Result<SignedMessage> Clone() const;

 private:
  SignedMessage(std::optional<Hasher> hasher, size_t limit)
      : hasher_(std::move(hasher)), limit_(limit) {}
  std::optional<Hasher> hasher_;
  size_t limit_;
  Bytes message_ = {};  // while whole_
  bool whole_ = true;
};

}  // namespace keyclave::client
