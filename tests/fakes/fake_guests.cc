#include "tests/fakes/fake_guests.h"

#include <fcntl.h>

#include <bit>

#include "enclave/base/byte_reader.h"
#include "enclave/base/hash.h"

namespace keyclave::fakes {

namespace abi = attest::abi;

namespace {

constexpr std::string_view kReports = "/sys/kernel/config/tsm/report/";
constexpr size_t kReportSize = 0x4A0;
constexpr uint8_t kFiller = 0x5a;
constexpr uint32_t kInvalidParameters = 0x16;
constexpr uint64_t kNoFirmwareCall = 0xff;

template <class T>
T& At(uint64_t address) {
  return *std::bit_cast<T*>(address);
}

void CopyTo(ByteSpan from, uint64_t address) {
  std::copy(from.begin(), from.end(), std::bit_cast<uint8_t*>(address));
}

// A text attribute is stored with each write.
class TextAttribute final : public FakeFile {
 public:
  explicit TextAttribute(std::function<void(std::string_view)> store) : store_(std::move(store)) {}
  ssize_t Write(ByteSpan bytes) override {
    store_(AsText(bytes));
    return static_cast<ssize_t>(bytes.size());
  }

 private:
  std::function<void(std::string_view)> store_;
};

}  // namespace

Bytes FormOfSnpReport(const attest::ReportData& report_data, uint32_t vmpl) {
  ByteWriter writer;
  writer.PutLe(uint32_t{3});
  writer.Put(Bytes(0x30 - 4, kFiller));
  writer.PutLe(vmpl);
  writer.Put(Bytes(0x50 - 0x34, kFiller));
  writer.Put(report_data);
  writer.Put(Bytes(kReportSize - 0x90, kFiller));
  return std::move(writer).Finish();
}

Bytes SnpCertificates(size_t size) {
  ByteWriter writer;
  writer.Put(ByteArray<16>{1});
  writer.PutLe(uint32_t{48});
  writer.PutLe(static_cast<uint32_t>(size));
  writer.Put(ByteArray<24>{});
  writer.Put(Bytes(size, 0xce));
  return std::move(writer).Finish();
}

// outblob or auxblob.
class TsmBlob final : public FakeFile {
 public:
  TsmBlob(FakeTsm& tsm, FakeTsm::Item& item, bool auxiliary)
      : tsm_(tsm), item_(item), auxiliary_(auxiliary) {}

  ssize_t Read(std::span<uint8_t> buffer) override {
    if (!content_) {
      if (item_.inblob.empty()) return -EINVAL;
      if (tsm_.stale_reads > 0) {
        --tsm_.stale_reads;
        return -EWOULDBLOCK;
      }
      content_.emplace(auxiliary_ ? *tsm_.auxblob : tsm_.make(item_));
    }
    return content_->Read(buffer);
  }

 private:
  FakeTsm& tsm_;
  FakeTsm::Item& item_;
  const bool auxiliary_;
  std::optional<ReadableFile> content_;
};

int FakeTsm::Open(const std::string& path, int flags, std::unique_ptr<FakeFile>& file) {
  if (!path.starts_with(kReports)) return -ENOENT;
  const size_t slash = path.rfind('/');
  const auto found = items.find(path.substr(0, slash));
  if (found == items.end()) return -ENOENT;
  const std::string name = path.substr(slash + 1);
  if (flags == O_WRONLY) return OpenForWriting(found->second, name, file);
  if (name == "outblob" || (name == "auxblob" && auxblob)) {
    file = std::make_unique<TsmBlob>(*this, found->second, name == "auxblob");
    return 0;
  }
  return OpenText(found->second, name, file);
}

int FakeTsm::OpenText(const Item& item, const std::string& name,
                      std::unique_ptr<FakeFile>& file) const {
  std::string text;
  if (name == "provider") {
    text = provider;
  } else if (name == "generation") {
    text = std::to_string(item.generation);
  } else if (name == "privlevel_floor" && floor) {
    text = *floor;
  } else {
    return name == "inblob" ? -EACCES : -ENOENT;
  }
  file = std::make_unique<ReadableFile>(ToBytes(text + "\n"));
  return 0;
}

int FakeTsm::OpenForWriting(Item& item, const std::string& name, std::unique_ptr<FakeFile>& file) {
  if (name == "privlevel" && floor) {
    file = std::make_unique<TextAttribute>([&item](std::string_view text) {
      item.privlevel = text;
      ++item.generation;
    });
    return 0;
  }
  if (name != "inblob") return name == "outblob" ? -EACCES : -ENOENT;
  file = std::make_unique<WritableFile>([this, &item](ByteSpan bytes) {
    if (lost_inblobs > 0) {
      --lost_inblobs;
      return 0;
    }
    item.inblob = ToBytes(bytes);
    ++item.generation;
    if (other_writer) other_writer(item);
    return 0;
  });
  return 0;
}

int FakeTsm::MakeFolder(const std::string& path) {
  if (!path.starts_with(kReports)) return -ENOENT;
  if (provider.empty()) return -ENXIO;
  if (!items.emplace(path, Item{}).second) return -EEXIST;
  ++made;
  return 0;
}

int FakeTsm::RemoveFolder(const std::string& path) { return items.erase(path) == 1 ? 0 : -ENOENT; }

class SevGuestDevice final : public FakeFile {
 public:
  explicit SevGuestDevice(FakeSevGuest& guest) : guest_(guest) {}
  int Ioctl(unsigned long request, void* argument) override {
    return guest_.Ioctl(request, *static_cast<abi::SnpGuestRequest*>(argument));
  }

