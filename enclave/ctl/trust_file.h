// Files that a user names with --trust: certificates, public keys, key sets, recognised by content.
#pragma once

#include "attest/evidence.h"

namespace keyclave::ctl {

struct TrustFiles {
  std::vector<attest::Certificate> roots;
  std::vector<Bytes> keys;      // SubjectPublicKeyInfo
  std::vector<Bytes> key_sets;  // JWK sets, as they are
};

// kInvalidArgument: a file that holds none of these.
Result<TrustFiles> ReadTrustFiles(const std::vector<std::string>& paths);

// What they mean for evidence of this type, in whatever order they were named. kInvalidArgument for
// what means nothing there, so that nobody believes to have said something.
Status AddTrust(const TrustFiles& files, const std::string& type, attest::Trust& trust);

}  // namespace keyclave::ctl
