// Offline verification of a copy of the audit log.
#pragma once

#include "enclave/audit/audit_log.h"

namespace keyclave::audit {

struct VerifyRules {
  // SubjectPublicKeyInfo of the enclave's audit key; empty: signatures are not checked, and the
  // report says 0 checkpoints.
  Bytes public_key = {};
  // The copy may begin later than at record 1: at a checkpoint, whose signature vouches for what
  // came before.
  bool from_checkpoint = false;
  std::vector<Mark> expected = {};  // each must be there
};

struct VerifyReport {
  uint64_t records = 0;
  uint64_t first = 0;  // sequence number; 0: no records
  uint64_t checkpoints = 0;
  uint64_t unsigned_tail = 0;  // records after the last checkpoint
  Mark last;
};

// Sequence, chain, checkpoint signatures, marks. kAuditBroken names the first bad record and why.
Result<VerifyReport> VerifyAuditLines(const std::vector<std::string>& lines,
                                      const VerifyRules& rules);

// Whether `public_key` (SubjectPublicKeyInfo) made this ECDSA signature over a SHA-256 digest.
// kAuditBroken; kInvalidArgument for a key that is none.
Status VerifySignature(ByteSpan public_key, ByteSpan digest, ByteSpan signature);

// 812:3f…, as `keyclave audit head` prints it. kInvalidArgument.
Result<Mark> ParseMark(std::string_view text);
std::string MarkText(const Mark& mark);

}  // namespace keyclave::audit
