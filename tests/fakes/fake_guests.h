// What a process finds inside confidential virtual machines: configfs-tsm and /dev/sev-guest, each
// as the kernel's documentation and driver have it.
#pragma once

#include "attest/binding.h"
#include "attest/produce/abi.h"
#include "tests/fakes/fake_host.h"

namespace keyclave::fakes {

// A report in form only.
Bytes FormOfSnpReport(const attest::ReportData& report_data, uint32_t vmpl);
// A table with one certificate of this size.
Bytes SnpCertificates(size_t size);

// /sys/kernel/config/tsm/report. inblob is taken when its file is closed, which cannot fail;
// outblob and auxblob are made at the first read.
class FakeTsm final : public FakeInterface {
 public:
  struct Item {
    uint64_t generation = 0;
    Bytes inblob;
    std::string privlevel = "0";
  };
  std::string provider = "sev_guest";  // empty: no driver
  std::optional<std::string> floor;    // privlevel_floor, where the provider has levels
  std::function<Bytes(const Item&)> make;
  std::optional<Bytes> auxblob;
  std::function<void(Item&)> other_writer;  // what happens to a folder once we wrote to it
  int lost_inblobs = 0;                     // writes that the kernel drops, as it may at close
  int stale_reads = 0;                      // EWOULDBLOCK: not made of the last request yet
  std::map<std::string, Item> items;
  int made = 0;  // folders

  int Open(const std::string& path, int flags, std::unique_ptr<FakeFile>& file) override;
  int MakeFolder(const std::string& path) override;
  int RemoveFolder(const std::string& path) override;

 private:
  friend class TsmBlob;
  int OpenText(const Item& item, const std::string& name, std::unique_ptr<FakeFile>& file) const;
  int OpenForWriting(Item& item, const std::string& name, std::unique_ptr<FakeFile>& file);
};

// /dev/sev-guest, the secure processor behind it and the host's certificates.
class FakeSevGuest final : public FakeInterface {
 public:
  uint32_t own_vmpl = 0;
  bool vmpck_lost = false;              // the driver answers nothing any more
  uint32_t status = 0;                  // of the firmware's answers; 0: as it should be
  uint32_t report_size = 0;             // announced; 0: its own
  attest::ReportData diverted{};        // carried instead of what was asked for, unless zero
  Bytes certificates;                   // what the host has
  uint32_t most_certificates = 0x4000;  // what the driver takes
  uint32_t needed = 0;                  // announced when the buffer is too small; 0: what it takes
  bool has_extended = true;
  bool zero_key = false;
  Bytes measurement = Bytes(48, 7);
  // What signs its reports; without it they are reports in form only.
  std::function<Bytes(const attest::ReportData&, uint32_t vmpl)> sign;
  attest::abi::SnpDerivedKeyRequest last_key_request{};
  int extended_reports = 0;
  int plain_reports = 0;

  int Open(const std::string& path, int flags, std::unique_ptr<FakeFile>& file) override;

 private:
  friend class SevGuestDevice;
  int Ioctl(unsigned long request, attest::abi::SnpGuestRequest& message);
  int Extended(attest::abi::SnpGuestRequest& message);
  int Report(const attest::abi::SnpReportRequest& request, uint64_t response);
  int DerivedKey(const attest::abi::SnpGuestRequest& message);
};

}  // namespace keyclave::fakes
