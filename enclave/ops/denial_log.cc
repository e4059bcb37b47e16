#include "enclave/ops/denial_log.h"

#include <algorithm>

namespace keyclave::ops {

void DenialLog::Record(const wire::ObjectId& object, Denial denial) {
  const MutexLock lock(mutex_);
  if (denials_.size() >= kMaxObjects && !denials_.contains(object))
    denials_.erase(denials_.begin());
  denials_[object].insert_or_assign(denial.operation, std::move(denial));
}

std::optional<Denial> DenialLog::Last(const wire::ObjectId& object,
                                      std::optional<authz::Operation> operation) const {
  const MutexLock lock(mutex_);
  const auto found = denials_.find(object);
  if (found == denials_.end()) return std::nullopt;
  const ByOperation& by_operation = found->second;
  if (operation) {
    const auto match = by_operation.find(*operation);
    return match == by_operation.end() ? std::nullopt : std::optional(match->second);
  }
  const auto newest =
      std::max_element(by_operation.begin(), by_operation.end(),
                       [](const auto& a, const auto& b) { return a.second.when < b.second.when; });
  return newest->second;
}

}  // namespace keyclave::ops
