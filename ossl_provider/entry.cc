// OSSL_provider_init: the only symbol of keyclave.so.

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "ossl_provider/algorithms.h"
#include "ossl_provider/context.h"
#include "ossl_provider/err_map.h"

namespace keyclave::ossl {
namespace {

const OSSL_ALGORITHM* Query(void* /*provctx*/, int operation, int* no_cache) {
  *no_cache = 0;
  try {
    return Algorithms(operation);
  } catch (...) {
    return nullptr;
  }
}

const OSSL_PARAM* GettableParams(void* /*provctx*/) {
  static const OSSL_PARAM params[] = {
      OSSL_PARAM_DEFN(OSSL_PROV_PARAM_NAME, OSSL_PARAM_UTF8_PTR, nullptr, 0),
      OSSL_PARAM_DEFN(OSSL_PROV_PARAM_VERSION, OSSL_PARAM_UTF8_PTR, nullptr, 0),
      OSSL_PARAM_DEFN(OSSL_PROV_PARAM_BUILDINFO, OSSL_PARAM_UTF8_PTR, nullptr, 0),
      OSSL_PARAM_DEFN(OSSL_PROV_PARAM_STATUS, OSSL_PARAM_INTEGER, nullptr, 0), OSSL_PARAM_END};
  return params;
}

int GetParams(void* /*provctx*/, OSSL_PARAM params[]) {
  const auto text = [&](const char* name, const char* value) {
    OSSL_PARAM* param = OSSL_PARAM_locate(params, name);
    return param == nullptr || OSSL_PARAM_set_utf8_ptr(param, value) == 1;
  };
  OSSL_PARAM* status = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_STATUS);
  return text(OSSL_PROV_PARAM_NAME, "Keyclave provider") &&
                 text(OSSL_PROV_PARAM_VERSION, KEYCLAVE_VERSION) &&
                 text(OSSL_PROV_PARAM_BUILDINFO, KEYCLAVE_VERSION) &&
                 (status == nullptr || OSSL_PARAM_set_int(status, 1) == 1)
             ? 1
             : 0;
}

const OSSL_ITEM* Reasons(void* /*provctx*/) { return ReasonStrings(); }

void Teardown(void* provctx) { delete static_cast<Context*>(provctx); }

const OSSL_DISPATCH kFunctions[] = {
    KC_FN(OSSL_FUNC_PROVIDER_TEARDOWN, OSSL_FUNC_provider_teardown_fn, Teardown),
    KC_FN(OSSL_FUNC_PROVIDER_GETTABLE_PARAMS, OSSL_FUNC_provider_gettable_params_fn,
          GettableParams),
    KC_FN(OSSL_FUNC_PROVIDER_GET_PARAMS, OSSL_FUNC_provider_get_params_fn, GetParams),
    KC_FN(OSSL_FUNC_PROVIDER_QUERY_OPERATION, OSSL_FUNC_provider_query_operation_fn, Query),
    KC_FN(OSSL_FUNC_PROVIDER_GET_REASON_STRINGS, OSSL_FUNC_provider_get_reason_strings_fn, Reasons),
    {0, nullptr}};

}  // namespace
}  // namespace keyclave::ossl

extern "C" __attribute__((visibility("default"))) int OSSL_provider_init(
    const OSSL_CORE_HANDLE* handle, const OSSL_DISPATCH* in, const OSSL_DISPATCH** out,
    void** provctx) {
  try {
    keyclave::ossl::Context* context = keyclave::ossl::Context::Create(handle, in);
    if (context == nullptr) return 0;
    *provctx = context;
    *out = keyclave::ossl::kFunctions;
    return 1;
  } catch (...) {
    return 0;
  }
}
