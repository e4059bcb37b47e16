#include "enclave/wire/messages.h"

namespace keyclave::wire {
namespace {

struct Row {
  uint64_t number;
  std::string_view name;
  unsigned deadline_factor;
};

constexpr Row kRows[] = {
#define KC_OP(number, name, deadline_factor) {number, #name, deadline_factor},
#include "enclave/wire/ops.inc"
#undef KC_OP
};

const Row* FindRow(uint64_t number) {
  const auto* found = std::find_if(std::begin(kRows), std::end(kRows),
                                   [&](const Row& row) { return row.number == number; });
  return found == std::end(kRows) ? nullptr : found;
}

}  // namespace

std::string_view OpName(Op op) {
  const Row* row = FindRow(static_cast<uint64_t>(op));
  return row == nullptr ? "?" : row->name;
}

bool IsKnownOp(uint64_t number) { return FindRow(number) != nullptr; }

unsigned OpDeadlineFactor(Op op) {
  const Row* row = FindRow(static_cast<uint64_t>(op));
  return row == nullptr ? 1 : row->deadline_factor;
}

}  // namespace keyclave::wire
