#include "attest/produce/sev_guest.h"

#include "attest/evidence.h"
#include "enclave/base/byte_reader.h"

namespace keyclave::attest {
namespace {

constexpr uint8_t kMessageVersion = 1;
constexpr uint32_t kVmpls = 4;
constexpr size_t kPage = 4096;
constexpr size_t kFirstCertificates = 4 * kPage;  // the most that the driver takes (6.1 to 6.12)
constexpr size_t kMaxCertificates = (kMaxEvidence - kSnpReportSize) / kPage * kPage;
constexpr size_t kReportDataOffset = 0x50;
constexpr size_t kResponseReserved = 24;  // MSG_REPORT_RSP
constexpr size_t kKeyReserved = 28;       // MSG_KEY_RSP
constexpr size_t kKeySize = 32;
constexpr uint32_t kStatusOk = 0;
constexpr uint32_t kStatusInvalidParameters = 0x16;

struct Response {
  uint32_t status = kStatusOk;
  ByteSpan report;
};

uint32_t VmmError(const abi::SnpGuestRequest& request) {
  return static_cast<uint32_t>(request.exitinfo2 >> 32);
}

std::string Hex(uint64_t value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  do {
    text.insert(text.begin(), kDigits[value & 0xf]);
    value >>= 4;
  } while (value != 0);
  return "0x" + text;
}

Error DeviceFailed(std::string_view what, int error, const abi::SnpGuestRequest& request) {
  std::string where = kSevGuestDevice;
  where.append(": ").append(what);
  if (error == ENOTTY) {
    return Unavailable(where, error,
                       "the driver has given up its key to the secure processor after an earlier "
                       "failure (VMPCK, see the kernel's log): restart this guest");
  }
  return Unavailable(where, error,
                     "hypervisor's error " + Hex(VmmError(request)) + ", firmware's " +
                         Hex(static_cast<uint32_t>(request.exitinfo2)));
}

Result<Response> ParseResponse(ByteSpan bytes) {
  ByteReader reader(bytes);
  Response response;
  KC_ASSIGN(response.status, reader.TakeLe<uint32_t>());
  KC_ASSIGN(const uint32_t size, reader.TakeLe<uint32_t>());
  KC_CHECK_OK(reader.Take(kResponseReserved));
  if (response.status != kStatusOk) return response;
  if (size != kSnpReportSize) {
    return FailWanted(Code::kMalformed, "size of the report", std::to_string(kSnpReportSize),
                      std::to_string(size));
  }
  KC_ASSIGN(response.report, reader.Take(size));
  return response;
}

// Asks for one level's report, once with the certificates, once without them if they cannot be had.
class ReportRequest {
 public:
  ReportRequest(Io& io, const OpenFile& device, const ReportData& report_data, uint32_t vmpl)
      : io_(io), device_(device) {
    std::copy(report_data.begin(), report_data.end(), extended_.data.user_data);
    extended_.data.vmpl = vmpl;
  }

  Result<Response> Ask() {
    auto asked = AskExtended(kFirstCertificates);
    if (!asked.ok() && VmmError(message_) == abi::kSnpVmmInvalidLength) {
      // The driver has written the length that the host's table has.
      const size_t needed = extended_.certs_len;
      if (needed > certificates_.size() && needed <= kMaxCertificates && needed % kPage == 0)
        asked = AskExtended(needed);
    }
    const bool without = !asked.ok() && (VmmError(message_) == abi::kSnpVmmInvalidLength ||
                                         asked.error() == EINVAL || asked.error() == ENOTTY);
    if (without) {
      certificates_.clear();
      asked = AskPlain();
    }
    if (!asked.ok()) return DeviceFailed("making a report", asked.error(), message_);
    auto response = ParseResponse(response_);
    if (!response.ok()) {
      return Fail(Code::kEvidenceUnavailable,
                  std::string(kSevGuestDevice) + ": " + response.error().Text());
    }
    return response;
  }
  const Bytes& certificates() const { return certificates_; }

 private:
  Sys<Done> AskExtended(size_t size) {
    certificates_.assign(size, 0);
    extended_.certs_address = abi::Address(certificates_.data());
    extended_.certs_len = static_cast<uint32_t>(size);
    return Send(abi::kSnpGetExtendedReport, abi::Address(&extended_));
  }
  Sys<Done> AskPlain() { return Send(abi::kSnpGetReport, abi::Address(&extended_.data)); }
  Sys<Done> Send(unsigned long number, uint64_t request) {
    response_.fill(0);
    message_ = {};
    message_.msg_version = kMessageVersion;
    message_.req_data = request;
    message_.resp_data = abi::Address(response_.data());
    return io_.Ioctl(device_, number, message_);
  }

