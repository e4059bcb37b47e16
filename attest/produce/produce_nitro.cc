#include "attest/produce/abi.h"
#include "attest/produce/io.h"
#include "attest/produce/produce.h"
#include "enclave/base/cbor.h"

namespace keyclave::attest {
namespace {

constexpr const char* kDevice = "/dev/nsm";
// The request and its answer as the NSM's own library serialises them (aws-nitro-enclaves-nsm-api,
// src/api).
constexpr std::string_view kAttestation = "Attestation";
constexpr std::string_view kDocument = "document";
constexpr std::string_view kError = "Error";
constexpr std::array<std::string_view, 3> kFields = {"user_data", "nonce", "public_key"};
static_assert(std::find(kFields.begin(), kFields.end(), kNitroReportDataField) != kFields.end());
constexpr uint8_t kCborNull[] = {0xf6};
constexpr size_t kMaxName = 64;

Bytes EncodeRequest(const ReportData& report_data) {
  CborWriter writer;
  writer.Map(1);
  writer.Text(kAttestation);
  writer.Map(kFields.size());
  for (const std::string_view field : kFields) {
    writer.Text(field);
    if (field == kNitroReportDataField) {
      writer.ByteString(report_data);
    } else {
      writer.Raw(kCborNull);
    }
  }
  return std::move(writer).Finish();
}

Result<Bytes> ParseAnswer(ByteSpan answer) {
  CborReader reader(answer);
  KC_ASSIGN(const uint64_t count, reader.Map(1));
  if (count != 1) return Fail(Code::kMalformed, "an answer without content");
  KC_ASSIGN(const std::string_view kind, reader.Text(kMaxName));
  if (kind == kError) {
    KC_ASSIGN(const std::string_view error, reader.Text(kMaxName));
    return Fail(Code::kEvidenceUnavailable, "the security module refuses: " + std::string(error));
  }
  if (kind != kAttestation)
    return FailWanted(Code::kMalformed, "answer", std::string(kAttestation), std::string(kind));
  KC_ASSIGN(const uint64_t fields, reader.Map(1));
  if (fields != 1) return Fail(Code::kMalformed, "an answer without a document");
  KC_ASSIGN(const std::string_view name, reader.Text(kMaxName));
  if (name != kDocument)
    return FailWanted(Code::kMalformed, "answer", std::string(kDocument), std::string(name));
  KC_ASSIGN(const ByteSpan document, reader.ByteString(abi::kNsmMaxResponse));
  KC_CHECK_OK(reader.ExpectEnd());
  return ToBytes(document);
}

std::string_view AdviceOnDevice(int error) {
  switch (error) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return "inside an AWS Nitro enclave, with Amazon's driver or Linux 6.8 or later: modprobe "
             "nsm";
    case EACCES:
    case EPERM: return "give this user access to the device, or run as root";
    default: return "";
  }
}

}  // namespace

Result<Bytes> ProduceNitro(const ReportData& report_data, const ProducerConfig& config) {
  Io io(HostOf(config));
  auto device = io.Open(kDevice, O_RDWR);
  if (!device.ok()) return Unavailable(kDevice, device.error(), AdviceOnDevice(device.error()));
  Bytes request = EncodeRequest(report_data);
  Bytes answer(abi::kNsmMaxResponse);
  abi::NsmMessage message = {{abi::Address(request.data()), request.size()},
                             {abi::Address(answer.data()), answer.size()}};
  if (auto sent = io.Ioctl(*device, abi::kNsmRaw, message); !sent.ok())
    return Unavailable(kDevice, sent.error(), "");
  if (message.response.length > answer.size()) {
    return Fail(Code::kEvidenceUnavailable, std::string(kDevice) + ": an answer of " +
                                                std::to_string(message.response.length) +
                                                " bytes is announced");
  }
  answer.resize(static_cast<size_t>(message.response.length));
  auto document = ParseAnswer(answer);
  if (document.ok()) return document;
  const Error& error = document.error();
  return Fail(Code::kEvidenceUnavailable,
              std::string(kDevice) + ": " +
                  (error.code() == Code::kEvidenceUnavailable ? error.detail() : error.Text()));
}

}  // namespace keyclave::attest
