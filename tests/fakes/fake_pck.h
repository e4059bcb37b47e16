// The SGX extension of PCK certificates, written by libtasn1's DER functions.
#pragma once

#include "tests/fakes/fake_intel.h"

namespace keyclave::test {

// One value: tag, length, content.
Bytes Der(uint8_t tag, ByteSpan content);
// {identifier of Intel's SGX arc and these numbers behind it, value}
Bytes SgxField(const std::vector<uint8_t>& numbers, ByteSpan value);
Bytes SgxExtension(const FakePlatform& platform);

}  // namespace keyclave::test
