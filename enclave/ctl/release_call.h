// A release, asked for and checked.
#pragma once

#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/receipt_file.h"
#include "enclave/ctl/recipient.h"

namespace keyclave::ctl {

inline constexpr std::string_view kReleaseKeyName = "keyclave-release";

// The recipient's key goes into this process's evidence, unless client.yaml has put it there:
// before the first call.
void NameInEvidence(client::ClientConfig& config, const Bytes& spki);

struct Released {
  wire::ReleaseReply reply;
  wire::ReleaseReceipt receipt;
};
// The object, wrapped for the recipient; with the receipt of this enclave for just that.
// kReceiptInvalid.
Result<Released> ReleaseTo(Enclave& enclave, const wire::ObjectInfo& object,
                           const Recipient& recipient);

}  // namespace keyclave::ctl
