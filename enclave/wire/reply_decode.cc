// OpCodec::DecodeReply of every operation.
#include "enclave/wire/op_codec.h"

namespace keyclave::wire {

template <Op op>
Result<typename OpCodec<op>::Reply> OpCodec<op>::DecodeReply(ByteSpan fields) {
  return Decode<Reply>(fields);
}

#define KC_OP(number, name, deadline_factor) \
  template Result<OpCodec<Op::k##name>::Reply> OpCodec<Op::k##name>::DecodeReply(ByteSpan fields);
#include "enclave/wire/ops.inc"
#undef KC_OP

}  // namespace keyclave::wire
