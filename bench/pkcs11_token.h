// A token behind any PKCS#11 module, opened as an application opens it. Errors are
// std::runtime_error.
#pragma once

#include <p11-kit/pkcs11.h>

#include <string>

namespace keyclave::bench {

// Throws unless the call said CKR_OK.
void Ok(CK_RV rv, const char* what);

class Pkcs11Token {
 public:
  Pkcs11Token(const std::string& module, const std::string& label);
  ~Pkcs11Token() { api_->C_Finalize(nullptr); }
  Pkcs11Token(const Pkcs11Token&) = delete;
  Pkcs11Token& operator=(const Pkcs11Token&) = delete;

  CK_FUNCTION_LIST* api() const { return api_; }
  CK_SESSION_HANDLE OpenSession(CK_FLAGS flags = 0) const;

 private:
  CK_SLOT_ID FindSlot(const std::string& module, const std::string& label) const;

  CK_FUNCTION_LIST* api_ = nullptr;
  CK_SLOT_ID slot_ = 0;
};

}  // namespace keyclave::bench
