// The names that people give to policies, sets and owners.
#pragma once

#include <string_view>

namespace keyclave {

inline constexpr std::string_view kNameRule =
    "a name has at most 64 letters, digits, '.', '_', '-'; the first is no sign";

constexpr bool IsName(std::string_view name) {
  constexpr std::string_view kFirst =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  constexpr std::string_view kAll =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  return !name.empty() && name.size() <= 64 && kFirst.find(name[0]) != std::string_view::npos &&
         name.find_first_not_of(kAll) == std::string_view::npos;
}

}  // namespace keyclave
