// The built library, loaded as a host loads it.
#include <dlfcn.h>
#include <elf.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "pkcs11/cryptoki3.h"
#include "tests/fakes/paths.h"

namespace keyclave::pkcs11 {
namespace {

const std::string kLibrary = fakes::BuildPath("lib/keyclave-pkcs11.so");

template <class Function>
Function Symbol(void* library, const char* name) {
  // POSIX says that a void pointer from dlsym can hold a function; C++ has no cast that says so but
  // through memory.
  void* const address = dlsym(library, name);
  Function function = nullptr;
  std::copy_n(static_cast<const std::byte*>(static_cast<const void*>(&address)), sizeof(address),
              static_cast<std::byte*>(static_cast<void*>(&function)));
  return function;
}

TEST(Library, LoadsWithAllItsSymbolsBound) {
  void* library = dlopen(kLibrary.c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  const auto get_list = Symbol<CK_C_GetFunctionList>(library, "C_GetFunctionList");
  ASSERT_NE(get_list, nullptr);
  CK_FUNCTION_LIST* list = nullptr;
  ASSERT_EQ(get_list(&list), CKR_OK);
  EXPECT_EQ(list->version.major, 2);
  EXPECT_EQ(list->version.minor, 40);
#define KC_FUNCTION(name, parameters, arguments) \
  EXPECT_EQ(list->name, Symbol<CK_##name>(library, #name)) << #name;
#define KC_FUNCTION_3_0(name, parameters, arguments) \
  EXPECT_NE(dlsym(library, #name), nullptr) << #name;
#include "pkcs11/functions.inc"
  EXPECT_EQ(list->C_Finalize(nullptr), CKR_CRYPTOKI_NOT_INITIALIZED);
}

// -z nodelete: a host may close the library while a thread of its own is still inside.
TEST(Library, StaysMappedAfterDlclose) {
  void* library = dlopen(kLibrary.c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  const auto get_list = Symbol<CK_C_GetFunctionList>(library, "C_GetFunctionList");
  CK_FUNCTION_LIST* list = nullptr;
  ASSERT_EQ(get_list(&list), CKR_OK);
  EXPECT_EQ(dlclose(library), 0);
  EXPECT_EQ(list->C_Finalize(nullptr), CKR_CRYPTOKI_NOT_INITIALIZED);
  void* again = dlopen(kLibrary.c_str(), RTLD_NOW | RTLD_LOCAL);
  EXPECT_EQ(Symbol<CK_C_GetFunctionList>(again, "C_GetFunctionList"), get_list);
}

TEST(Library, ShowsNoOtherSymbol) {
  void* library = dlopen(kLibrary.c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  // Names of the module's own code and of what is linked into it statically.
  for (const char* name :
       {"_ZN8keyclave6client6ClientC1ENS0_12ClientConfigE", "_ZN8keyclave4FailENS_4CodeE", "main"})
    EXPECT_EQ(dlsym(library, name), nullptr) << name;
}

}  // namespace
}  // namespace keyclave::pkcs11
