// The ioctl interfaces of Linux and Occlum that producers use: structures and numbers as their
// headers have them, which are not everywhere installed (linux/sev-guest.h since 5.19,
// linux/tdx-guest.h since 6.2, linux/nsm.h since 6.8). A unit test compares them with the
// installed ones.
#pragma once

#include <linux/ioctl.h>

#include <bit>
#include <cstddef>
#include <cstdint>

namespace keyclave::attest::abi {

// A pointer as the kernel's structures hold one.
template <class T>
uint64_t Address(T* pointer) {
  static_assert(sizeof(pointer) == sizeof(uint64_t));
  return std::bit_cast<uint64_t>(pointer);
}

// /dev/sev-guest (linux/sev-guest.h, Documentation/virt/coco/sev-guest.rst).
struct SnpReportRequest {
  uint8_t user_data[64];
  uint32_t vmpl;
  uint8_t reserved[28];
};
struct SnpExtendedReportRequest {
  SnpReportRequest data;
  uint64_t certs_address;
  uint32_t certs_len;  // a multiple of the page size
};
struct SnpDerivedKeyRequest {
  uint32_t root_key_select;
  uint32_t reserved;
  uint64_t guest_field_select;
  uint32_t vmpl;
  uint32_t guest_svn;
  uint64_t tcb_version;
};
struct SnpGuestRequest {
  uint8_t msg_version;
  uint64_t req_data;
  uint64_t resp_data;
  uint64_t exitinfo2;  // the hypervisor's error above the firmware's, 32 bits each
};
inline constexpr size_t kSnpReportResponse = 4000;
inline constexpr size_t kSnpDerivedKeyResponse = 64;
inline constexpr uint32_t kSnpVmmInvalidLength = 1;
inline constexpr unsigned long kSnpGetReport = _IOWR('S', 0, SnpGuestRequest);
inline constexpr unsigned long kSnpGetDerivedKey = _IOWR('S', 1, SnpGuestRequest);
inline constexpr unsigned long kSnpGetExtendedReport = _IOWR('S', 2, SnpGuestRequest);

// /dev/nsm (linux/nsm.h).
struct NsmBuffer {
  uint64_t address;
  uint64_t length;
};
struct NsmMessage {
  NsmBuffer request;
  NsmBuffer response;  // its length is what the answer has, afterwards
};
inline constexpr size_t kNsmMaxRequest = 0x1000;
inline constexpr size_t kNsmMaxResponse = 0x3000;
inline constexpr unsigned long kNsmRaw = _IOWR(0x0A, 0, NsmMessage);

// /dev/sgx inside Occlum (its src/libos/src/fs/dev_fs/dev_sgx).
struct OcclumQuoteArgument {
  const uint8_t* report_data;  // 64 bytes
  uint32_t* quote_size;        // of the buffer
  uint8_t* quote;
};
struct OcclumReportArgument {
  const uint8_t* target_info;  // null: this enclave's own
  const uint8_t* report_data;  // null: zeros
  uint8_t* report;             // kSgxReport bytes
};
struct OcclumKeyArgument {
  const uint8_t* key_request;  // KEYREQUEST, kSgxKeyRequest bytes
  uint8_t* key;                // 16 bytes
};
inline constexpr size_t kSgxReport = 432;
inline constexpr size_t kSgxKeyRequest = 512;
inline constexpr unsigned long kOcclumCreateReport = _IOWR('s', 4, OcclumReportArgument);
inline constexpr unsigned long kOcclumQuoteSize = _IOR('s', 7, uint32_t);
inline constexpr unsigned long kOcclumQuote = _IOWR('s', 8, OcclumQuoteArgument);
inline constexpr unsigned long kOcclumGetKey = _IOWR('s', 11, OcclumKeyArgument);

}  // namespace keyclave::attest::abi
