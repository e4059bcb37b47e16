// A folder of evidence, endorsements and trust under well-known names.
#pragma once

#include <string>
#include <string_view>

#include "attest/evidence.h"

namespace keyclave::ctl {

class Folder {
 public:
  explicit Folder(std::string path) : path_(std::move(path)) {}
  const std::string& path() const { return path_; }
  std::string PathOf(std::string_view name) const { return path_ + "/" + std::string(name); }
  bool Has(std::string_view name) const;
  Result<Bytes> Read(std::string_view name) const;  // at most 4 MiB

 private:
  std::string path_;
};

// The pieces of a TPM quote (tpm2_quote's files, or those of Azure's vTPM) as evidence of the type
// `tpm`. kEvidenceMalformed with the file's name.
Result<Bytes> AssembleTpmEvidence(const Folder& folder);

// What the folder says should be trusted for this type.
Status AddBroughtTrust(const Folder& folder, const std::string& type, attest::Trust& trust);

}  // namespace keyclave::ctl
