// The certificate table that a host puts beside a report: entries of GUID, offset and length,
// ended by one of zeros, then the certificates. AMD document 56421 (GHCB),
// "SNP Extended Guest Request"; Linux hands it out as configfs-tsm's auxblob.
#pragma once

#include "attest/tee_type.h"

namespace keyclave::attest {

// A GUID's text form; empty for those that are not known here, whose contents are not used.
struct SnpTableEntry {
  std::string_view name;  // "VCEK", "VLEK", "ASK", "ARK", "CRL"; empty: another
  std::string guid;
  Bytes bytes;
};

// The whole table. It comes from the host, so its offsets and lengths are hostile: every entry
// lies behind the header and within the table, none overlaps another, no GUID comes twice, and
// what no entry names is zero, so that one table has one meaning and nothing hides in it.
// kTruncated, kMalformed, kTooLarge.
Result<std::vector<SnpTableEntry>> ParseSnpTable(ByteSpan bytes);

// The table of these certificates, for who has them in another form: entries with names (their
// GUIDs are not looked at). kMalformed for a name that is not known, or comes twice; kTooLarge.
Result<Bytes> EncodeSnpTable(const std::vector<SnpTableEntry>& entries);

}  // namespace keyclave::attest
