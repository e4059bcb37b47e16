// OpCodec::EncodeReply of every operation.
#include "enclave/wire/op_codec.h"

namespace keyclave::wire {

template <Op op>
Bytes OpCodec<op>::EncodeReply(const Reply& reply) {
  return Encode(reply);
}

#define KC_OP(number, name, deadline_factor) \
  template Bytes OpCodec<Op::k##name>::EncodeReply(const Reply& reply);
#include "enclave/wire/ops.inc"
#undef KC_OP

}  // namespace keyclave::wire
