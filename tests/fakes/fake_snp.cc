#include "tests/fakes/fake_snp.h"

#include <functional>

#include "enclave/base/byte_reader.h"
#include "tests/fakes/must.h"

namespace keyclave::test {
namespace {

constexpr std::string_view kArc = "1.3.6.1.4.1.3704.1.";
constexpr size_t kSignedSize = 0x2a0;
constexpr size_t kFlagDebug = 19;

Bytes Der(uint8_t tag, ByteSpan content) {
  Bytes der = {tag, static_cast<uint8_t>(content.size())};
  der.insert(der.end(), content.begin(), content.end());
  return der;
}

Bytes DerByte(uint8_t value) {
  if (value < 0x80) return Der(0x02, Bytes{value});
  return Der(0x02, Bytes{0, value});
}

std::string AmdName(const std::string& common_name) {
  return "CN=" + common_name + ",O=Advanced Micro Devices,OU=Engineering,C=US";
}

FakeAuthority MakeArk(const FakeSnpOptions& options) {
  return FakeAuthority::Root(FakeKeyKind::kRsa4096,
                             {.name = AmdName("ARK-" + options.line), .pss = true});
}

FakeAuthority MakeAsk(const FakeAuthority& ark, const FakeSnpOptions& options) {
  return ark.Issue(FakeKeyKind::kRsa4096,
                   {.name = AmdName((options.vlek ? "SEV-VLEK-" : "SEV-") + options.line),
                    .authority = true,
                    .pss = true});
}

std::vector<FakeExtension> Extensions(const FakeSnpOptions& options) {
  std::vector<FakeExtension> list;
  const auto add = [&](const std::string& arc, Bytes value) {
    const std::string oid = std::string(kArc) + arc;
    if (oid != options.without_extension) list.push_back({oid, std::move(value)});
  };
  add("1", DerByte(options.turin ? 1 : 0));
  add("2", Der(0x16, AsBytes(options.product)));
  // The certificate's order of components for each byte of the TCB version.
  const ByteArray<8> arcs =
      options.turin ? ByteArray<8>{9, 1, 2, 3, 5, 6, 7, 8} : ByteArray<8>{1, 2, 4, 5, 6, 7, 3, 8};
  const attest::SnpTcb tcb = options.certified_tcb.value_or(options.reported_tcb);
  for (size_t i = 0; i < arcs.size(); ++i)
    add("3." + std::to_string(arcs.at(i)), DerByte(tcb.at(i)));
  if (options.vlek) {
    add("5", Der(0x16, AsBytes("CN=cloud.example")));
  } else {
    const size_t size = options.turin ? 8 : 64;
    const Bytes hwid =
        options.certified_hwid.value_or(ToBytes(ByteSpan(options.chip_id).first(size)));
    add("4", options.wrapped_hwid ? Der(0x04, hwid) : hwid);
  }
  list.insert(list.end(), options.more_extensions.begin(), options.more_extensions.end());
  return list;
}

FakeAuthority MakeLeaf(const FakeAuthority& ask, const FakeKey& key,
                       const FakeSnpOptions& options) {
  return ask.IssueFor(key, {.name = AmdName(options.vlek ? "SEV-VLEK" : "SEV-VCEK"),
                            .not_before = options.leaf_not_before,
                            .not_after = options.leaf_not_after,
                            .extensions = Extensions(options),
                            .pss = true});
}

void PutReversed(ByteWriter& writer, ByteSpan number) {
  writer.Put(Bytes(number.rbegin(), number.rend()));
  writer.Put(Bytes(72 - number.size(), 0));
}

void PutHead(ByteWriter& writer, const FakeSnpOptions& options) {
  writer.PutLe(options.version);
  writer.PutLe(options.guest_svn);
  writer.PutLe(options.policy);
  writer.Put(options.family_id);
  writer.Put(options.image_id);
  writer.PutLe(options.vmpl);
  writer.PutLe(uint32_t{1});
  writer.Put(options.current_tcb);
  writer.PutLe(options.platform_info);
  writer.PutLe((options.author_key_enabled ? 1U : 0U) | (options.mask_chip_key ? 2U : 0U) |
               options.signing_key << 2);
  writer.PutLe(uint32_t{0});
}

void PutPlatform(ByteWriter& writer, const FakeSnpOptions& options) {
  writer.Put(options.reported_tcb);
  const Bytes cpu = {options.cpu.family, options.cpu.model, options.cpu.stepping};
  writer.Put(options.version < 3 ? Bytes(3, 0) : cpu);
  writer.Put(Bytes(21, 0));
  writer.Put(options.chip_id);
  writer.Put(options.current_tcb);
  writer.Put(Bytes{29, 55, 1, 0, 29, 55, 1, 0});
  writer.Put(options.current_tcb);
  writer.PutLe(options.launch_mit_vector);
  writer.PutLe(options.launch_mit_vector);
  writer.Put(Bytes(152, 0));
}

}  // namespace

FakeSnp::FakeSnp(FakeSnpOptions options)
    : options_(std::move(options)),
      ark_(MakeArk(options_)),
      ask_(MakeAsk(ark_, options_)),
      leaf_(MakeLeaf(ask_, FakeKey::Make(FakeKeyKind::kP384), options_)) {}

FakeSnp FakeSnp::WithOptions(FakeSnpOptions options) const {
  FakeSnp other = *this;
  other.options_ = std::move(options);
  other.leaf_ = MakeLeaf(ask_, FakeKey::Make(FakeKeyKind::kP384), other.options_);
  return other;
}

FakeAuthority FakeSnp::IssueLeaf(const FakeKey& key) const { return MakeLeaf(ask_, key, options_); }

attest::Trust FakeSnp::OwnTrust() const {
  attest::Trust trust;
  trust.accepted_types = {"sev-snp"};
  trust.roots["sev-snp"] = {ark_.certificate()};
  return trust;
}

FakeTee::Window FakeSnp::ValidAt(UnixTime /*issued*/) const {
  return {options_.leaf_not_before, options_.leaf_not_after};
}

Bytes FakeSnp::WithSignature(Bytes report, ByteSpan r, ByteSpan s) {
  ByteWriter writer;
  writer.Put(ByteSpan(report).first(kSignedSize));
  PutReversed(writer, r);
  PutReversed(writer, s);
  writer.Put(Bytes(368, 0));
  return std::move(writer).Finish();
}

Bytes FakeSnp::Report(const attest::ReportData& report_data,
                      const std::function<void(Bytes& report)>& edit) const {
  ByteWriter writer;
  PutHead(writer, options_);
  writer.Put(report_data);
  writer.Put(options_.measurement);
  writer.Put(options_.host_data);
  writer.Put(options_.id_key_digest);
  writer.Put(options_.author_key_digest);
  writer.Put(Bytes(32, 0x1e));
  writer.Put(Bytes(32, 0xff));
  PutPlatform(writer, options_);
  Bytes report = std::move(writer).Finish();
  if (edit) edit(report);
  const auto signature = leaf_.key().SignRaw(attest::SignatureScheme::kEcdsaP384Sha384, report);
  return WithSignature(std::move(report), signature.r, signature.s);
}

Bytes FakeSnp::Guid(std::string_view name) {
  const std::string_view hex = name == "VCEK"   ? "63da758de6644564adc5f4b93be8accd"
                               : name == "VLEK" ? "a8074bc2a25a483eaae639c045a0b8a1"
                               : name == "ASK"  ? "4ab7b379bbac4fe4a02f05aef327c782"
                                                : "c0b406a4a803495297433fb6014cd0ae";
  return Must(FromHex(hex));
}

Bytes FakeSnp::Table(const std::vector<FakeTableEntry>& entries, size_t padding) {
  ByteWriter header;
  ByteWriter contents;
  const size_t header_size = 24 * (entries.size() + 1);
  for (const FakeTableEntry& entry : entries) {
    header.Put(entry.guid);
    header.PutLe(
        entry.offset.value_or(static_cast<uint32_t>(header_size + contents.bytes().size())));
    header.PutLe(entry.length.value_or(static_cast<uint32_t>(entry.bytes.size())));
    contents.Put(entry.bytes);
  }
  header.Put(Bytes(24, 0));
  header.Put(contents.bytes());
  header.Put(Bytes(padding, 0));
  return std::move(header).Finish();
}

Bytes FakeSnp::Evidence(const attest::ReportData& report_data, UnixTime /*issued*/,
                        bool debug) const {
  FakeSnp copy = *this;
  if (debug) copy.options_.policy |= uint64_t{1} << kFlagDebug;
  ByteWriter evidence;
  evidence.Put(copy.Report(report_data));
  if (!options_.bring_table) return std::move(evidence).Finish();
  std::vector<FakeTableEntry> entries = {
      {Guid(options_.vlek ? "VLEK" : "VCEK"), leaf_.certificate().der()},
      {Guid("ASK"), ask_.certificate().der()}};
  if (options_.bring_root) entries.push_back({Guid("ARK"), ark_.certificate().der()});
  entries.insert(entries.end(), options_.more_entries.begin(), options_.more_entries.end());
  evidence.Put(Table(entries, options_.table_padding));
  return std::move(evidence).Finish();
}

std::unique_ptr<FakeTee> MakeFakeSnp() { return std::make_unique<FakeSnp>(); }

}  // namespace keyclave::test
