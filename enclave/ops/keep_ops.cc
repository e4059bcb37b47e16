// What a caller made for its session, and keeps.
#include "enclave/ops/handlers.h"

namespace keyclave::ops {

ReplyOf<Op::kKeepObjects> KeepObjects(Call& /*call*/, const wire::KeepObjectsRequest& /*request*/,
                                      const CreateIn::Proof& /*proof*/) {
  return Fail(Code::kUnknownOperation);
}

}  // namespace keyclave::ops
