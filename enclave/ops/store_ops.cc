// The store under a running daemon: looking for damage, and giving back what it does not need.
#include "enclave/base/log.h"
#include "enclave/ops/handlers.h"

namespace keyclave::ops {
namespace {

// The log has what was found, whoever asked.
void Report(std::vector<keys::StoreFinding> findings, wire::CheckStoreReply& reply) {
  for (keys::StoreFinding& finding : findings) {
    Log(LogLevel::kError,
        "store check: " + (finding.row.empty() ? "" : "row " + finding.row + ": ") + finding.what +
            (finding.subject.empty() ? "" : " (" + finding.subject + ")"));
    reply.findings.push_back({std::move(finding.row), std::move(finding.subject),
                              std::move(finding.what), std::move(finding.mend)});
  }
}

wire::StoreSize SizeOf(const store::Size& size) { return {size.file, size.log, size.unused}; }

}  // namespace

ReplyOf<Op::kCheckStore> CheckStore(Call& call, const wire::CheckStoreRequest& request,
                                    const OperatorOnly::Proof& /*proof*/) {
  keys::ObjectStore& store = call.service.store;
  wire::CheckStoreReply reply;
  switch (request.step) {
    case wire::StoreStep::kRows: {
      KC_ASSIGN(keys::RowsChecked checked, store.CheckRows(request.after));
      reply.rows = checked.rows;
      reply.all = checked.all;
      reply.next = checked.next;
      Report(std::move(checked.findings), reply);
      return reply;
    }
    case wire::StoreStep::kHead: Report(store.CheckHead(), reply); return reply;
    case wire::StoreStep::kStructure: break;
  }
  auto structure = store.CheckStructure(request.however_long);
  if (structure.ok()) {
    Report(std::move(structure).value(), reply);
  } else if (structure.code() == Code::kTooLarge) {
    reply.skipped = structure.error().detail();
  } else {
    return structure.error();
  }
  return reply;
}

ReplyOf<Op::kCompactStore> CompactStore(Call& call, const wire::CompactStoreRequest& /*request*/,
                                        const OperatorOnly::Proof& /*proof*/) {
  KC_ASSIGN(store::Compaction done, call.service.store.Compact());
  call.audit_fields = {{"bytes_before", std::to_string(done.before.file + done.before.log)},
                       {"bytes_after", std::to_string(done.after.file + done.after.log)}};
  return wire::CompactStoreReply{SizeOf(done.before), SizeOf(done.after), std::move(done.left)};
}

}  // namespace keyclave::ops
