// How many rounds a test of faults runs: few in every run of the tests, many when it is asked to
// (--rounds N).
#pragma once

#include <string>
#include <string_view>

namespace keyclave::fault {

inline unsigned RoundsOf(int argc, char** argv, unsigned ordinary) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::string_view(argv[i]) == "--rounds")
      return static_cast<unsigned>(std::stoul(argv[i + 1]));
  }
  return ordinary;
}

}  // namespace keyclave::fault
