// The upcalls into the libcrypto that loaded the provider: errors, BIOs, parameters. The only way
// in which the provider touches that library's own state.
#pragma once

#include <openssl/core.h>
#include <openssl/core_dispatch.h>

#include "enclave/base/bytes.h"

namespace keyclave::ossl {

class Core {
 public:
  Core(const OSSL_CORE_HANDLE* handle, const OSSL_DISPATCH* upcalls);

  // Whether every upcall that the provider needs is there.
  bool Complete() const;

  // Puts one entry on the error queue: the code's sentence as reason, detail and hint as data.
  void Raise(const Error& error) const noexcept;

  // A parameter of the provider's section in openssl.cnf.
  std::optional<std::string> Parameter(const char* name) const;

  // The rest of the stream; kTooLarge above `max` bytes.
  Result<Bytes> ReadAll(OSSL_CORE_BIO* bio, size_t max) const;
  Status Write(OSSL_CORE_BIO* bio, ByteSpan bytes) const;

  // Whether `default` or `fips` is active beside this provider: without one of them there are no
  // digests, and nothing that reads certificates.
  bool OthersActive() const;

 private:
  friend class ErrorMark;
  void Put(const Error& error, const char* format, ...) const;

  const OSSL_CORE_HANDLE* handle_;
  OSSL_FUNC_core_get_params_fn* get_params_ = nullptr;
  OSSL_FUNC_core_new_error_fn* new_error_ = nullptr;
  OSSL_FUNC_core_set_error_debug_fn* set_error_debug_ = nullptr;
  OSSL_FUNC_core_vset_error_fn* vset_error_ = nullptr;
  OSSL_FUNC_core_set_error_mark_fn* set_error_mark_ = nullptr;
  OSSL_FUNC_core_pop_error_to_mark_fn* pop_error_to_mark_ = nullptr;
  OSSL_FUNC_BIO_read_ex_fn* bio_read_ = nullptr;
  OSSL_FUNC_BIO_write_ex_fn* bio_write_ = nullptr;
  OSSL_FUNC_provider_register_child_cb_fn* register_child_ = nullptr;
  OSSL_FUNC_provider_deregister_child_cb_fn* deregister_child_ = nullptr;
  OSSL_FUNC_provider_name_fn* provider_name_ = nullptr;
};

// Errors that libcrypto raises in this scope leave the queue at its end: they are about the
// provider's own objects, and say nothing to the application.
class ErrorMark {
 public:
  explicit ErrorMark(const Core& core) : core_(core) { core_.set_error_mark_(core_.handle_); }
  ~ErrorMark() { core_.pop_error_to_mark_(core_.handle_); }
  ErrorMark(const ErrorMark&) = delete;
  ErrorMark& operator=(const ErrorMark&) = delete;

 private:
  const Core& core_;
};

}  // namespace keyclave::ossl
