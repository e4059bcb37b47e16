// The attestation handshake as the caller plays it, on one channel (docs/wire.md): the enclave
// proves itself first, then this process does.
#pragma once

#include "attest/appraise.h"
#include "enclave/client/channel.h"

namespace keyclave::client {

Result<wire::HelloReply> SayHello(Channel& channel, const wire::HelloRequest& request,
                                  Deadline deadline);

// The enclave's evidence of a Hello against `expect`. After it succeeded, whoever holds the
// channel's server_spki is the enclave that the configuration wants. kEnclaveRefused says why not.
Result<attest::Appraised> AppraiseEnclave(const ClientConfig& config, const Channel& channel,
                                          const ByteArray<32>& nonce, const wire::HelloReply& hello,
                                          UnixTime now);

// Presents this process's evidence, bound to the nonce of `hello`. kEvidenceUnavailable;
// kEvidenceRefused with the enclave's reason.
Result<wire::AttestReply> ProveSelf(const ClientConfig& config, Channel& channel,
                                    const wire::HelloReply& hello, UnixTime now, Deadline deadline);

}  // namespace keyclave::client
