// Files of what owners have to sign: requests (--out, `keyclave request`), and proofs of possession
// of keys that are to become owners' (`keyclave owner prove`).
#pragma once

#include "enclave/ctl/output.h"
#include "enclave/wire/messages.h"

namespace keyclave::ctl {

// Statements for one token of one enclave, in the order in which they are sent.
struct RequestFile {
  std::string token_label;  // as it was when the file was made; no statement holds it
  struct Item {
    wire::Statement statement;
    wire::AdministerRequest request;  // its statement's bytes are what is signed
    std::vector<std::string> what;    // for people, as the file's maker described it
  };
  std::vector<Item> items;
};

// kMalformed for what is no such file, and for statements of several tokens or enclaves.
Result<RequestFile> ParseRequestFile(std::string_view text);
Result<RequestFile> ReadRequestFile(const std::string& path);
std::string PrintRequestFile(const RequestFile& file);
// A statement and its signatures as an item. kMalformed.
Result<RequestFile::Item> MakeRequestItem(wire::AdministerRequest request);

// The file of a key's proof of possession. Read checks the proof against this enclave and token:
// kStatementInvalid.
std::string PrintOwnerProof(const wire::NewOwner& owner, const std::string& enclave_id,
                            const std::string& token_label);
Result<wire::NewOwner> ReadOwnerProof(const std::string& path, const std::string& enclave_id,
                                      const std::string& token_label);

std::string_view RoleName(wire::OwnerRole role);

}  // namespace keyclave::ctl
