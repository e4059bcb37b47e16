#include "ossl_provider/core.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include <cstdarg>

#include "ossl_provider/err_map.h"

namespace keyclave::ossl {

Core::Core(const OSSL_CORE_HANDLE* handle, const OSSL_DISPATCH* upcalls) : handle_(handle) {
  for (const OSSL_DISPATCH* upcall = upcalls; upcall->function_id != 0; ++upcall) {
    switch (upcall->function_id) {
      case OSSL_FUNC_CORE_GET_PARAMS: get_params_ = OSSL_FUNC_core_get_params(upcall); break;
      case OSSL_FUNC_CORE_NEW_ERROR: new_error_ = OSSL_FUNC_core_new_error(upcall); break;
      case OSSL_FUNC_CORE_SET_ERROR_DEBUG:
        set_error_debug_ = OSSL_FUNC_core_set_error_debug(upcall);
        break;
      case OSSL_FUNC_CORE_VSET_ERROR: vset_error_ = OSSL_FUNC_core_vset_error(upcall); break;
      case OSSL_FUNC_CORE_SET_ERROR_MARK:
        set_error_mark_ = OSSL_FUNC_core_set_error_mark(upcall);
        break;
      case OSSL_FUNC_CORE_POP_ERROR_TO_MARK:
        pop_error_to_mark_ = OSSL_FUNC_core_pop_error_to_mark(upcall);
        break;
      case OSSL_FUNC_BIO_READ_EX: bio_read_ = OSSL_FUNC_BIO_read_ex(upcall); break;
      case OSSL_FUNC_BIO_WRITE_EX: bio_write_ = OSSL_FUNC_BIO_write_ex(upcall); break;
      case OSSL_FUNC_PROVIDER_REGISTER_CHILD_CB:
        register_child_ = OSSL_FUNC_provider_register_child_cb(upcall);
        break;
      case OSSL_FUNC_PROVIDER_DEREGISTER_CHILD_CB:
        deregister_child_ = OSSL_FUNC_provider_deregister_child_cb(upcall);
        break;
      case OSSL_FUNC_PROVIDER_NAME: provider_name_ = OSSL_FUNC_provider_name(upcall); break;
      default: break;
    }
  }
}

bool Core::Complete() const {
  return get_params_ != nullptr && new_error_ != nullptr && set_error_debug_ != nullptr &&
         vset_error_ != nullptr && set_error_mark_ != nullptr && pop_error_to_mark_ != nullptr &&
         bio_read_ != nullptr && bio_write_ != nullptr && register_child_ != nullptr &&
         deregister_child_ != nullptr && provider_name_ != nullptr;
}

void Core::Put(const Error& error, const char* format, ...) const {
  new_error_(handle_);
  set_error_debug_(handle_, error.file(), error.line(), "keyclave");
  va_list args;
  va_start(args, format);
  vset_error_(handle_, static_cast<uint32_t>(error.code()), format, args);
  va_end(args);
}

void Core::Raise(const Error& error) const noexcept {
  const std::string_view hint = Hint(error.code());
  const char* separator = error.detail().empty() || hint.empty() ? "" : "; ";
  Put(error, "%s%s%.*s", error.detail().c_str(), separator, static_cast<int>(hint.size()),
      hint.data());
}

std::optional<std::string> Core::Parameter(const char* name) const {
  char* value = nullptr;
  OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_ptr(name, &value, 0),
                         OSSL_PARAM_construct_end()};
  if (get_params_(handle_, params) == 0 || value == nullptr) return std::nullopt;
  return std::string(value);
}

Result<Bytes> Core::ReadAll(OSSL_CORE_BIO* bio, size_t max) const {
  Bytes all;
  while (true) {
    Bytes block(4096);
    size_t size = 0;
    if (bio_read_(bio, block.data(), block.size(), &size) == 0 || size == 0) return all;
    if (size > max - all.size()) return Fail(Code::kTooLarge);
    all.insert(all.end(), block.begin(), block.begin() + static_cast<ptrdiff_t>(size));
  }
}

Status Core::Write(OSSL_CORE_BIO* bio, ByteSpan bytes) const {
  while (!bytes.empty()) {
    size_t written = 0;
    if (bio_write_(bio, bytes.data(), bytes.size(), &written) == 0 || written == 0)
      return Fail(Code::kIo, "writing the encoded key");
    bytes = bytes.subspan(std::min(written, bytes.size()));
  }
  return Done{};
}

namespace {

struct Search {
  OSSL_FUNC_provider_name_fn* name;
  bool found = false;
};

// Called for each active provider, with the core's provider store locked: so it does nothing but
// compare names. Zero ends the walk and registers nothing.
int SeeProvider(const OSSL_CORE_HANDLE* provider, void* data) {
  auto* search = static_cast<Search*>(data);
  const std::string_view name = search->name(provider);
  search->found = name == "default" || name == "fips";
  return search->found ? 0 : 1;
}
int ForgetProvider(const OSSL_CORE_HANDLE* /*provider*/, void* /*data*/) { return 1; }
int SeeProperties(const char* /*properties*/, void* /*data*/) { return 1; }

}  // namespace

bool Core::OthersActive() const {
  Search search{provider_name_};
  if (register_child_(handle_, SeeProvider, ForgetProvider, SeeProperties, &search) != 0)
    deregister_child_(handle_);
  return search.found;
}

}  // namespace keyclave::ossl
