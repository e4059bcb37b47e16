#include "tests/fakes/fake_tee.h"

#include <cstdlib>

#include "attest/tee/simulated.h"

namespace keyclave::test {
namespace {

#ifdef KEYCLAVE_SIMULATED

// The value, or the end of the test program: a fake that cannot sign tests nothing.
template <class T>
T Must(Result<T> result) {
  if (!result.ok()) std::abort();
  return std::move(result).value();
}

class FakeSimulated final : public FakeTee {
 public:
  FakeSimulated() : root_(Must(attest::P256PrivateKey::Generate())) {}

  std::string_view type() const override { return "simulated"; }

  attest::Trust OwnTrust() const override {
    return {{"simulated"}, {Must(Must(root_.Public()).ToSpki())}};
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

#endif

}  // namespace

std::unique_ptr<FakeTee> FakeTee::Create([[maybe_unused]] std::string_view type) {
#ifdef KEYCLAVE_SIMULATED
  if (type == "simulated") return std::make_unique<FakeSimulated>();
#endif
  return nullptr;
}

}  // namespace keyclave::test
