// The interface of Occlum, an SGX library OS: ioctls of its own /dev/sgx.
#pragma once

#include <optional>

#include "attest/binding.h"
#include "attest/produce/io.h"

namespace keyclave::attest {

inline constexpr const char* kOcclumDevice = "/dev/sgx";

// Opens the device if this is Occlum. (Outside of it, a host's SGX driver may have a folder or
// another device of that name; those do not know the ioctl.)
std::optional<OpenFile> OpenOcclum(Io& io);
// A quote that carries the report data.
Result<Bytes> OcclumQuote(Io& io, const OpenFile& device, const ReportData& report_data);

}  // namespace keyclave::attest
