// Private keys in files, read by OpenSSL: what key_file.cc falls back upon.
#pragma once

#include "enclave/ctl/key_file.h"

namespace keyclave::ctl {

// PKCS#8 (DER, unencrypted) of the private key in a file's bytes, if it is neither RSA nor EC: of
// those GnuTLS judges better what is damaged. kKeyFileInvalid.
Result<SecretBytes> ReadPrivateKeyByOpenssl(ByteSpan file, const Passphrase& passphrase);

}  // namespace keyclave::ctl
