// The audit log: one hash-chained JSON line per grant, denial and change, on disk before the reply
// goes out.
//
// A line: {"seq":1,"time":"2026-…Z","event":"denial",…,"prev":"<hex>","hash":"<hex>"}; hash =
// SHA-256 over prev and the line's text without its hash member. Checkpoints are lines signed by
// the enclave's audit key (P-256), so that a copy can be checked offline and a cut-off tail is
// noticed up to the last checkpoint.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "enclave/base/bytes.h"
#include "enclave/base/clock.h"
#include "enclave/base/mutex.h"

namespace keyclave::audit {

struct Field {
  std::string name;
  std::string value;
};

class AuditLog {
 public:
  using Sign =
      std::function<Result<Bytes>(ByteSpan digest)>;  // ECDSA P-256 over a SHA-256 digest, DER
  // Opens (or begins) the log in `directory`, checks the newest file's chain. kAuditBroken.
  static Result<std::unique_ptr<AuditLog>> Open(const std::string& directory, const Clock& clock,
                                                Sign sign);
  ~AuditLog();

  // Durable when it returns. kAuditUnavailable (full disk …): then nothing was written.
  Status Write(std::string_view event, const std::vector<Field>& fields);
  // Write, and the record's sequence number.
  Result<uint64_t> WriteNumbered(std::string_view event, const std::vector<Field>& fields);
  Status Checkpoint();
  // What the enclave vouches for beside its checkpoints; `digest` must begin with a label of its
  // own (wire/receipt.h).
  Result<Bytes> SignDigest(ByteSpan digest) const;
  // Lines from `from` on, at most `limit`.
  Result<std::vector<std::string>> Read(uint64_t from, size_t limit) const;
  uint64_t next_sequence() const;

 private:
  struct Impl;
  explicit AuditLog(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Whether `public_key` (SubjectPublicKeyInfo) made this ECDSA signature over a SHA-256 digest.
// kAuditBroken; kInvalidArgument for a key that is none.
Status VerifySignature(ByteSpan public_key, ByteSpan digest, ByteSpan signature);

struct VerifyReport {
  uint64_t records = 0;
  uint64_t checkpoints = 0;
  uint64_t unsigned_tail = 0;  // records after the last checkpoint
};
// Checks a log's lines offline: sequence, chain, checkpoint signatures under `public_key`
// (SubjectPublicKeyInfo; empty: signatures are not checked and the report says 0 checkpoints).
// kAuditBroken names the first bad sequence number and why.
Result<VerifyReport> VerifyAuditLines(const std::vector<std::string>& lines, ByteSpan public_key);

}  // namespace keyclave::audit
