// Patterns over whole texts: * stands for any characters, also none, ? for exactly one.
#pragma once

#include <string_view>

namespace keyclave::attest {

inline constexpr size_t kMaxGlob = 256;  // characters of a pattern

// Takes at most pattern.size() * text.size() steps.
bool GlobMatches(std::string_view pattern, std::string_view text);

}  // namespace keyclave::attest