 private:
  FakeSevGuest& guest_;
};

int FakeSevGuest::Open(const std::string& path, int flags, std::unique_ptr<FakeFile>& file) {
  if (path != "/dev/sev-guest") return -ENOENT;
  if (flags != O_RDWR && flags != O_RDONLY) return -EINVAL;
  file = std::make_unique<SevGuestDevice>(*this);
  return 0;
}

int FakeSevGuest::Ioctl(unsigned long request, abi::SnpGuestRequest& message) {
  message.exitinfo2 = kNoFirmwareCall;
  if (message.msg_version != 1) return -EINVAL;
  if (vmpck_lost) return -ENOTTY;
  if (request == abi::kSnpGetExtendedReport && has_extended) return Extended(message);
  if (request == abi::kSnpGetDerivedKey) return DerivedKey(message);
  if (request != abi::kSnpGetReport) return -ENOTTY;
  ++plain_reports;
  message.exitinfo2 = 0;
  return Report(At<abi::SnpReportRequest>(message.req_data), message.resp_data);
}

int FakeSevGuest::Extended(abi::SnpGuestRequest& message) {
  ++extended_reports;
  auto& request = At<abi::SnpExtendedReportRequest>(message.req_data);
  if (request.certs_len > most_certificates || request.certs_len % 4096 != 0) return -EINVAL;
  if (request.certs_len < certificates.size()) {
    message.exitinfo2 = uint64_t{abi::kSnpVmmInvalidLength} << 32;
    const size_t pages = (certificates.size() + 4095) / 4096;
    request.certs_len = needed != 0 ? needed : static_cast<uint32_t>(pages * 4096);
    return -EIO;
  }
  message.exitinfo2 = 0;
  Bytes buffer = certificates;
  buffer.resize(request.certs_len);
  CopyTo(buffer, request.certs_address);
  return Report(request.data, message.resp_data);
}

int FakeSevGuest::Report(const abi::SnpReportRequest& request, uint64_t response) {
  attest::ReportData asked{};
  std::copy(std::begin(request.user_data), std::end(request.user_data), asked.begin());
  uint32_t answer = status;
  if (answer == 0 && (request.vmpl < own_vmpl || request.vmpl > 3)) answer = kInvalidParameters;
  ByteWriter writer;
  writer.PutLe(answer);
  writer.PutLe(report_size != 0 ? report_size : static_cast<uint32_t>(kReportSize));
  writer.Put(ByteArray<24>{});
  if (answer == 0) {
    const attest::ReportData& carried = diverted == attest::ReportData{} ? asked : diverted;
    writer.Put(sign ? sign(carried, request.vmpl) : FormOfSnpReport(carried, request.vmpl));
  }
  CopyTo(writer.bytes(), response);
  return 0;
}

int FakeSevGuest::DerivedKey(const abi::SnpGuestRequest& message) {
  last_key_request = At<abi::SnpDerivedKeyRequest>(message.req_data);
  const auto& request = last_key_request;
  ByteWriter mixed;
  mixed.PutLe(request.guest_field_select);
  mixed.PutLe(request.vmpl);
  if ((request.guest_field_select & 8) != 0) mixed.Put(measurement);
  mixed.PutLe(request.guest_svn);
  mixed.PutLe(request.tcb_version);
  ByteWriter response;
  response.PutLe(status);
  response.Put(ByteArray<28>{});
  response.Put(zero_key ? ByteArray<32>{} : Sha256(mixed.bytes()));
  CopyTo(response.bytes(), message.resp_data);
  return 0;
}

}  // namespace keyclave::fakes
