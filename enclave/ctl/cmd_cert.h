// What other commands share with `keyclave cert`.
#pragma once

#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/key_file.h"

namespace keyclave::ctl {

// Stores a certificate beside its key, unless the token has it already.
Status KeepCertificate(Enclave& enclave, const wire::TokenInfo& token,
                       const Certificate& certificate);

}  // namespace keyclave::ctl
