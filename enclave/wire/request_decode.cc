// OpCodec::DecodeRequest of every operation.
#include "enclave/wire/op_codec.h"

namespace keyclave::wire {

template <Op op>
Result<typename OpCodec<op>::Request> OpCodec<op>::DecodeRequest(ByteSpan fields) {
  return Decode<Request>(fields);
}

#define KC_OP(number, name, deadline_factor)                                          \
  template Result<OpCodec<Op::k##name>::Request> OpCodec<Op::k##name>::DecodeRequest( \
      ByteSpan fields);
#include "enclave/wire/ops.inc"
#undef KC_OP

}  // namespace keyclave::wire
