#include "tests/fakes/paths.h"

namespace keyclave::fakes {

std::string SourcePath(const std::string& relative) {
  return std::string(KEYCLAVE_SOURCE_DIR "/") + relative;
}

std::string BuildPath(const std::string& relative) {
  return std::string(KEYCLAVE_BINARY_DIR "/") + relative;
}

}  // namespace keyclave::fakes
