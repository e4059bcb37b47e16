// How data is encrypted and decrypted: what C_Encrypt…, C_EncryptMessage…, C_Decrypt…,
// C_DecryptMessage… and the dual-function calls share. A whole operation is one request where it
// fits in one; modes that allow it are cut into several (cipher_chunk.h), all others are gathered
// and sent at the end.
#pragma once

#include "pkcs11/cipher_chunk.h"

namespace keyclave::pkcs11 {

// One request: `input` through the mechanism. kDataLenRange above what a request can carry.
Result<Bytes> RequestCipher(const SessionCall& call, const ObjectPtr& key,
                            std::optional<uint64_t> login, Direction direction,
                            const wire::Mechanism& mechanism, ByteSpan input);
// All of the data, and the end of the operation.
Result<Delivery> CipherWhole(const SessionCall& call, KeyOperation& operation, Direction direction,
                             ByteSpan data, const OutBuffer& out);
Result<Delivery> CipherPart(const SessionCall& call, KeyOperation& operation, Direction direction,
                            ByteSpan part, const OutBuffer& out);
// The end of what CipherPart took in.
Result<Delivery> CipherLast(const SessionCall& call, KeyOperation& operation, Direction direction,
                            const OutBuffer& out);

}  // namespace keyclave::pkcs11
