// The kernel's structures and numbers: against its headers where they are installed, else against
// the numbers that strace(1) and other programs know.

#include <gtest/gtest.h>
#include <linux/sev-guest.h>

#include "attest/produce/abi.h"
#if __has_include(<linux/nsm.h>)
#include <linux/nsm.h>
#endif

#include <cstddef>

namespace keyclave::attest::abi {
namespace {

static_assert(sizeof(SnpReportRequest) == sizeof(snp_report_req));
static_assert(offsetof(SnpReportRequest, user_data) == offsetof(snp_report_req, user_data));
static_assert(offsetof(SnpReportRequest, vmpl) == offsetof(snp_report_req, vmpl));
static_assert(sizeof(SnpExtendedReportRequest) == sizeof(snp_ext_report_req));
static_assert(offsetof(SnpExtendedReportRequest, certs_address) ==
              offsetof(snp_ext_report_req, certs_address));
static_assert(offsetof(SnpExtendedReportRequest, certs_len) ==
              offsetof(snp_ext_report_req, certs_len));
static_assert(sizeof(SnpDerivedKeyRequest) == sizeof(snp_derived_key_req));
static_assert(offsetof(SnpDerivedKeyRequest, guest_field_select) ==
              offsetof(snp_derived_key_req, guest_field_select));
static_assert(offsetof(SnpDerivedKeyRequest, vmpl) == offsetof(snp_derived_key_req, vmpl));
static_assert(offsetof(SnpDerivedKeyRequest, guest_svn) ==
              offsetof(snp_derived_key_req, guest_svn));
static_assert(offsetof(SnpDerivedKeyRequest, tcb_version) ==
              offsetof(snp_derived_key_req, tcb_version));
static_assert(sizeof(SnpGuestRequest) == sizeof(snp_guest_request_ioctl));
static_assert(offsetof(SnpGuestRequest, req_data) == offsetof(snp_guest_request_ioctl, req_data));
static_assert(offsetof(SnpGuestRequest, resp_data) == offsetof(snp_guest_request_ioctl, resp_data));
static_assert(kSnpReportResponse == sizeof(snp_report_resp));
static_assert(kSnpDerivedKeyResponse == sizeof(snp_derived_key_resp));
static_assert(kSnpGetReport == SNP_GET_REPORT);
static_assert(kSnpGetDerivedKey == SNP_GET_DERIVED_KEY);
static_assert(kSnpGetExtendedReport == SNP_GET_EXT_REPORT);
#ifdef SNP_GUEST_VMM_ERR_INVALID_LEN  // since Linux 6.1.23
static_assert(offsetof(SnpGuestRequest, exitinfo2) == offsetof(snp_guest_request_ioctl, exitinfo2));
static_assert(kSnpVmmInvalidLength == SNP_GUEST_VMM_ERR_INVALID_LEN);
#endif

#if __has_include(<linux/nsm.h>)
static_assert(sizeof(NsmMessage) == sizeof(nsm_raw));
static_assert(kNsmRaw == NSM_IOCTL_RAW);
static_assert(kNsmMaxRequest == NSM_REQUEST_MAX_SIZE);
static_assert(kNsmMaxResponse == NSM_RESPONSE_MAX_SIZE);
#endif
static_assert(sizeof(NsmMessage) == 32);

TEST(ProduceAbi, NumbersAreTheOnesOfTheInterfaces) {
  EXPECT_EQ(kSnpGetReport, 0xc0205300u);
  EXPECT_EQ(kSnpGetDerivedKey, 0xc0205301u);
  EXPECT_EQ(kSnpGetExtendedReport, 0xc0205302u);
  EXPECT_EQ(kNsmRaw, 0xc0200a00u);
  EXPECT_EQ(kOcclumCreateReport, 0xc0187304u);
  EXPECT_EQ(kOcclumQuoteSize, 0x80047307u);
  EXPECT_EQ(kOcclumQuote, 0xc0187308u);
  EXPECT_EQ(kOcclumGetKey, 0xc010730bu);
}

TEST(ProduceAbi, AnAddressLeadsBack) {
  int value = 0;
  EXPECT_EQ(std::bit_cast<int*>(Address(&value)), &value);
}

}  // namespace
}  // namespace keyclave::attest::abi
