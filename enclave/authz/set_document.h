// A reference-value set as owners write and sign it (docs/policy.md, "Reference-value sets").
#pragma once

#include "attest/reference_set.h"
#include "enclave/authz/quorum.h"
#include "enclave/base/bytes.h"

namespace keyclave::authz {

inline constexpr size_t kMaxSetEntries = 4096;

class SetDocument {
 public:
  struct Entry {
    std::string value;
    std::optional<UnixTime> not_before;
    std::optional<UnixTime> not_after;  // exclusive
    std::string reason;
    int line = 0;
  };
  // kConfig… with the place.
  static Result<SetDocument> Parse(std::string_view text, std::string_view file_name);

  const std::string& name() const { return name_; }
  uint64_t version() const { return version_; }
  const ByteArray<32>& digest() const { return digest_; }  // SHA-256 of the text as it was given
  // Who must sign a new version; nullopt: any owner of the token.
  const std::optional<Quorum>& change() const { return change_; }
  const std::vector<Entry>& entries() const { return entries_; }
  attest::ReferenceSet Values() const;
  size_t CountCurrent(UnixTime now) const;

 private:
  SetDocument() = default;
  std::string name_;
  uint64_t version_ = 0;
  ByteArray<32> digest_{};
  std::optional<Quorum> change_;
  std::vector<Entry> entries_;
};

}  // namespace keyclave::authz
