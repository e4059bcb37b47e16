// One line of the audit log: how it is built, read and chained. Used by the daemon's log and by
// offline verification.
#pragma once

#include "enclave/audit/audit_log.h"

namespace keyclave::audit {

inline constexpr std::string_view kCheckpointEvent = "checkpoint";

// Where a chain stands: what the next line must say.
struct ChainEnd {
  uint64_t next = 1;                        // its sequence number
  std::string hash = std::string(64, '0');  // the hash of the line before
  bool is_checkpoint = false;               // whether that line was a checkpoint
};

struct Line {
  uint64_t sequence = 0;
  std::string event;
  std::string previous;   // hash of the line before, hexadecimal
  std::string hash;       // this line's own
  std::string computed;   // what its hash should be
  std::string signature;  // of a checkpoint, base64
};

struct BuiltLine {
  std::string text;  // with its newline
  ChainEnd end;      // after it
};

BuiltLine BuildLine(const ChainEnd& end, const std::string& time, std::string_view event,
                    const std::vector<Field>& fields);
// `text` without its newline. kAuditBroken.
Result<Line> ParseLine(std::string_view text);
// Moves `end` past `line`; kAuditBroken if the line does not continue the chain.
Status Follow(ChainEnd& end, const Line& line);
// What a checkpoint signs: SHA-256("keyclave/audit-checkpoint/1" | sequence | hash of the line
// before), length-prefixed.
Bytes CheckpointDigest(const ChainEnd& end);

}  // namespace keyclave::audit
