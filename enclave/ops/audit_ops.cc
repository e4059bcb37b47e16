// Reading the audit log.

#include "enclave/ops/handlers.h"

namespace keyclave::ops {
namespace {

constexpr size_t kMaxAuditLines = 1000;

}  // namespace

ReplyOf<Op::kReadAudit> ReadAudit(Call& call, const wire::ReadAuditRequest& request,
                                  const AuditReader::Proof& /*proof*/) {
  const size_t limit = std::clamp<size_t>(request.limit, 1, kMaxAuditLines);
  wire::ReadAuditReply reply;
  KC_ASSIGN(reply.lines, call.service.audit.Read(request.from, limit + 1));
  reply.more = reply.lines.size() > limit;
  if (reply.more) reply.lines.pop_back();
  return reply;
}

ReplyOf<Op::kAuditHead> AuditHead(Call& call, const wire::AuditHeadRequest& /*request*/,
                                  const AuditReader::Proof& /*proof*/) {
  KC_CHECK_OK(call.service.audit.Checkpoint());
  return wire::AuditHeadReply{call.service.audit.head_line()};
}

}  // namespace keyclave::ops