  Io& io_;
  const OpenFile& device_;
  abi::SnpExtendedReportRequest extended_{};
  abi::SnpGuestRequest message_{};
  Bytes certificates_;
  ByteArray<abi::kSnpReportResponse> response_{};
};

std::string FirmwareRefused(std::string_view what, uint32_t status) {
  return std::string(kSevGuestDevice)
      .append(": the secure processor refuses ")
      .append(what)
      .append(": status ")
      .append(Hex(status));
}

}  // namespace

Result<OpenFile> OpenSevGuest(Io& io) {
  auto device = io.Open(kSevGuestDevice, O_RDWR);
  if (device.ok()) return std::move(*device);
  switch (device.error()) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return Unavailable(kSevGuestDevice, device.error(),
                         "in an AMD SEV-SNP guest with Linux 5.19 or later: modprobe sev-guest");
    case EACCES:
    case EPERM:
      return Unavailable(kSevGuestDevice, device.error(),
                         "give this user access to the device (a udev rule), or run as root");
    default: return Unavailable(kSevGuestDevice, device.error(), "");
  }
}

Result<SnpReport> RequestSnpReport(Io& io, const OpenFile& device, const ReportData& report_data) {
  uint32_t status = kStatusOk;
  // The firmware refuses levels below the guest's own (MSG_REPORT_REQ, VMPL), which the device does
  // not tell: the first that it takes is that one.
  for (uint32_t vmpl = 0; vmpl < kVmpls; ++vmpl) {
    ReportRequest request(io, device, report_data, vmpl);
    KC_ASSIGN(const Response response, request.Ask());
    status = response.status;
    if (status == kStatusInvalidParameters) continue;
    if (status != kStatusOk) break;
    if (!SnpCarriesReportData(response.report, report_data)) {
      return Fail(Code::kEvidenceUnavailable,
                  std::string(kSevGuestDevice) + ": the report carries other report data");
    }
    return SnpReport{ToBytes(response.report), CutCertificates(request.certificates())};
  }
  return Fail(Code::kEvidenceUnavailable, FirmwareRefused("a report", status));
}

Result<SecretBytes> RequestSnpKey(Io& io, const OpenFile& device,
                                  abi::SnpDerivedKeyRequest& request) {
  SecretBytes response(abi::kSnpDerivedKeyResponse);
  abi::SnpGuestRequest message{};
  message.msg_version = kMessageVersion;
  message.req_data = abi::Address(&request);
  message.resp_data = abi::Address(response.ExposeMutable(SecretAccess{}).data());
  if (auto asked = io.Ioctl(device, abi::kSnpGetDerivedKey, message); !asked.ok())
    return DeviceFailed("deriving a key", asked.error(), message);
  ByteReader reader(response.Expose(SecretAccess{}));
  KC_ASSIGN(const uint32_t status, reader.TakeLe<uint32_t>());
  if (status != kStatusOk)
    return Fail(Code::kEvidenceUnavailable, FirmwareRefused("a derived key", status));
  KC_CHECK_OK(reader.Take(kKeyReserved));
  KC_ASSIGN(const ByteSpan key, reader.Take(kKeySize));
  if (std::all_of(key.begin(), key.end(), [](uint8_t byte) { return byte == 0; }))
    return Fail(Code::kEvidenceUnavailable, std::string(kSevGuestDevice) + ": the key is zero");
  return SecretBytes::CopyOf(key);
}

bool SnpCarriesReportData(ByteSpan report, const ReportData& report_data) {
  ByteReader reader(report);
  if (!reader.Take(kReportDataOffset).ok()) return false;
  const auto field = reader.Take(report_data.size());
  return field.ok() && Equal(*field, report_data);
}

Bytes CutCertificates(ByteSpan table) {
  // SEV-ES GHCB specification, MSG_REPORT_REQ: entries of a GUID, an offset from the start of the
  // table and a length, up to one of zeros; then the certificates.
  uint64_t end = 0;
  for (ByteReader reader(table);;) {
    const auto guid = reader.TakeArray<16>();
    const auto offset = reader.TakeLe<uint32_t>();
    const auto length = reader.TakeLe<uint32_t>();
    if (!guid.ok() || !offset.ok() || !length.ok()) return {};
    if (*guid == ByteArray<16>{} && *offset == 0 && *length == 0) break;
    end = std::max(end, uint64_t{*offset} + *length);
  }
  if (end > table.size()) return {};
  return ToBytes(table.first(static_cast<size_t>(end)));
}

}  // namespace keyclave::attest
