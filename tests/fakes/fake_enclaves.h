// What a process finds inside enclaves: Gramine's and Occlum's interfaces (SGX) and the Nitro
// security module's device, each as its documentation or driver has it.
#pragma once

#include "attest/binding.h"
#include "attest/produce/abi.h"
#include "tests/fakes/fake_host.h"

namespace keyclave::fakes {

// Quotes in form only: versions, sizes and report data are where they belong, no signature is good.
Bytes FormOfSgxQuote(const attest::ReportData& report_data);
Bytes FormOfTdxQuote(uint16_t version, const attest::ReportData& report_data);

// /dev/attestation. The report data are one variable, taken when its file is closed; a quote is
// made when its file is opened.
class FakeGramine final : public FakeInterface {
 public:
  std::string type = "dcap";
  bool quoting_works = true;           // the host's AESM
  size_t padding = 0;                  // zeros behind the quote
  std::map<std::string, Bytes> keys;   // by name
  std::function<void()> before_quote;  // what another thread does in between
  std::function<Bytes(const attest::ReportData&)> make_quote = FormOfSgxQuote;
  attest::ReportData report_data{};

  int Open(const std::string& path, int flags, std::unique_ptr<FakeFile>& file) override;
};

// /dev/sgx, and the files under Gramine's names that newer ones have: each read of them starts at
// the beginning again.
class FakeOcclum final : public FakeInterface {
 public:
  bool is_occlum = true;  // false: a device of that name that knows none of the ioctls
  bool quoting_works = true;
  uint32_t quote_size = 0;  // what it announces; 0: what the quote has
  bool has_files = false;
  ByteArray<16> cpu_svn{};
  uint16_t isv_svn = 0;
  attest::ReportData diverted{};  // carried instead of what was asked for, unless zero
  Bytes key;                      // 16 bytes
  Bytes last_key_request;

  int Open(const std::string& path, int flags, std::unique_ptr<FakeFile>& file) override;
  int Ioctl(unsigned long request, void* argument);

 private:
  int MakeQuote(const attest::abi::OcclumQuoteArgument& argument) const;
  int MakeReport(const attest::abi::OcclumReportArgument& argument) const;
  int MakeKey(const attest::abi::OcclumKeyArgument& argument);
};

// /dev/nsm: answers each message with `answer`, cut to the buffer.
class FakeNsm final : public FakeInterface {
 public:
  Bytes answer;
  std::function<Bytes(ByteSpan request)> answer_to;  // makes `answer`, where it is set
  uint64_t announced = 0;                            // as the answer's length; 0: its own
  Bytes last_request;

  int Open(const std::string& path, int flags, std::unique_ptr<FakeFile>& file) override;
  int Send(attest::abi::NsmMessage& message);
};

}  // namespace keyclave::fakes
