// The key that the security processor derives for this launch digest and guest policy, and the
// committed TCB of when it was sealed: newer firmware can derive it too, older cannot. (The ids of
// an ID block would outlive a new image, but whoever launches a guest chooses them: they bind to
// nothing.)
#include "attest/produce/produce.h"
#include "attest/snp/report.h"
#include "enclave/base/byte_reader.h"
#include "enclave/base/hash.h"
#include "enclave/seal/seal.h"

namespace keyclave::seal {
namespace {

class SnpSealer final : public KeySealer {
 public:
  explicit SnpSealer(const attest::ProducerConfig& producer) : producer_(producer) {}
  std::string Name() const override { return "sev-snp"; }

 protected:
  Result<Bytes> BindingOfNow() const override {
    auto evidence = attest::ProduceSevSnp(attest::ReportData{}, producer_);
    if (!evidence.ok()) return Fail(Code::kSealingKeyUnavailable, evidence.error().detail());
    KC_ASSIGN(const attest::SnpReport report,
              attest::ParseSnpReport(
                  ByteSpan(*evidence).first(std::min(evidence->size(), attest::kSnpReportSize))));
    ByteWriter out;
    out.Put(report.committed_tcb);
    out.PutBe(report.vmpl);
    return std::move(out).Finish();
  }
  Result<SecretBytes> PlatformKey(ByteSpan binding) const override {
    ByteReader in(binding);
    attest::SnpKeyBinding key;
    KC_ASSIGN(key.tcb_version, in.TakeLe<uint64_t>());  // as it lies in the report
    KC_ASSIGN(key.vmpl, in.TakeBe<uint32_t>());
    KC_CHECK_OK(in.ExpectEnd());
    return attest::SnpSealingKey(producer_, key);
  }
  std::string Advice() const override {
    return "it is bound to the chip, this very image (launch digest) and the guest's policy";
  }

 private:
  const attest::ProducerConfig& producer_;
};

}  // namespace

std::unique_ptr<keys::RootSealer> MakeSnpSealer(const attest::ProducerConfig& producer) {
  return std::make_unique<SnpSealer>(producer);
}

}  // namespace keyclave::seal
