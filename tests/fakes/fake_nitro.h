// A Nitro security module under a root of its own: documents with any members, valid for three
// hours.
#pragma once

#include <map>
#include <optional>

#include "tests/fakes/fake_ca.h"
#include "tests/fakes/fake_tee.h"

namespace keyclave::test {

struct FakeNitroOptions {
  std::string module_id = "i-04fd167167daacf3b-enc01845e97d0b3eb4e";
  std::string digest = "SHA384";
  // Whole PCRs, by index. In debug mode 0 to 2 are written as zeros.
  std::map<uint64_t, Bytes> pcrs = {{0, Bytes(48, 0x5a)}, {1, Bytes(48, 0x51)},
                                    {2, Bytes(48, 0x52)}, {3, Bytes(48, 0)},
                                    {4, Bytes(48, 0x54)}, {8, Bytes(48, 0x58)}};
  std::optional<Bytes> public_key = std::nullopt;  // null
  std::optional<Bytes> nonce = std::nullopt;
  std::optional<Bytes> user_data = std::nullopt;  // instead of the report data
  int64_t made_after = 0;                         // timestamp, in seconds from `issued`
  bool indefinite = false;
  bool tagged = false;
  int64_t algorithm = -35;
};

class FakeNitro final : public FakeTee {
 public:
  FakeNitro() : FakeNitro(FakeNitroOptions()) {}
  explicit FakeNitro(FakeNitroOptions options);

  std::string_view type() const override { return "nitro"; }
  attest::Trust OwnTrust() const override;
  Bytes Evidence(const attest::ReportData& report_data, UnixTime issued, bool debug) const override;
  std::string Measurement() const override { return ToHex(options_.pcrs.at(0)); }
  std::string MeasurementInDebug() const override { return std::string(96, '0'); }
  Window ValidAt(UnixTime issued) const override { return {issued - 3, issued + 3 * 3600}; }

  // The members of a document, each its CBOR text and value, in AWS's order.
  using Members = std::vector<std::pair<std::string, Bytes>>;
  Members MembersOf(const attest::ReportData& report_data, UnixTime issued, bool debug) const;
  // A document of these members, signed by the certificate that was made last.
  Bytes Document(const Members& members) const;
  Bytes Sign(ByteSpan payload) const;

  FakeNitroOptions& options() { return options_; }
  const FakeAuthority& root() const { return root_; }
  const FakeAuthority& middle() const { return middle_; }

 private:
  FakeNitroOptions options_;
  FakeAuthority root_;
  FakeAuthority middle_;
  FakeKey key_;
};

}  // namespace keyclave::test
