// OpCodec::EncodeRequest of every operation.
#include "enclave/wire/op_codec.h"

namespace keyclave::wire {

template <Op op>
Bytes OpCodec<op>::EncodeRequest(const Request& request) {
  return Encode(request);
}

#define KC_OP(number, name, deadline_factor) \
  template Bytes OpCodec<Op::k##name>::EncodeRequest(const Request& request);
#include "enclave/wire/ops.inc"
#undef KC_OP

}  // namespace keyclave::wire
