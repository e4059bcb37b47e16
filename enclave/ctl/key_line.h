// The versions of a key: private keys of one label in one token (docs/rotation.md).
#pragma once

#include "enclave/base/clock.h"
#include "enclave/ctl/enclave_link.h"

namespace keyclave::ctl {

struct KeyLine {
  wire::TokenInfo token;
  std::string label;
  std::vector<wire::ObjectInfo> versions;  // ascending

  const wire::ObjectInfo* Staged() const;  // nullptr: none
  const wire::ObjectInfo& InService() const;
  // The version that has this public key (SubjectPublicKeyInfo, DER); nullptr: none.
  const wire::ObjectInfo* WithPublicKey(ByteSpan spki) const;
};

// The line of the private key that `key` names. kInvalidArgument for another kind of object.
Result<KeyLine> FindLine(Enclave& enclave, const std::string& key, const std::string& token_label);

uint64_t VersionOf(const wire::AttributeList& attributes);
bool IsRetired(const wire::AttributeList& attributes, UnixTime now);
// "in service", "staged", "draining", "retired".
std::string_view StateOf(const wire::AttributeList& attributes, UnixTime now);
// "2", "3 staged", "1 until 2026-12-01T…", "1 retired"; empty for what has no number.
std::string VersionText(const wire::AttributeList& attributes, UnixTime now);

}  // namespace keyclave::ctl
