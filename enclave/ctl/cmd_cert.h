// What other commands share with `keyclave cert`.
#pragma once

#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/key_file.h"

namespace keyclave::ctl {

// What the certificate's object says beside label, CKA_ID and policy; of the token, or (not
// `persistent`) of the session.
wire::AttributeList CertificateAttributes(const Certificate& certificate, bool persistent = true);

// Stores a certificate beside its key, unless the token has it already.
Status KeepCertificate(Enclave& enclave, const wire::TokenInfo& token,
                       const Certificate& certificate);

}  // namespace keyclave::ctl
