#include "attest/reference_set.h"

#include <algorithm>

namespace keyclave::attest {

bool ReferenceSet::Contains(std::string_view value, UnixTime now) const {
  const auto [first, last] = values_.equal_range(value);
  return std::any_of(first, last, [now](const auto& entry) {
    return now >= entry.second.from && now < entry.second.until;
  });
}

UnixTime ReferenceSet::NextChange(UnixTime now) const {
  UnixTime next = std::numeric_limits<UnixTime>::max();
  for (const auto& [value, span] : values_) {
    for (const UnixTime change : {span.from, span.until}) {
      if (change > now) next = std::min(next, change);
    }
  }
  return next;
}

std::string ReferenceSet::Describe(UnixTime now) const {
  constexpr size_t kShown = 4;
  std::string text;
  size_t count = 0;
  for (const auto& [value, span] : values_) {
    if (now < span.from || now >= span.until) continue;
    if (++count <= kShown) text.append(text.empty() ? "" : ", ").append(value);
  }
  if (count == 0) return "no value counts now";
  return count <= kShown ? text : text + ", … (" + std::to_string(count) + " in all)";
}

}  // namespace keyclave::attest
