// Asynchronous functions (3.2 §5.21). Sessions are synchronous here, and C_OpenSession says so: no
// function is ever under way when another is called, and no identifier was ever given out.
#include "pkcs11/args.h"
#include "pkcs11/calls.h"
#include "pkcs11/module.h"

namespace keyclave::pkcs11::call {
namespace {

Status NothingPending(CK_SESSION_HANDLE session, const void* function, Code answer) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(NotNull(function));
  return Fail(answer, "sessions are synchronous");
}

}  // namespace

Status C_AsyncComplete(CK_SESSION_HANDLE session, CK_UTF8CHAR_PTR function,
                       CK_ASYNC_DATA_PTR /*result*/) {
  return NothingPending(session, function, Code::kP11OperationNotInitialized);
}

Status C_AsyncGetID(CK_SESSION_HANDLE session, CK_UTF8CHAR_PTR function, CK_ULONG_PTR /*id*/) {
  return NothingPending(session, function, Code::kP11OperationNotInitialized);
}

Status C_AsyncJoin(CK_SESSION_HANDLE session, CK_UTF8CHAR_PTR function, CK_ULONG /*id*/,
                   CK_BYTE_PTR /*data*/, CK_ULONG /*data_size*/) {
  return NothingPending(session, function, Code::kP11SavedStateInvalid);
}

}  // namespace keyclave::pkcs11::call
