#include "attest/dcap/verify.h"

namespace keyclave::attest::dcap {
namespace {

class Writer {
 public:
  explicit Writer(std::string_view type) : prefix_(std::string(type) + ".") {
    claims_.Set("tee", std::string(type));
  }
  void Normal(const char* name, ClaimValue value) { claims_.Set(name, std::move(value)); }
  void Own(std::string_view name, ClaimValue value) {
    claims_.Set(prefix_ + std::string(name), std::move(value));
  }
  void OwnIf(std::string_view name, const std::optional<bool>& value) {
    if (value.has_value()) Own(name, ClaimValue(*value));
  }
  void Fields(const std::vector<NamedBytes>& fields) {
    for (const NamedBytes& field : fields) Own(field.name, ToHex(field.bytes));
  }
  ClaimSet Finish() && { return std::move(claims_); }

 private:
  std::string prefix_;
  ClaimSet claims_;
};

// Of a SGX enclave. The host chooses CONFIGID when it starts the enclave.
void OfEnclave(const EnclaveReport& report, Writer& writer) {
  writer.Normal("measurement", ToHex(report.mr_enclave));
  writer.Normal("signer", ToHex(report.mr_signer));
  writer.Normal("product_id", std::to_string(report.isv_prod_id));
  writer.Normal("svn", int64_t{report.isv_svn});
  writer.Normal("debug", report.Debug());
  writer.Normal("host_data", ToHex(report.config_id));
  writer.Fields(FieldsOf(report));
  writer.Own("isv_prod_id", int64_t{report.isv_prod_id});
  writer.Own("isv_svn", int64_t{report.isv_svn});
  writer.Own("config_svn", int64_t{report.config_svn});
}

// Of a TD. There is no `signer`, product_id or svn: nobody signs a TD's image (MRSIGNERSEAM is the
// TDX module's signer, MROWNER a number that the host chooses). The host chooses MRCONFIGID, too.
void OfTd(const TdReport& report, Writer& writer) {
  writer.Normal("measurement", ToHex(report.mrtd));
  writer.Normal("debug", report.Debug());
  writer.Normal("host_data", ToHex(report.mrconfigid));
  writer.Fields(FieldsOf(report));
  writer.Own("sept_ve_disable", report.SeptVeDisable());
}

// The platform instance stays the same for all packages of a machine and until it is set up anew;
// platforms of one package have none, and for them the PPID of the package stands.
void OfPlatform(const PckPlatform& platform, Writer& writer) {
  writer.Normal("platform_id", platform.platform_instance_id.has_value()
                                   ? ToHex(*platform.platform_instance_id)
                                   : ToHex(platform.ppid));
  writer.Own("ppid", ToHex(platform.ppid));
  if (platform.platform_instance_id.has_value())
    writer.Own("platform_instance_id", ToHex(*platform.platform_instance_id));
  writer.Own("fmspc", ToHex(platform.fmspc));
  writer.Own("pceid", ToHex(platform.pceid));
  writer.Own("pcesvn", int64_t{platform.pcesvn});
  writer.Own("pck_cpusvn", ToHex(platform.cpusvn));
  writer.Own("tcb_components", ToHex(platform.components));
  writer.Own("sgx_type", std::string(SgxTypeName(platform.sgx_type)));
  writer.OwnIf("dynamic_platform", platform.dynamic_platform);
  writer.OwnIf("cached_keys", platform.cached_keys);
  writer.OwnIf("smt_enabled", platform.smt_enabled);
}

void OfTcb(const VerifiedQuote& verified, Writer& writer) {
  const VerifiedTcb& tcb = verified.tcb;
  writer.Normal("tcb_status", std::string(TcbStatusClaim(tcb.status)));
  writer.Normal("tcb_date", FormatTime(tcb.date));
  writer.Normal("advisories", tcb.advisories);
  writer.Own("pck_ca", verified.pck_ca);
  writer.Own("tcb_evaluation_data_number", static_cast<int64_t>(verified.tcb_evaluation_number));
  writer.Own("platform_tcb_status", std::string(TcbStatusClaim(tcb.platform.status)));
  writer.Own("platform_tcb_date", FormatTime(tcb.platform.date));
  writer.Own("qe_tcb_status", std::string(TcbStatusClaim(tcb.qe.status)));
  if (tcb.tdx_module.has_value())
    writer.Own("module_tcb_status", std::string(TcbStatusClaim(tcb.tdx_module->status)));
  if (verified.current_tcb.has_value())
    writer.Own("current_tcb_status", std::string(TcbStatusClaim(verified.current_tcb->status)));
}

}  // namespace

ClaimSet ClaimsOf(const Quote& quote, const VerifiedQuote& verified) {
  Writer writer(TypeName(quote.tee()));
  if (const auto* enclave = std::get_if<EnclaveReport>(&quote.body)) {
    OfEnclave(*enclave, writer);
  } else {
    const TdReport& td = std::get<TdReport>(quote.body);
    OfTd(td, writer);
    // tcb_status is that of what the TD was launched on, and stays so: a TD that was launched on a
    // weak module may have been read there, whatever runs below it now.
    if (td.of_15.has_value()) writer.Own("relaunch_advised", verified.RelaunchAdvised());
  }
  writer.Own("quote_version", int64_t{quote.header.version});
  writer.Own("qe_svn", int64_t{quote.qe_report.isv_svn});
  writer.Own("qe_mr_signer", ToHex(quote.qe_report.mr_signer));
  OfPlatform(verified.platform, writer);
  OfTcb(verified, writer);
  return std::move(writer).Finish();
}

}  // namespace keyclave::attest::dcap
