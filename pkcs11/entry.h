// The barrier between the host's C code and the module.
#pragma once

#include <cxxabi.h>

#include <new>

#include "pkcs11/calls.h"

namespace keyclave::pkcs11 {

// The CK_RV for a call's status; writes a log line when KEYCLAVE_LOG asks for one.
CK_RV Report(const char* function, const Status& status);

// Runs a call. Whatever it throws becomes a return value, so that nothing unwinds into C and the
// host is never aborted; only the unwinding of a cancelled thread passes, which glibc requires.
template <class Call>
CK_RV Barrier(const char* function, Call&& call) {
  try {
    return Report(function, call());
  } catch (const std::bad_alloc&) {
    return CKR_HOST_MEMORY;
  } catch (abi::__forced_unwind&) {
    throw;
  } catch (...) {
    return CKR_GENERAL_ERROR;
  }
}

}  // namespace keyclave::pkcs11
