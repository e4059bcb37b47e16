// Result<T>: either a value or an Error. It converts to nothing but itself, so that an error can
// never become a number, a pointer or `true` on its way up.
//
// After `KC_ASSIGN(auto x, F());` x holds F's value, or the calling function has already returned
// F's error. After `KC_CHECK_OK(F());` F succeeded, or the calling function has already returned
// F's error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace keyclave {

enum class Code : uint16_t {
#define KC_CODE(number, name, sentence) name = number,
#include "enclave/base/error_codes.inc"
#undef KC_CODE
};

// The sentence of error_codes.inc; "unknown error" for a number that is not there.
std::string_view Sentence(Code code);
// The name of error_codes.inc without its k ("StoreLocked"), for logs and --json.
std::string_view CodeName(Code code);
// A number off the wire; nullopt if this build does not know it.
std::optional<Code> CodeFromNumber(uint64_t number);

// What a check wanted and what it found, for people.
struct Mismatch {
  std::string wanted;
  std::string got;
};

// A code, a detail for whoever runs the failing side, and where in the source it was made.
class [[nodiscard]] Error {
 public:
  Error(Code code, std::string detail, const char* file, int line)
      : code_(code), detail_(std::move(detail)), file_(file), line_(line) {}

  Code code() const { return code_; }
  const std::string& detail() const { return detail_; }
  // Present where one value was compared with another; the detail says it, too.
  const std::optional<Mismatch>& mismatch() const { return mismatch_; }
  const char* file() const { return file_; }
  int line() const { return line_; }

  // "the store is in use by another daemon: /var/lib/keyclave/store.db"
  std::string Text() const;
  // The same error, its detail preceded by `where`: ": " is put between.
  Error In(std::string_view where) const;
  // The same error, "wanted …, got …" put behind its detail.
  Error With(Mismatch mismatch) const;

 private:
  Code code_;
  std::string detail_;
  std::optional<Mismatch> mismatch_;
  const char* file_;
  int line_;
};

// Makes an error and counts it. The detail must hold no secret: it is written to logs.
Error Fail(Code code, std::string detail = {}, const char* file = __builtin_FILE(),
           int line = __builtin_LINE());
// `what`: wanted `wanted`, got `got`.
Error FailWanted(Code code, std::string what, std::string wanted, std::string got,
                 const char* file = __builtin_FILE(), int line = __builtin_LINE());
// How many errors of this code this process has made (metrics).
uint64_t ErrorCount(Code code);

template <class T>
class [[nodiscard]] Result {
 public:
  using Value = T;
  // NOLINTBEGIN(google-explicit-constructor): a function returns its value, or its error
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}
  // NOLINTEND(google-explicit-constructor)

  bool ok() const { return state_.index() == 0; }
  const T& value() const& { return std::get<0>(state_); }
  T& value() & { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  const T& operator*() const& { return value(); }
  T& operator*() & { return value(); }
  const T* operator->() const { return &value(); }
  T* operator->() { return &value(); }
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }
  Code code() const { return error().code(); }

 private:
  std::variant<T, Error> state_;
};

struct Done {};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Done) {}                                    // NOLINT(google-explicit-constructor)
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return !error_.has_value(); }
  const Error& error() const& { return *error_; }
  Error&& error() && { return *std::move(error_); }
  Code code() const { return error().code(); }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace keyclave

#define KC_CONCAT_INNER(a, b) a##b
#define KC_CONCAT(a, b) KC_CONCAT_INNER(a, b)
#define KC_ASSIGN_INNER(tmp, declaration, ...)  \
  auto tmp = (__VA_ARGS__);                     \
  if (!tmp.ok()) return std::move(tmp).error(); \
  declaration = std::move(tmp).value()
#define KC_ASSIGN(declaration, ...) \
  KC_ASSIGN_INNER(KC_CONCAT(kc_result_, __COUNTER__), declaration, __VA_ARGS__)
#define KC_CHECK_OK(...)                                      \
  do {                                                        \
    auto kc_status = (__VA_ARGS__);                           \
    if (!kc_status.ok()) return std::move(kc_status).error(); \
  } while (false)
