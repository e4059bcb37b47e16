#include "attest/dcap/verify.h"

namespace keyclave::attest::dcap {
namespace {

class Lines {
 public:
  void Put(std::string name, std::string value) {
    fields_.push_back({std::move(name), std::move(value)});
  }
  void Put(std::string name, uint64_t value) { Put(std::move(name), std::to_string(value)); }
  void PutBytes(std::string name, ByteSpan bytes) { Put(std::move(name), ToHex(bytes)); }
  void PutFlag(std::string name, bool value) { Put(std::move(name), value ? "true" : "false"); }
  void PutFlag(std::string name, const std::optional<bool>& value) {
    if (value.has_value()) PutFlag(std::move(name), *value);
  }
  std::vector<Field> Finish() && { return std::move(fields_); }

 private:
  std::vector<Field> fields_;
};

void Put(Lines& lines, const std::string& prefix, const std::vector<NamedBytes>& fields) {
  for (const NamedBytes& field : fields)
    lines.PutBytes(prefix + std::string(field.name), field.bytes);
}

void PutReport(Lines& lines, const std::string& prefix, const EnclaveReport& report) {
  Put(lines, prefix, FieldsOf(report));
  lines.Put(prefix + "isv_prod_id", report.isv_prod_id);
  lines.Put(prefix + "isv_svn", report.isv_svn);
  lines.Put(prefix + "config_svn", report.config_svn);
  lines.PutFlag(prefix + "attributes.debug", report.Debug());
}

void PutTdReport(Lines& lines, const std::string& prefix, const TdReport& report) {
  Put(lines, prefix, FieldsOf(report));
  lines.PutFlag(prefix + "tdattributes.debug", report.Debug());
  lines.PutFlag(prefix + "tdattributes.sept_ve_disable", report.SeptVeDisable());
}

void PutHeader(Lines& lines, const Quote& quote) {
  const QuoteHeader& header = quote.header;
  if (quote.in_oe_container) lines.Put("container", "Open Enclave report, remote");
  lines.Put("header.version", header.version);
  lines.Put("header.attestation_key_type",
            std::to_string(header.attestation_key_type) + " (ECDSA P-256)");
  lines.Put("header.tee_type",
            std::to_string(header.tee_type) + (quote.tee() == Tee::kSgx ? " (SGX)" : " (TDX)"));
  lines.Put("header.qe_svn", header.qe_svn);
  lines.Put("header.pce_svn", header.pce_svn);
  lines.PutBytes("header.qe_vendor_id", header.qe_vendor_id);
  lines.PutBytes("header.user_data", header.user_data);
  if (quote.body_type.has_value()) lines.Put("body_type", *quote.body_type);
}

void PutPlatform(Lines& lines, const Certificate& pck) {
  const auto platform = ParsePckPlatform(pck);
  if (!platform.ok()) {
    lines.Put("pck", platform.error().Text());
    return;
  }
  lines.PutBytes("pck.fmspc", platform->fmspc);
  lines.PutBytes("pck.pceid", platform->pceid);
  lines.Put("pck.pcesvn", platform->pcesvn);
  lines.PutBytes("pck.cpusvn", platform->cpusvn);
  lines.PutBytes("pck.tcb_components", platform->components);
  lines.PutBytes("pck.ppid", platform->ppid);
  lines.Put("pck.sgx_type", std::string(SgxTypeName(platform->sgx_type)));
  if (platform->platform_instance_id.has_value())
    lines.PutBytes("pck.platform_instance_id", *platform->platform_instance_id);
  lines.PutFlag("pck.configuration.dynamic_platform", platform->dynamic_platform);
  lines.PutFlag("pck.configuration.cached_keys", platform->cached_keys);
  lines.PutFlag("pck.configuration.smt_enabled", platform->smt_enabled);
}

void PutCertification(Lines& lines, const Quote& quote) {
  lines.Put("certification_data.type", quote.certification_type);
  lines.Put("certification_data.size", quote.certification_size);
  for (size_t i = 0; i < quote.certificates.size(); ++i) {
    const Certificate& one = quote.certificates[i];
    const std::string prefix = "certificate[" + std::to_string(i) + "].";
    lines.Put(prefix + "subject", one.SubjectText());
    lines.Put(prefix + "issuer", one.IssuerText());
    lines.Put(prefix + "serial", one.SerialHex());
    lines.Put(prefix + "not_before", FormatTime(one.not_before()));
    lines.Put(prefix + "not_after", FormatTime(one.not_after()));
  }
  if (const Certificate* pck = FindPck(quote.certificates); pck != nullptr)
    PutPlatform(lines, *pck);
}

}  // namespace

std::vector<Field> DescribeQuote(const Quote& quote) {
  Lines lines;
  PutHeader(lines, quote);
  if (const auto* enclave = std::get_if<EnclaveReport>(&quote.body)) {
    PutReport(lines, "report_body.", *enclave);
  } else {
    PutTdReport(lines, "td_report.", std::get<TdReport>(quote.body));
  }
  lines.PutBytes("signature", quote.signature);
  lines.PutBytes("attestation_key", quote.attestation_key);
  PutReport(lines, "qe_report.", quote.qe_report);
  lines.PutBytes("qe_report_signature", quote.qe_report_signature);
  lines.PutBytes("qe_authentication_data", quote.qe_auth_data);
  PutCertification(lines, quote);
  lines.Put("trailing_bytes", quote.trailing_bytes);
  return std::move(lines).Finish();
}

}  // namespace keyclave::attest::dcap
