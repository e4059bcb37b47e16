#include "tests/fakes/fake_enclaves.h"

#include <fcntl.h>

#include <bit>

#include "enclave/base/byte_reader.h"

namespace keyclave::fakes {

namespace abi = attest::abi;

namespace {

constexpr size_t kSignature = 600;
constexpr uint8_t kFiller = 0x5a;
constexpr std::string_view kAttestation = "/dev/attestation/";
constexpr std::string_view kKeys = "keys/";

void PutFiller(ByteWriter& writer, size_t size) { writer.Put(Bytes(size, kFiller)); }

// A body, its report data at this offset, and what every version has behind it.
void PutBody(ByteWriter& writer, size_t size, size_t offset, ByteSpan report_data) {
  PutFiller(writer, offset);
  writer.Put(report_data);
  PutFiller(writer, size - offset - report_data.size());
  writer.PutLe(static_cast<uint32_t>(kSignature));
  PutFiller(writer, kSignature);
}

std::span<uint8_t> Memory(uint64_t address, size_t size) {
  return {std::bit_cast<uint8_t*>(address), size};
}

void CopyTo(ByteSpan from, uint8_t* to) { std::copy(from.begin(), from.end(), to); }

// A device whose ioctls somebody else answers.
class Device final : public FakeFile {
 public:
  explicit Device(std::function<int(unsigned long, void*)> answer) : answer_(std::move(answer)) {}
  int Ioctl(unsigned long request, void* argument) override { return answer_(request, argument); }

 private:
  std::function<int(unsigned long, void*)> answer_;
};

// Content that starts again with each read.
class EndlessFile final : public FakeFile {
 public:
  explicit EndlessFile(Bytes content) : content_(std::move(content)) {}
  ssize_t Read(std::span<uint8_t> buffer) override { return ReadableFile(content_).Read(buffer); }

 private:
  Bytes content_;
};

}  // namespace

Bytes FormOfSgxQuote(const attest::ReportData& report_data) {
  ByteWriter writer;
  writer.PutLe(uint16_t{3});
  PutFiller(writer, 46);
  PutBody(writer, 384, 320, report_data);
  return std::move(writer).Finish();
}

Bytes FormOfTdxQuote(uint16_t version, const attest::ReportData& report_data) {
  ByteWriter writer;
  writer.PutLe(version);
  writer.PutLe(uint16_t{2});
  writer.PutLe(uint32_t{0x81});
  PutFiller(writer, 40);
  if (version == 5) {
    writer.PutLe(uint16_t{3});
    writer.PutLe(uint32_t{648});
  }
  PutBody(writer, version == 5 ? 648 : 584, 520, report_data);
  return std::move(writer).Finish();
}

int FakeGramine::Open(const std::string& path, int flags, std::unique_ptr<FakeFile>& file) {
  if (!path.starts_with(kAttestation)) return -ENOENT;
  const std::string name = path.substr(kAttestation.size());
  if (name == "attestation_type") {
    file = std::make_unique<ReadableFile>(ToBytes(type));
    return 0;
  }
  if (name == "user_report_data" && flags == O_WRONLY) {
    file = std::make_unique<WritableFile>([this](ByteSpan bytes) {
      report_data = {};
      CopyTo(bytes.first(std::min(bytes.size(), report_data.size())), report_data.data());
      return 0;
    });
    return 0;
  }
  if (name == "quote" && type != "none") {
    if (!quoting_works) return -EACCES;
    if (before_quote) before_quote();
    Bytes quote = make_quote(report_data);
    quote.resize(quote.size() + padding);
    file = std::make_unique<ReadableFile>(std::move(quote));
    return 0;
  }
  if (!name.starts_with(kKeys)) return -ENOENT;
  const auto key = keys.find(name.substr(kKeys.size()));
  if (key == keys.end()) return -ENOENT;
  file = std::make_unique<ReadableFile>(key->second);
  return 0;
}

int FakeOcclum::Open(const std::string& path, int /*flags*/, std::unique_ptr<FakeFile>& file) {
  if (path == "/dev/sgx") {
    file = std::make_unique<Device>(
        [this](unsigned long request, void* argument) { return Ioctl(request, argument); });
    return 0;
  }
  if (!has_files || path != "/dev/attestation/attestation_type") return -ENOENT;
  file = std::make_unique<EndlessFile>(ToBytes(std::string_view("dcap")));
  return 0;
}

int FakeOcclum::Ioctl(unsigned long request, void* argument) {
  if (!is_occlum) return -ENOTTY;
  switch (request) {
    case abi::kOcclumCreateReport:
      return MakeReport(*static_cast<abi::OcclumReportArgument*>(argument));
    case abi::kOcclumQuoteSize:
      if (!quoting_works) return -EINVAL;
      *static_cast<uint32_t*>(argument) =
          quote_size != 0 ? quote_size : static_cast<uint32_t>(FormOfSgxQuote({}).size());
      return 0;
    case abi::kOcclumQuote: return MakeQuote(*static_cast<abi::OcclumQuoteArgument*>(argument));
    case abi::kOcclumGetKey: return MakeKey(*static_cast<abi::OcclumKeyArgument*>(argument));
    default: return -EINVAL;
  }
}

int FakeOcclum::MakeQuote(const abi::OcclumQuoteArgument& argument) const {
  attest::ReportData asked{};
  CopyTo(ByteSpan(argument.report_data, asked.size()), asked.data());
  const Bytes quote = FormOfSgxQuote(diverted == attest::ReportData{} ? asked : diverted);
  if (*argument.quote_size < quote.size()) return -EINVAL;
  CopyTo(quote, argument.quote);
  return 0;
}

int FakeOcclum::MakeReport(const abi::OcclumReportArgument& argument) const {
  ByteWriter report;
  report.Put(cpu_svn);
  PutFiller(report, 258 - cpu_svn.size());
  report.PutLe(isv_svn);
  PutFiller(report, abi::kSgxReport - report.bytes().size());
  CopyTo(report.bytes(), argument.report);
  return 0;
}

int FakeOcclum::MakeKey(const abi::OcclumKeyArgument& argument) {
  last_key_request = ToBytes(ByteSpan(argument.key_request, abi::kSgxKeyRequest));
  if (key.empty()) return -EINVAL;
  CopyTo(key, argument.key);
  return 0;
}

int FakeNsm::Open(const std::string& path, int /*flags*/, std::unique_ptr<FakeFile>& file) {
  if (path != "/dev/nsm") return -ENOENT;
  file = std::make_unique<Device>([this](unsigned long request, void* argument) {
    return request == abi::kNsmRaw ? Send(*static_cast<abi::NsmMessage*>(argument)) : -EINVAL;
  });
  return 0;
}

int FakeNsm::Send(abi::NsmMessage& message) {
  if (message.request.length > abi::kNsmMaxRequest) return -EMSGSIZE;
  last_request =
      ToBytes(Memory(message.request.address, static_cast<size_t>(message.request.length)));
  if (answer_to) answer = answer_to(last_request);
  const size_t size = std::min(static_cast<size_t>(message.response.length), answer.size());
  CopyTo(ByteSpan(answer).first(size), Memory(message.response.address, size).data());
  message.response.length = announced != 0 ? announced : size;
  return 0;
}

}  // namespace keyclave::fakes
