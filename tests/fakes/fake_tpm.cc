#include "tests/fakes/fake_tpm.h"

#include "enclave/base/byte_reader.h"
#include "enclave/base/hash.h"
#include "tests/fakes/must.h"

namespace keyclave::test {
namespace {

using attest::SignatureScheme;
using attest::tpm::PcrSelection;
using attest::tpm::PcrValues;

constexpr uint16_t kRsassa = 0x0014;
constexpr uint16_t kRsapss = 0x0016;
constexpr uint16_t kEcdsa = 0x0018;

PcrValues SomeRegisters() {
  PcrValues values;
  for (const unsigned index : {0U, 4U, 7U})
    values[kTpmSha256][index] = Bytes(32, static_cast<uint8_t>(0xa0 + index));
  return values;
}

void PutSized(ByteWriter& writer, ByteSpan bytes) {
  writer.PutBe(static_cast<uint16_t>(bytes.size()));
  writer.Put(bytes);
}

std::vector<PcrSelection> SelectionsOf(const PcrValues& values) {
  std::vector<PcrSelection> selections;
  for (const auto& [bank, registers] : values) {
    PcrSelection selection{bank, {}, Bytes(3, 0)};
    for (const auto& [index, value] : registers) {
      selection.registers.push_back(index);
      selection.bits.at(index / 8) |= static_cast<uint8_t>(1U << (index % 8));
    }
    selections.push_back(std::move(selection));
  }
  return selections;
}

}  // namespace

FakeTpm::FakeTpm(FakeTpmOptions options)
    : options_(std::move(options)),
      root_(FakeAuthority::Root(FakeKeyKind::kP256, {.name = "CN=Test TPM Root,O=Test"})),
      middle_(root_.Issue(FakeKeyKind::kP256,
                          {.name = "CN=Test TPM Intermediate,O=Test", .authority = true})),
      ak_(middle_.Issue(options_.key, options_.certificate)) {
  if (options_.pcrs.empty()) options_.pcrs = SomeRegisters();
}

attest::Trust FakeTpm::OwnTrust() const {
  attest::Trust trust;
  trust.accepted_types = {"tpm"};
  if (options_.certified) {
    trust.roots["tpm"] = {root_.certificate()};
  } else {
    trust.keys["tpm"] = {ak_.key().Public().spki()};
  }
  return trust;
}

HashAlgorithm FakeTpm::DigestAlgorithm() const {
  if (options_.key == FakeKeyKind::kP384) return HashAlgorithm::kSha384;
  if (options_.key == FakeKeyKind::kP256 || options_.hash == kTpmSha256)
    return HashAlgorithm::kSha256;
  return options_.hash == kTpmSha384 ? HashAlgorithm::kSha384 : HashAlgorithm::kSha1;
}

SignatureScheme FakeTpm::Scheme() const {
  if (options_.key == FakeKeyKind::kP256) return SignatureScheme::kEcdsaP256Sha256;
  if (options_.key == FakeKeyKind::kP384) return SignatureScheme::kEcdsaP384Sha384;
  if (options_.hash == kTpmSha1) return SignatureScheme::kRsaPkcs1Sha1;
  const bool sha384 = options_.hash == kTpmSha384;
  if (options_.pss) return sha384 ? SignatureScheme::kRsaPssSha384 : SignatureScheme::kRsaPssSha256;
  return sha384 ? SignatureScheme::kRsaPkcs1Sha384 : SignatureScheme::kRsaPkcs1Sha256;
}

Bytes FakeTpm::QuoteInfo() const {
  const std::vector<PcrSelection> selections = SelectionsOf(options_.pcrs);
  ByteWriter writer;
  writer.PutBe(static_cast<uint32_t>(selections.size()));
  for (const PcrSelection& selection : selections) {
    writer.PutBe(selection.bank);
    writer.PutBe(static_cast<uint8_t>(selection.bits.size()));
    writer.Put(selection.bits);
  }
  PutSized(writer, Must(attest::tpm::PcrDigest(selections, options_.pcrs, DigestAlgorithm())));
  return std::move(writer).Finish();
}

Bytes FakeTpm::Attest(ByteSpan qualifying_data) const {
  ByteWriter writer;
  writer.PutBe(uint32_t{0xff544347});
  writer.PutBe(uint16_t{0x8018});
  Bytes name = {0x00, 0x0b};
  const ByteArray<32> of_key = Sha256(ak_.key().Public().spki());
  name.insert(name.end(), of_key.begin(), of_key.end());
  PutSized(writer, name);
  PutSized(writer, qualifying_data);
  writer.PutBe(options_.clock);
  writer.PutBe(options_.reset_count);
  writer.PutBe(options_.restart_count);
  writer.PutBe(options_.safe);
  writer.PutBe(options_.firmware_version);
  writer.Put(QuoteInfo());
  return std::move(writer).Finish();
}

Bytes FakeTpm::Sign(ByteSpan message) const {
  ByteWriter writer;
  if (options_.key == FakeKeyKind::kP256 || options_.key == FakeKeyKind::kP384) {
    const FakeKey::RawSignature raw = ak_.key().SignRaw(Scheme(), message);
    writer.PutBe(kEcdsa);
    writer.PutBe(options_.key == FakeKeyKind::kP384 ? kTpmSha384 : kTpmSha256);
    PutSized(writer, raw.r);
    PutSized(writer, raw.s);
  } else {
    writer.PutBe(options_.pss ? kRsapss : kRsassa);
    writer.PutBe(options_.hash);
    PutSized(writer, ak_.key().Sign(Scheme(), message));
  }
  return std::move(writer).Finish();
}

attest::tpm::Evidence FakeTpm::Parts(ByteSpan qualifying_data) const {
  attest::tpm::Evidence evidence;
  evidence.attest = Attest(qualifying_data);
  evidence.signature = Sign(evidence.attest);
  if (options_.tell_values) evidence.pcrs = options_.pcrs;
  if (options_.certified) {
    evidence.certificate = ak_.certificate().der();
    evidence.chain = {middle_.certificate().der()};
  } else {
    evidence.key = ak_.key().Public().spki();
  }
  return evidence;
}

Bytes FakeTpm::Evidence(const attest::ReportData& report_data, UnixTime /*issued*/,
                        bool /*debug*/) const {
  return EncodeEvidence(Parts(ByteSpan(report_data).first(CarriedBytes())));
}

std::string FakeTpm::Measurement() const { return ToHex(Sha256(QuoteInfo())); }

FakeTee::Window FakeTpm::ValidAt(UnixTime /*issued*/) const {
  return {ak_.certificate().not_before(), ak_.certificate().not_after()};
}

std::vector<std::string> FakeTpm::Claims() const {
  return {"tee",          "measurement",    "debug",  "tcb_status", "platform_id",    "tpm.pcr7",
          "tpm.pcr_bank", "tpm.pcr_digest", "tpm.ak", "tpm.clock",  "tpm.reset_count"};
}

std::unique_ptr<FakeTee> MakeFakeTpm() { return std::make_unique<FakeTpm>(); }

}  // namespace keyclave::test
