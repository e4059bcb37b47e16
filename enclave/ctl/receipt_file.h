// Receipts of released keys in files: JSON with the receipt's bytes and the enclave's signature.
#pragma once

#include <string>

#include "enclave/ctl/output.h"
#include "enclave/wire/receipt.h"

namespace keyclave::ctl {

struct SignedReceipt {
  Bytes receipt;  // CBOR
  Bytes signature;
  std::optional<std::string> jws = {};  // the same, for others' libraries
};

Status WriteReceipt(const std::string& path, const SignedReceipt& receipt);
// kReceiptInvalid for a file that is something else.
Result<SignedReceipt> ReadReceipt(const std::string& path);

// What the receipt says, if `public_key` (SubjectPublicKeyInfo of the audit key) signed it.
// kReceiptInvalid.
Result<wire::ReleaseReceipt> VerifyReceipt(const SignedReceipt& receipt, ByteSpan public_key);

Json ReceiptJson(const wire::ReleaseReceipt& receipt);
std::string ReceiptText(const wire::ReleaseReceipt& receipt);

}  // namespace keyclave::ctl
