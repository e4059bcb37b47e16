#include "pkcs11/saved_states.h"

#include <algorithm>

namespace keyclave::pkcs11 {
namespace {

Result<DigestOperation> CopyOf(const DigestOperation& digest) {
  DigestOperation copy;
  copy.type = digest.type;
  copy.size = digest.size;
  copy.multi_part = digest.multi_part;
  KC_ASSIGN(copy.hasher, digest.hasher->Clone());
  return copy;
}

}  // namespace

Result<Bytes> SavedStates::Save(const DigestOperation& digest) {
  KC_ASSIGN(DigestOperation copy, CopyOf(digest));
  const auto ticket = RandomArray<kSize>();
  const MutexLock lock(mutex_);
  if (kept_.size() >= kKept) kept_.pop_front();
  kept_.emplace_back(ticket, std::move(copy));
  return ToBytes(ticket);
}

Result<DigestOperation> SavedStates::Load(ByteSpan state) const {
  const MutexLock lock(mutex_);
  const auto found = std::find_if(kept_.begin(), kept_.end(), [state](const auto& kept) {
    return std::equal(state.begin(), state.end(), kept.first.begin(), kept.first.end());
  });
  if (found == kept_.end()) return Fail(Code::kP11SavedStateInvalid);
  return CopyOf(found->second);
}

}  // namespace keyclave::pkcs11
