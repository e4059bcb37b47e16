// Marks: how far the stores of other enclaves have come.
#include "enclave/ops/handlers.h"

namespace keyclave::ops {
namespace {

wire::StoreMark ToWire(const keys::Witness::Mark& mark) { return {mark.epoch, mark.head_digest}; }

}  // namespace

ReplyOf<Op::kKeepMark> KeepMark(Call& call, const wire::KeepMarkRequest& request,
                                const MarkKeeper::Proof& /*proof*/) {
  std::optional<keys::Witness::Mark> mark;
  if (request.mark.has_value()) mark = {request.mark->epoch, request.mark->head};
  KC_ASSIGN(const auto newest, call.service.marks.Keep(request.name, mark));
  wire::KeepMarkReply reply;
  if (newest.has_value()) reply.newest = ToWire(*newest);
  return reply;
}

// A member that was removed knows nothing that the others could go by.
ReplyOf<Op::kCompareMarks> CompareMarks(Call& call, const wire::CompareMarksRequest& request,
                                        const AttestedCaller::Proof& /*proof*/) {
  if (call.service.fleet == nullptr)
    return Fail(Code::kWrongState, "this enclave is no member of a fleet");
  return wire::CompareMarksReply{ToWire(call.service.store.mark()),
                                 call.service.store.HeadDigestAt(request.mine.epoch)};
}

}  // namespace keyclave::ops
