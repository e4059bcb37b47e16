#include "tests/fakes/fake_nitro.h"

#include "enclave/base/cbor.h"
#include "tests/fakes/must.h"

namespace keyclave::test {
namespace {

Bytes CborText(std::string_view text) {
  CborWriter writer;
  writer.Text(text);
  return std::move(writer).Finish();
}

Bytes CborBytes(ByteSpan bytes) {
  CborWriter writer;
  writer.ByteString(bytes);
  return std::move(writer).Finish();
}

Bytes CborOptional(const std::optional<Bytes>& bytes) {
  constexpr uint8_t kNull = 0xf6;
  return bytes.has_value() ? CborBytes(*bytes) : Bytes{kNull};
}

}  // namespace

FakeNitro::FakeNitro(FakeNitroOptions options)
    : options_(std::move(options)),
      root_(FakeAuthority::Root(FakeKeyKind::kP384, {.name = "CN=aws.nitro-enclaves,O=Test"})),
      middle_(root_.Issue(FakeKeyKind::kP384, {.name = "CN=zonal,O=Test", .authority = true})),
      key_(FakeKey::Make(FakeKeyKind::kP384)) {}

attest::Trust FakeNitro::OwnTrust() const {
  attest::Trust trust;
  trust.accepted_types = {"nitro"};
  trust.roots["nitro"] = {root_.certificate()};
  return trust;
}

FakeNitro::Members FakeNitro::MembersOf(const attest::ReportData& report_data, UnixTime issued,
                                        bool debug) const {
  const Window window = ValidAt(issued);
  const FakeAuthority leaf = middle_.IssueFor(
      key_, {.name = "CN=enclave,O=Test", .not_before = window.first, .not_after = window.last});
  CborWriter pcrs;
  pcrs.Map(options_.pcrs.size());
  for (const auto& [index, value] : options_.pcrs) {
    pcrs.Uint(index);
    pcrs.ByteString(debug && index <= 2 ? Bytes(value.size(), 0) : value);
  }
  CborWriter bundle;
  bundle.Array(2);
  bundle.ByteString(root_.certificate().der());
  bundle.ByteString(middle_.certificate().der());
  CborWriter timestamp;
  timestamp.Uint(static_cast<uint64_t>(issued + options_.made_after) * 1000 + 7);
  return {{"module_id", CborText(options_.module_id)},
          {"digest", CborText(options_.digest)},
          {"timestamp", timestamp.bytes()},
          {"pcrs", pcrs.bytes()},
          {"certificate", CborBytes(leaf.certificate().der())},
          {"cabundle", bundle.bytes()},
          {"public_key", CborOptional(options_.public_key)},
          {"user_data", CborBytes(options_.user_data.value_or(ToBytes(report_data)))},
          {"nonce", CborOptional(options_.nonce)}};
}

Bytes FakeNitro::Sign(ByteSpan payload) const {
  CborWriter header;
  header.Map(1);
  header.Uint(1);
  header.Int(options_.algorithm);
  CborWriter to_be_signed;
  to_be_signed.Array(4);
  to_be_signed.Text("Signature1");
  to_be_signed.ByteString(header.bytes());
  to_be_signed.ByteString({});
  to_be_signed.ByteString(payload);
  const auto raw = key_.SignRaw(attest::SignatureScheme::kEcdsaP384Sha384, to_be_signed.bytes());
  Bytes signature = raw.r;
  signature.insert(signature.end(), raw.s.begin(), raw.s.end());
  CborWriter message;
  if (options_.tagged) message.Raw(Bytes{0xd2});
  message.Array(4);
  message.ByteString(header.bytes());
  message.Map(0);
  message.ByteString(payload);
  message.ByteString(signature);
  return std::move(message).Finish();
}

Bytes FakeNitro::Document(const Members& members) const {
  CborWriter payload;
  if (options_.indefinite) {
    payload.Raw(Bytes{0xbf});
  } else {
    payload.Map(members.size());
  }
  for (const auto& [name, value] : members) {
    payload.Text(name);
    payload.Raw(value);
  }
  if (options_.indefinite) payload.Raw(Bytes{0xff});
  return Sign(payload.bytes());
}

Bytes FakeNitro::Evidence(const attest::ReportData& report_data, UnixTime issued,
                          bool debug) const {
  return Document(MembersOf(report_data, issued, debug));
}

std::unique_ptr<FakeTee> MakeFakeNitro() { return std::make_unique<FakeNitro>(); }

}  // namespace keyclave::test
