// A stream of frames as either end reads it: whatever comes, the frames taken lie within the input,
// in order, and what is built from one reads back as the same.
#include <cstdlib>

#include "enclave/wire/frame.h"

namespace {

using namespace keyclave;
using namespace keyclave::wire;

void Check(bool holds) {
  if (!holds) std::abort();
}

// A frame that was built anew holds the same.
void CheckRebuilt(const Bytes& built, uint64_t id, ByteSpan body) {
  ByteSpan rest(built);
  const auto frame = TakeFrame(rest);
  Check(frame.ok() && frame->has_value() && rest.empty());
  Check((*frame)->id == id && Equal((*frame)->body, body));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ByteSpan rest = FromC(data, size);
  for (;;) {
    const size_t before = rest.size();
    const auto frame = TakeFrame(rest);
    if (!frame.ok() || !frame->has_value()) {
      Check(rest.size() == before);
      return 0;
    }
    const ByteSpan body = (*frame)->body;
    Check(before - rest.size() == kFrameHeader + body.size());
    if (const auto request = ParseRequest(body); request.ok()) {
      Check(IsKnownOp(static_cast<uint64_t>(request->op)) && request->fields.size() < body.size());
      CheckRebuilt(BuildRequest((*frame)->id, request->op, request->fields), (*frame)->id, body);
    }
    if (const auto reply = ParseReply(body); reply.ok()) {
      if (reply->code == 0) {
        CheckRebuilt(BuildReply((*frame)->id, reply->epoch, reply->fields), (*frame)->id, body);
      } else if (const auto detail = ErrorDetail(*reply); detail.ok()) {
        Check(detail->size() <= kMaxField);
      }
    }
  }
}
