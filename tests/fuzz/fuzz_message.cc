// The fields of every request and reply. Input: one byte (even: request, odd: reply), the
// operation's number (2 bytes, big-endian), the fields. What decodes must encode to the same bytes:
// there is one encoding of each message and no other.
#include <cstdlib>

#include "enclave/wire/frame.h"
#include "enclave/wire/op_codec.h"

namespace {

using namespace keyclave;
using namespace keyclave::wire;

template <class Message>
void DecodeOne(ByteSpan fields) {
  const auto message = Decode<Message>(fields);
  if (!message.ok()) {
    if (message.code() != Code::kBadMessage) std::abort();
    return;
  }
  if (!Equal(Encode(*message), fields)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ByteReader in(FromC(data, size));
  const auto kind = in.TakeBe<uint8_t>();
  const auto number = in.TakeBe<uint16_t>();
  if (!kind.ok() || !number.ok()) return 0;
  const bool is_request = *kind % 2 == 0;
  switch (static_cast<Op>(*number)) {
#define KC_OP(number, name, deadline_factor)                \
  case Op::k##name:                                         \
    if (is_request) {                                       \
      DecodeOne<OpTraits<Op::k##name>::Request>(in.rest()); \
    } else {                                                \
      DecodeOne<OpTraits<Op::k##name>::Reply>(in.rest());   \
    }                                                       \
    break;
#include "enclave/wire/ops.inc"
#undef KC_OP
  }
  return 0;
}
