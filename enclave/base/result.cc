#include "enclave/base/result.h"

#include <array>
#include <atomic>

namespace keyclave {
namespace {

struct Row {
  uint16_t number;
  std::string_view name;
  std::string_view sentence;
};

constexpr Row kRows[] = {
#define KC_CODE(number, name, sentence) {number, #name, sentence},
#include "enclave/base/error_codes.inc"
#undef KC_CODE
};
constexpr size_t kRowCount = std::size(kRows);

constexpr bool NumbersRise() {
  for (size_t i = 1; i < kRowCount; ++i) {
    if (kRows[i].number <= kRows[i - 1].number) return false;
  }
  return true;
}
static_assert(NumbersRise(), "error_codes.inc: numbers must rise, and no two may be the same");

std::array<std::atomic<uint64_t>, kRowCount> counts;

const Row* FindRow(uint64_t number) {
  size_t low = 0;
  size_t high = kRowCount;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (kRows[middle].number < number) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < kRowCount && kRows[low].number == number ? &kRows[low] : nullptr;
}

}  // namespace

std::string_view Sentence(Code code) {
  const Row* row = FindRow(static_cast<uint16_t>(code));
  return row == nullptr ? "unknown error" : row->sentence;
}

std::string_view CodeName(Code code) {
  const Row* row = FindRow(static_cast<uint16_t>(code));
  return row == nullptr ? "Unknown" : row->name.substr(1);
}

std::optional<Code> CodeFromNumber(uint64_t number) {
  const Row* row = FindRow(number);
  if (row == nullptr) return std::nullopt;
  return static_cast<Code>(row->number);
}

std::string Error::Text() const {
  std::string text(Sentence(code_));
  if (!detail_.empty()) text.append(": ").append(detail_);
  return text;
}

Error Error::In(std::string_view where) const {
  std::string detail(where);
  if (!detail_.empty()) detail.append(": ").append(detail_);
  Error error = *this;
  error.detail_ = std::move(detail);
  return error;
}

Error Error::With(Mismatch mismatch) const {
  Error error = *this;
  error.detail_.append(detail_.empty() ? "" : ": ")
      .append("wanted ")
      .append(mismatch.wanted)
      .append(", got ")
      .append(mismatch.got);
  error.mismatch_ = std::move(mismatch);
  return error;
}

Error FailWanted(Code code, std::string what, std::string wanted, std::string got, const char* file,
                 int line) {
  return Fail(code, std::move(what), file, line).With({std::move(wanted), std::move(got)});
}

Error Fail(Code code, std::string detail, const char* file, int line) {
  if (const Row* row = FindRow(static_cast<uint16_t>(code)); row != nullptr) {
    counts[static_cast<size_t>(row - kRows)].fetch_add(1, std::memory_order_relaxed);
  }
  return {code, std::move(detail), file, line};
}

uint64_t ErrorCount(Code code) {
  const Row* row = FindRow(static_cast<uint16_t>(code));
  return row == nullptr ? 0
                        : counts[static_cast<size_t>(row - kRows)].load(std::memory_order_relaxed);
}

}  // namespace keyclave
