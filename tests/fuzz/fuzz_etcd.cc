// Replies of an etcd that is the adversary's: whatever comes in, an answer or an error.
#include <cstdlib>

#include "enclave/fleet/etcd_json.h"

using keyclave::AsText;
using keyclave::FromC;
using keyclave::fleet::ReadOutcome;
using keyclave::fleet::ReadRange;
using keyclave::fleet::ReadRefusal;
using keyclave::fleet::TakeEvents;

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(AsText(FromC(data, size)));
  const auto range = ReadRange(text);
  if (range.ok()) {
    Require(range->revision >= 0);
    for (const auto& one : range->found) Require(one.key.size() + one.value.size() <= size);
  }
  const auto outcome = ReadOutcome(text);
  Require(range.ok() ? outcome.ok() : true);
  std::string why;
  const auto refusal = ReadRefusal(503, text, why);
  Require(why.size() < 512);
  for (const char one : why) Require(one >= ' ' && one <= '~');
  static_cast<void>(refusal.has_value());
  std::string lines = text;
  static_cast<void>(TakeEvents(lines));
  Require(lines.find('\n') == std::string::npos || lines.size() < text.size());
  return 0;
}
