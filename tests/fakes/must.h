#pragma once

#include <cstdlib>

#include "enclave/base/result.h"

namespace keyclave::test {

// The value, or the end of the test program: a fake that cannot do its work tests nothing.
template <class T>
T Must(Result<T> result) {
  if (!result.ok()) std::abort();
  return std::move(result).value();
}

}  // namespace keyclave::test
