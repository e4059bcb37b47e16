#include "bench/pkcs11_token.h"

#include <dlfcn.h>

#include <array>
#include <cstdio>
#include <stdexcept>
#include <vector>

namespace keyclave::bench {

void Ok(CK_RV rv, const char* what) {
  if (rv == CKR_OK) return;
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%s: CKR 0x%lx", what, rv);
  throw std::runtime_error(text.data());
}

Pkcs11Token::Pkcs11Token(const std::string& module, const std::string& label) {
  void* library = dlopen(module.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(dlerror());
  const auto get = reinterpret_cast<CK_C_GetFunctionList>(dlsym(library, "C_GetFunctionList"));
  if (get == nullptr) throw std::runtime_error(module + " has no C_GetFunctionList");
  Ok(get(&api_), "C_GetFunctionList");
  CK_C_INITIALIZE_ARGS arguments{};
  arguments.flags = CKF_OS_LOCKING_OK;
  Ok(api_->C_Initialize(&arguments), "C_Initialize");
  slot_ = FindSlot(module, label);
}

CK_SESSION_HANDLE Pkcs11Token::OpenSession(CK_FLAGS flags) const {
  CK_SESSION_HANDLE session = 0;
  Ok(api_->C_OpenSession(slot_, CKF_SERIAL_SESSION | flags, nullptr, nullptr, &session),
     "C_OpenSession");
  return session;
}

CK_SLOT_ID Pkcs11Token::FindSlot(const std::string& module, const std::string& label) const {
  CK_ULONG count = 0;
  Ok(api_->C_GetSlotList(CK_TRUE, nullptr, &count), "C_GetSlotList");
  std::vector<CK_SLOT_ID> slots(count);
  Ok(api_->C_GetSlotList(CK_TRUE, slots.data(), &count), "C_GetSlotList");
  for (const CK_SLOT_ID slot : slots) {
    CK_TOKEN_INFO info{};
    if (api_->C_GetTokenInfo(slot, &info) != CKR_OK) continue;
    std::string found(std::begin(info.label), std::end(info.label));
    found.erase(found.find_last_not_of(' ') + 1);
    if (found == label) return slot;
  }
  throw std::runtime_error("no token " + label + " in " + module);
}

}  // namespace keyclave::bench
