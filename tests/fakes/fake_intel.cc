#include "tests/fakes/fake_intel.h"

#include "attest/dcap/enclave_identity.h"
#include "enclave/base/byte_reader.h"
#include "tests/fakes/fake_pck.h"
#include "tests/fakes/must.h"

namespace keyclave::test {
namespace {

using attest::SignatureScheme;
using attest::dcap::EnclaveReport;
using attest::dcap::TdReport;
using attest::dcap::Tee;

constexpr auto kScheme = SignatureScheme::kEcdsaP256Sha256;
constexpr UnixTime kFrom = 1'546'300'800;   // 2019-01-01
constexpr UnixTime kUntil = 2'840'140'800;  // 2060-01-01

FakeAuthority MakeRoot() {
  return FakeAuthority::Root(
      FakeKeyKind::kP256,
      {.name = "CN=Intel SGX Root CA,O=Test", .not_before = kFrom, .not_after = kUntil});
}

FakeAuthority MakePckCa(const FakeAuthority& root, const FakePlatform& platform) {
  const std::string which = platform.multi_package ? "Platform" : "Processor";
  return root.Issue(FakeKeyKind::kP256, {.name = "CN=Intel SGX PCK " + which + " CA,O=Test",
                                         .authority = true,
                                         .not_before = kFrom,
                                         .not_after = kUntil});
}

FakeAuthority MakePck(const FakeAuthority& ca, const FakePlatform& platform) {
  return ca.Issue(FakeKeyKind::kP256,
                  {.name = platform.pck_name,
                   .not_before = platform.not_before,
                   .not_after = platform.not_after,
                   .extensions = {{"1.2.840.113741.1.13.1", SgxExtension(platform)}}});
}

void PutSignature(ByteWriter& writer, const FakeKey& key, ByteSpan message) {
  const auto signature = key.SignRaw(kScheme, message);
  writer.Put(signature.r);
  writer.Put(signature.s);
}

void PutReport(ByteWriter& writer, const EnclaveReport& report) {
  writer.Put(report.cpusvn);
  writer.Put(report.miscselect);
  writer.Put(ByteArray<12>{});
  writer.Put(report.isv_ext_prod_id);
  writer.Put(report.attributes);
  writer.Put(report.mr_enclave);
  writer.Put(ByteArray<32>{});
  writer.Put(report.mr_signer);
  writer.Put(ByteArray<32>{});
  writer.Put(report.config_id);
  writer.PutLe(report.isv_prod_id);
  writer.PutLe(report.isv_svn);
  writer.PutLe(report.config_svn);
  writer.Put(ByteArray<42>{});
  writer.Put(report.isv_family_id);
  writer.Put(report.report_data);
}

void PutReport(ByteWriter& writer, const TdReport& report) {
  for (const attest::dcap::NamedBytes& field : attest::dcap::FieldsOf(report))
    writer.Put(field.bytes);
}

void PutSized(ByteWriter& writer, ByteSpan bytes) {
  writer.PutLe(static_cast<uint32_t>(bytes.size()));
  writer.Put(bytes);
}

// Header and body.
Bytes SignedPart(const FakeQuote& quote) {
  const bool enclave = std::holds_alternative<EnclaveReport>(quote.body);
  ByteWriter body;
  std::visit([&](const auto& report) { PutReport(body, report); }, quote.body);
  ByteWriter writer;
  writer.PutLe(quote.version);
  writer.PutLe(quote.attestation_key_type);
  writer.PutLe(static_cast<uint32_t>(enclave ? 0 : 0x81));
  writer.PutLe(uint16_t{0});
  writer.PutLe(uint16_t{0});
  writer.Put(quote.qe_vendor_id);
  writer.Put(ByteArray<20>{});
  if (quote.version == 5) {
    uint16_t type = quote.body_type;
    if (type == 0) type = enclave ? 1 : body.bytes().size() == 584 ? 2 : 3;
    writer.PutLe(type);
    writer.PutLe(static_cast<uint32_t>(body.bytes().size()));
  }
  writer.Put(body.bytes());
  return std::move(writer).Finish();
}

}  // namespace

FakePlatform::FakePlatform() {
  ppid.fill(0x99);
  components = {5, 5, 2, 2, 255, 1, 0, 3};
}

EnclaveReport SampleEnclave(const attest::ReportData& report_data, bool debug) {
  EnclaveReport report;
  report.cpusvn.fill(0x05);
  report.attributes = {static_cast<uint8_t>(debug ? 0x07 : 0x05), 0, 0, 0, 0, 0, 0, 0, 0xe7};
  report.mr_enclave.fill(0x5a);
  report.mr_signer.fill(0x51);
  report.config_id.fill(0xc0);
  report.isv_prod_id = 7;
  report.isv_svn = 3;
  report.config_svn = 2;
  report.isv_family_id.fill(0xfa);
  report.isv_ext_prod_id.fill(0xe0);
  report.report_data = report_data;
  return report;
}

TdReport SampleTd(const attest::ReportData& report_data, bool debug) {
  TdReport report;
  report.tee_tcb_svn = {6, 1, 3};
  report.mrseam.fill(0x5e);
  report.tdattributes = {static_cast<uint8_t>(debug ? 1 : 0), 0, 0, 0x10};
  report.xfam = {0xe7, 0x02, 0x06};
  report.mrtd.fill(0x5a);
  report.mrconfigid.fill(0xc0);
  report.mrowner.fill(0x0e);
  report.mrownerconfig.fill(0x0c);
  for (size_t i = 0; i < report.rtmr.size(); ++i)
    report.rtmr.at(i).fill(static_cast<uint8_t>(0xb0 + i));
  report.report_data = report_data;
  return report;
}

FakeQuote SampleQuote(Tee tee, const attest::ReportData& report_data, bool debug) {
  FakeQuote quote;
  quote.qe.attributes = {0x15};
  quote.qe.mr_signer.fill(0x8c);
  quote.qe.isv_svn = 8;
  if (tee == Tee::kSgx) {
    quote.version = 3;
    quote.body = SampleEnclave(report_data, debug);
    quote.qe.isv_prod_id = 1;
  } else {
    quote.body = SampleTd(report_data, debug);
    quote.qe.isv_prod_id = 2;
  }
  return quote;
}

FakeIntel::FakeIntel(Tee tee, FakePlatform platform)
    : tee_(tee),
      platform_(std::move(platform)),
      root_(MakeRoot()),
      pck_ca_(MakePckCa(root_, platform_)),
      pck_(MakePck(pck_ca_, platform_)),
      tcb_signing_(root_.Issue(
          FakeKeyKind::kP256,
          {.name = "CN=Intel SGX TCB Signing,O=Test", .not_before = kFrom, .not_after = kUntil})),
      attestation_key_(FakeKey::Make(FakeKeyKind::kP256)) {}

FakeIntel FakeIntel::WithPlatform(FakePlatform platform) const {
  FakeIntel other = *this;
  if (platform.multi_package != platform_.multi_package) other.pck_ca_ = MakePckCa(root_, platform);
  other.pck_ = MakePck(other.pck_ca_, platform);
  other.platform_ = std::move(platform);
  return other;
}

Bytes FakeIntel::PckChain() const {
  Bytes chain = ToBytes(pck_.Pem() + pck_ca_.Pem() + root_.Pem());
  chain.push_back(0);
  return chain;
}

Bytes FakeIntel::Quote(const FakeQuote& quote) const {
  const Bytes signed_part = SignedPart(quote);
  const auto point = attestation_key_.PublicPoint();
  Bytes key = point.x;
  key.insert(key.end(), point.y.begin(), point.y.end());
  Bytes bound = key;
  bound.insert(bound.end(), quote.qe_auth_data.begin(), quote.qe_auth_data.end());
  EnclaveReport qe = quote.qe;
  const ByteArray<32> hash = Sha256(bound);
  std::copy(hash.begin(), hash.end(), qe.report_data.begin());
  if (quote.qe_report_data.has_value()) qe.report_data = *quote.qe_report_data;

  ByteWriter report;
  PutReport(report, qe);
  ByteWriter certified;
  certified.Put(report.bytes());
  PutSignature(certified, quote.foreign_pck_key ? tcb_signing_.key() : pck_.key(), report.bytes());
  certified.PutLe(static_cast<uint16_t>(quote.qe_auth_data.size()));
  certified.Put(quote.qe_auth_data);
  certified.PutLe(quote.certification_type);
  PutSized(certified, quote.certification_data.value_or(PckChain()));

  ByteWriter signature;
  PutSignature(signature, quote.foreign_attestation_key ? pck_.key() : attestation_key_,
               signed_part);
  signature.Put(key);
  if (quote.version == 3) {
    signature.Put(certified.bytes());
  } else {
    signature.PutLe(uint16_t{6});
    PutSized(signature, certified.bytes());
  }
  ByteWriter whole;
  whole.Put(signed_part);
  PutSized(whole, signature.bytes());
  return std::move(whole).Finish();
}

bool FakeIntel::IsUncovered(ByteSpan quote, size_t at) const {
  const std::string_view text = AsText(quote);
  if (at < text.find("-----BEGIN")) return false;
  if (at >= text.find(root_.Pem())) return true;
  const size_t line = text.rfind('\n', at);
  if (text.substr(line + 1).starts_with("-----")) return true;
  const char c = text[at];
  const bool base64 = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '+' || c == '/';
  // The last character before padding has bits that decode to nothing.
  return !base64 || text[at + 1] == '=';
}

attest::Collateral FakeIntel::Collateral(const FakeCollateral& what) const {
  attest::Collateral collateral;
  const auto add = [&](ByteSpan bytes, const char* name) {
    if (!collateral.Add(bytes, name).ok()) std::abort();
  };
  add(TcbInfo(what.tcb_info), "tcb_info.json");
  add(EnclaveIdentity(what.qe_identity), "qe_identity.json");
  FakeAuthority signer = tcb_signing_;
  if (what.signing_name != "CN=Intel SGX TCB Signing,O=Test")
    signer = root_.IssueFor(tcb_signing_.key(), {.name = what.signing_name});
  if (what.signing_certificate) add(AsBytes(signer.Pem() + root_.Pem()), "signing_chain.pem");
  std::vector<attest::Certificate> revoked;
  if (what.signing_revoked) revoked.push_back(tcb_signing_.certificate());
  if (platform_.ca_revoked) revoked.push_back(pck_ca_.certificate());
  if (what.root_list)
    add(root_.RevocationList(revoked, what.lists_from, what.lists_until), "root_ca_crl.der");
  revoked.clear();
  if (platform_.revoked) revoked.push_back(pck_.certificate());
  if (what.pck_list)
    add(pck_ca_.RevocationList(revoked, what.lists_from, what.lists_until), "pck_crl.der");
  return collateral;
}

attest::Trust FakeIntel::Trust(const FakeCollateral& collateral) const {
  attest::Trust trust;
  const std::string type(attest::dcap::TypeName(tee_));
  trust.accepted_types = {type};
  trust.roots[type] = {root_.certificate()};
  trust.collateral = std::make_shared<const attest::Collateral>(Collateral(collateral));
  return trust;
}

}  // namespace keyclave::test
