#include "enclave/ops/reply_batch.h"

#include <utility>

#include "enclave/wire/op_codec.h"

namespace keyclave::ops {

std::vector<server::Batch::Reply> ReplyBatch::Run() {
  const std::vector<Waiting> waiting = std::exchange(waiting_, {});
  std::vector<Reply> replies;
  std::vector<Result<Bytes>> signatures = signatures_.Run();
  const uint64_t epoch = service_.store.epoch();
  replies.reserve(waiting.size());
  for (const auto& [place, connection, request, is_operator] : waiting) {
    Result<Bytes>& signature = signatures[place];
    if (signature.ok()) {
      const Bytes fields = wire::OpCodec<wire::Op::kSign>::EncodeReply({*std::move(signature)});
      replies.push_back({connection, wire::BuildReply(request, epoch, fields)});
    } else {
      const Error& error = signature.error();
      replies.push_back({connection, wire::BuildErrorReply(request, epoch, error.code(),
                                                           is_operator ? error.detail() : "")});
    }
  }
  return replies;
}

}  // namespace keyclave::ops
