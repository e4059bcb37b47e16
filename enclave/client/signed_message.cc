#include "enclave/client/signed_message.h"

namespace keyclave::client {

Result<SignedMessage> SignedMessage::Create(HashAlgorithm algorithm, size_t limit) {
  KC_ASSIGN(Hasher hasher, Hasher::Create(algorithm));
  return SignedMessage(std::move(hasher), limit);
}

Status SignedMessage::Add(ByteSpan part) {
  if (whole_ && part.size() <= limit_ - message_.size()) {
    message_.insert(message_.end(), part.begin(), part.end());
    return Done{};
  }
  if (!hasher_) {
    return Fail(Code::kTooLarge,
                "this algorithm signs messages of at most " + std::to_string(limit_) + " bytes");
  }
  if (whole_) {
    whole_ = false;
    KC_CHECK_OK(hasher_->Update(message_));
    message_ = Bytes();
  }
  return hasher_->Update(part);
}

Result<SignedMessage::Taken> SignedMessage::Take() {
  // Nothing is to be seen of what was hashed from its first byte on.
  if (whole_ && limit_ != 0) return Taken{std::exchange(message_, {}), true};
  whole_ = true;
  KC_ASSIGN(Bytes digest, hasher_->Finish());
  return Taken{std::move(digest), false};
}

Result<SignedMessage> SignedMessage::Clone() const {
  std::optional<Hasher> hasher;
  if (hasher_) {
    KC_ASSIGN(hasher, hasher_->Clone());
  }
  SignedMessage copy(std::move(hasher), limit_);
  copy.message_ = message_;
  copy.whole_ = whole_;
  return copy;
}

}  // namespace keyclave::client
