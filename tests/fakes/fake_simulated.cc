#ifdef KEYCLAVE_SIMULATED

#include "attest/tee/simulated.h"
#include "tests/fakes/fake_tee.h"
#include "tests/fakes/must.h"

namespace keyclave::test {
namespace {

class FakeSimulated final : public FakeTee {
 public:
  FakeSimulated() : root_(Must(attest::P256PrivateKey::Generate())) {}

  std::string_view type() const override { return "simulated"; }

  attest::Trust OwnTrust() const override {
    attest::Trust trust;
    trust.accepted_types = {"simulated"};
    trust.simulated_roots = {Must(Must(root_.Public()).ToSpki())};
    return trust;
  }

  Bytes Evidence(const attest::ReportData& report_data, UnixTime issued,
                 bool debug) const override {
    attest::SimulatedDocument document;
    document.measurement.fill(0x5a);
    document.executable = "sample";
    document.product_id = 7;
    document.svn = 3;
    document.debug = debug;
    document.platform_id.fill(0x11);
    document.issued = issued;
    document.report_data = report_data;
    return Must(attest::SignSimulated(document, root_));
  }

  std::string Measurement() const override {
    ByteArray<32> measurement;
    measurement.fill(0x5a);
    return ToHex(measurement);
  }

  Window ValidAt(UnixTime issued) const override {
    return {issued - attest::kSimulatedMaxFuture, issued + attest::kSimulatedMaxAge};
  }

 private:
  attest::P256PrivateKey root_;
};

}  // namespace

std::unique_ptr<FakeTee> MakeFakeSimulated() { return std::make_unique<FakeSimulated>(); }

}  // namespace keyclave::test

#endif  // KEYCLAVE_SIMULATED
