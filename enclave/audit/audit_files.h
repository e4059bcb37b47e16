// The files of an audit log: 00000001.jsonl, 00000002.jsonl …
#pragma once

#include "enclave/audit/line.h"

namespace keyclave::audit {

inline constexpr size_t kMaxReadSize = size_t{80} << 20;  // bytes of one file

std::string FileName(uint64_t number);
// In order.
std::vector<std::string> ListFiles(const std::string& directory);
// kAuditBroken for a name that is none of ours.
Result<uint64_t> FileNumber(const std::string& path);

// Calls `visit` with each whole line of the file until it fails; the size of these lines. A last
// line without its newline was never answered for.
Result<size_t> ForEachLine(const std::string& path,
                           const std::function<Status(std::string_view)>& visit);

// That `known` is in these files, and that what follows is a whole chain up to `end`.
// kAuditBroken.
Status CheckSince(const std::vector<std::string>& files, const Mark& known, const ChainEnd& end);

}  // namespace keyclave::audit
