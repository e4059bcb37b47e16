// OSSL_PARAMs of contexts, read and answered with a Status.
#pragma once

#include <openssl/core.h>

#include <optional>

#include "enclave/base/bytes.h"

namespace keyclave::ossl {

// A name for a number that libcrypto passes both ways ("pkcs1" and 1).
struct NamedNumber {
  const char* name;
  int number;
};

// nullopt if the parameter is absent; kInvalidArgument if it has another type.
Result<std::optional<std::string_view>> TextParam(const OSSL_PARAM params[], const char* key);
Result<std::optional<int>> IntParam(const OSSL_PARAM params[], const char* key);
// A positive number of any size, big-endian.
Result<std::optional<Bytes>> NumberParam(const OSSL_PARAM params[], const char* key);
// A text of `names`, a decimal number, or an integer.
Result<std::optional<int>> NamedParam(const OSSL_PARAM params[], const char* key,
                                      std::span<const NamedNumber> names);
Result<std::optional<Bytes>> BytesParam(const OSSL_PARAM params[], const char* key);

// Answers a parameter if it is asked for; kInvalidArgument if it has no room or another type.
Status AnswerText(OSSL_PARAM params[], const char* key, const char* value);
Status AnswerInt(OSSL_PARAM params[], const char* key, int value);
Status AnswerBytes(OSSL_PARAM params[], const char* key, ByteSpan value);
Status AnswerNamed(OSSL_PARAM params[], const char* key, int value,
                   std::span<const NamedNumber> names);
bool Asks(const OSSL_PARAM params[], const char* key);

}  // namespace keyclave::ossl
