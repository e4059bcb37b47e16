// An operation of the wire by its Op: its message types, and their way into bytes and back.
#pragma once

#include "enclave/wire/messages.h"

namespace keyclave::wire {

// Request type -> Op and reply type: what the client's Call<Request> and the daemon's dispatch
// table use. Several operations share a request struct (Empty, SignRequest), so the Op is the key.
template <Op op>
struct OpTraits;
#define KC_OP(number, name, deadline_factor) \
  template <>                                \
  struct OpTraits<Op::k##name> {             \
    using Request = name##Request;           \
    using Reply = name##Reply;               \
  };
#include "enclave/wire/ops.inc"
#undef KC_OP

// An operation's messages as bytes and back. Compiled once for every operation (request_encode.cc,
// request_decode.cc, reply_encode.cc, reply_decode.cc), for Encode and Decode are costly to
// instantiate in every file that calls an operation.
template <Op op>
struct OpCodec {
  using Request = typename OpTraits<op>::Request;
  using Reply = typename OpTraits<op>::Reply;
  static Bytes EncodeRequest(const Request& request);
  static Result<Request> DecodeRequest(ByteSpan fields);
  static Bytes EncodeReply(const Reply& reply);
  static Result<Reply> DecodeReply(ByteSpan fields);
};

}  // namespace keyclave::wire
