// The audit log: one hash-chained JSON line per grant, denial and change, on disk before the reply
// goes out (docs/audit.md).
//
// A line: {"seq":1,"time":"2026-…Z","event":"denial",…,"prev":"<hex>","hash":"<hex>"}; hash =
// SHA-256 over prev and the line's text without its hash member. Checkpoints are lines signed by
// the enclave's audit key (P-256), so that a copy can be checked offline: one after every so many
// records, one when the daemon asks, and one at the head of each file, so that older files can go.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "enclave/base/bytes.h"
#include "enclave/base/clock.h"
#include "enclave/base/mutex.h"

namespace keyclave::audit {

struct Field {
  std::string name;
  std::string value;
  // Where there are any, the value is an object of these.
  std::vector<std::pair<std::string, std::string>> members = {};
};

struct Record {
  std::string event;
  std::vector<Field> fields;
};

// A record by its number and its hash: what was there once must be there later.
struct Mark {
  uint64_t sequence = 0;
  std::string hash;  // hexadecimal
  friend bool operator==(const Mark&, const Mark&) = default;
};

struct LogSettings {
  size_t max_file = size_t{64} << 20;  // bytes; then the next file begins
  uint64_t checkpoint_every = 1000;    // records
};

class AuditLog {
 public:
  using Sign =
      std::function<Result<Bytes>(ByteSpan digest)>;  // ECDSA P-256 over a SHA-256 digest, DER

  // Opens (or begins) the log in `directory`: the newest file is a whole chain, and so is
  // everything since `known`, which is there. kAuditBroken.
  static Result<std::unique_ptr<AuditLog>> Open(const std::string& directory, const Clock& clock,
                                                Sign sign, const std::optional<Mark>& known = {},
                                                const LogSettings& settings = {});
  // Leaves what is there as it is and goes on after it in a new file, whose first record (`break`)
  // says what was missing. For an operator who has seen kAuditBroken and knows why.
  static Result<std::unique_ptr<AuditLog>> OpenBroken(const std::string& directory,
                                                      const Clock& clock, Sign sign,
                                                      const std::optional<Mark>& known,
                                                      const LogSettings& settings = {});
  ~AuditLog();

  // Durable when it returns. kAuditUnavailable (full disk …): then nothing was written; how many
  // were lost so is in the next record that can be (`lost`).
  Status Write(std::string_view event, const std::vector<Field>& fields);
  // Write, and the record's sequence number.
  Result<uint64_t> WriteNumbered(std::string_view event, const std::vector<Field>& fields);
  // The same for many at once, all or none; they are not counted as lost.
  Status WriteAll(const std::vector<Record>& records);
  // That a change's record will find room: asked before the change is made. kAuditUnavailable.
  Status EnsureRoom();
  // Signs what was written since the last one, if anything was.
  Status Checkpoint();
  // What the enclave vouches for beside its checkpoints; `digest` must begin with a label of its
  // own (wire/receipt.h).
  Result<Bytes> SignDigest(ByteSpan digest) const;

  // Lines from `from` on, at most `limit`.
  Result<std::vector<std::string>> Read(uint64_t from, size_t limit) const;
  uint64_t next_sequence() const;
  // The newest checkpoint, as a mark and as its line; none in a new log.
  std::optional<Mark> head() const;
  std::string head_line() const;
  uint64_t file_number() const;
  // Why changes cannot be recorded, as far as was last seen; empty if they can.
  std::string trouble() const;

 private:
  struct Impl;
  explicit AuditLog(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace keyclave::audit
