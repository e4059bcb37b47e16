#include "tests/fakes/fake_azure.h"

#include <nlohmann/json.hpp>

#include "attest/gnutls_handles.h"
#include "enclave/base/byte_reader.h"

namespace keyclave::test {

std::string RuntimeData(const FakeTpm& vtpm) {
  attest::OwnedDatum n;
  attest::OwnedDatum e;
  if (gnutls_privkey_export_rsa_raw(vtpm.ak().key().handle(), n.get(), e.get(), nullptr, nullptr,
                                    nullptr, nullptr, nullptr, nullptr) != 0)
    std::abort();
  ByteSpan modulus = n.bytes();
  while (modulus.front() == 0) modulus = modulus.subspan(1);
  return nlohmann::json{{"keys",
                         {{{"kid", "HCLAkPub"},
                           {"kty", "RSA"},
                           {"n", ToBase64Url(modulus)},
                           {"e", ToBase64Url(e.bytes())}}}},
                        {"vm-configuration", {{"secure-boot", true}, {"vmUniqueId", "A-B"}}}}
      .dump();
}

Bytes HclReport(const Bytes& hardware, const std::string& runtime, uint32_t type) {
  ByteWriter writer;
  writer.Put(AsBytes("HCLA"));
  const auto size = static_cast<uint32_t>(runtime.size());
  for (const uint32_t word : {2U, 1236 + size, 2U, 0U, 0U, 0U, 0U}) writer.PutLe(word);
  writer.Put(hardware);
  for (const uint32_t word : {20 + size, 1U, type, 1U, size}) writer.PutLe(word);
  writer.Put(AsBytes(runtime));
  writer.Put(Bytes(64, 0));
  return std::move(writer).Finish();
}

Bytes ReportOn(const FakeSnp& guest, const std::string& runtime) {
  attest::ReportData data{};
  const ByteArray<32> digest = Sha256(AsBytes(runtime));
  std::copy(digest.begin(), digest.end(), data.begin());
  return guest.Report(data);
}

attest::tpm::Evidence AzureParts(const FakeSnp& guest, const FakeTpm& vtpm,
                                 ByteSpan qualifying_data) {
  const std::string runtime = RuntimeData(vtpm);
  attest::tpm::Evidence evidence = vtpm.Parts(qualifying_data);
  evidence.key.clear();
  evidence.hcl_report = HclReport(ReportOn(guest, runtime), runtime);
  evidence.hardware_chain = {guest.leaf().certificate().der(), guest.ask().certificate().der()};
  return evidence;
}

}  // namespace keyclave::test
