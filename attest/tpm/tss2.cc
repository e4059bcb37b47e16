#include "attest/tpm/tss2.h"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

namespace keyclave::attest::tpm {
namespace {

struct Package {
  std::string_view library;
  std::string_view package;
};
// As Debian 12 names them.
constexpr Package kPackages[] = {
    {"esys", "libtss2-esys-3.0.2-0"},        {"rc", "libtss2-rc0"},
    {"tcti-device", "libtss2-tcti-device0"}, {"tcti-swtpm", "libtss2-tcti-swtpm0"},
    {"tcti-mssim", "libtss2-tcti-mssim0"},   {"tcti-tabrmd", "libtss2-tcti-tabrmd0"},
};

std::string PackageOf(std::string_view library) {
  for (const Package& row : kPackages) {
    if (row.library == library) return std::string(row.package);
  }
  return "that provides it";
}

std::string FileOf(std::string_view library) {
  return std::string("libtss2-").append(library).append(".so.0");
}

// The function `name` of libtss2-LIBRARY.so.0. The library is never closed.
Result<void*> Find(std::string_view library, const char* name) {
  const std::string file = FileOf(library);
  void* handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = dlerror();
    return Fail(Code::kUnsupported, "the TPM needs " + file + " (install the package " +
                                        PackageOf(library) +
                                        "): " + (reason == nullptr ? "?" : reason));
  }
  void* function = dlsym(handle, name);
  if (function == nullptr)
    return Fail(Code::kUnsupported, file + " has no " + name + ": tpm2-tss 3.2 or later is needed");
  return function;
}

template <class Function>
Status Load(std::string_view library, const char* name, Function& function) {
  KC_ASSIGN(void* const found, Find(library, name));
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): dlsym(3) gives functions so
  function = reinterpret_cast<Function>(found);
  return Done{};
}

// What dlopen may be asked for: never a path.
bool IsModuleName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

}  // namespace

LoadedTss2& LoadedTss2::OfThisProcess() {
  static std::atomic<LoadedTss2*> current{nullptr};
  LoadedTss2* seen = current.load();
  while (seen == nullptr || seen->process_ != getpid()) {
    auto* const own = new LoadedTss2(getpid(), seen);
    if (current.compare_exchange_strong(seen, own)) return *own;
    delete own;
  }
  return *seen;
}

Result<const Tss2*> LoadedTss2::Functions() {
  if (!complete_) {
#define KC_TSS2(library, name) KC_CHECK_OK(Load(#library, #name, functions_.name));
#include "attest/tpm/tss2_functions.inc"
#undef KC_TSS2
    complete_ = true;
  }
  return static_cast<const Tss2*>(&functions_);
}

Result<const TSS2_TCTI_INFO*> LoadedTss2::Tcti(const std::string& tcti) {
  const std::string name = tcti.substr(0, tcti.find(':'));
  if (!IsModuleName(name))
    return FailWanted(Code::kInvalidArgument, "tcti", "NAME:OPTIONS, as device:/dev/tpmrm0", tcti);
  const auto known = modules_.find(name);
  if (known != modules_.end()) return known->second;
  TSS2_TCTI_INFO_FUNC describe = nullptr;
  KC_CHECK_OK(Load("tcti-" + name, TSS2_TCTI_INFO_SYMBOL, describe));
  const TSS2_TCTI_INFO* info = describe();
  if (info == nullptr || info->init == nullptr)
    return Fail(Code::kUnsupported, FileOf("tcti-" + name) + " is no TCTI module");
  modules_[name] = info;
  return info;
}

}  // namespace keyclave::attest::tpm
