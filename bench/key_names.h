// How the keys of a token that was filled for a measurement are called.
#pragma once

#include <cstdint>
#include <string>

namespace keyclave::bench {

inline std::string LabelOf(uint64_t number) { return "key " + std::to_string(number); }
inline std::string IdOf(uint64_t number) { return "id " + std::to_string(number); }

}  // namespace keyclave::bench
