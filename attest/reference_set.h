// Reference-value sets: named lists of values that a claim is compared with (`in-set`), each value
// with the time in which it counts. Names follow enclave/base/name.h. Who may change them and how
// is not decided here.
#pragma once

#include <limits>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "enclave/base/clock.h"

namespace keyclave::attest {

class ReferenceSet {
 public:
  struct Span {
    UnixTime from = std::numeric_limits<UnixTime>::min();
    UnixTime until = std::numeric_limits<UnixTime>::max();  // exclusive
  };
  // A value may be there several times, for several spans.
  void Add(std::string value, Span span) { values_.emplace(std::move(value), span); }

  bool Contains(std::string_view value, UnixTime now) const;
  // The first moment after `now` at which some value begins or ceases to count; the end of time if
  // there is none.
  UnixTime NextChange(UnixTime now) const;
  size_t size() const { return values_.size(); }
  // The values that count now, for messages: "a, b, … (12 in all)".
  std::string Describe(UnixTime now) const;

 private:
  std::multimap<std::string, Span, std::less<>> values_;
};

using ReferenceSets = std::map<std::string, std::shared_ptr<const ReferenceSet>, std::less<>>;

}  // namespace keyclave::attest
