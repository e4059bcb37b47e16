// AMD's attestation report out of the JSON that the Rust crate `sev` makes of it. What a report
// reserves is zero; what a field holds, the enclave's verifier looks at.

#include <nlohmann/json.hpp>

#include "attest/snp/report.h"
#include "enclave/base/byte_reader.h"
#include "enclave/kbs/evidence.h"

namespace keyclave::kbs {
namespace {

using Json = nlohmann::json;

// Writes fields one after the other, in the order of the report, and keeps the first trouble.
class Writer {
 public:
  explicit Writer(const Json& report) : report_(report) {}

  template <class T>
  void Number(const char* name) {
    PutNumber<T>(Member(report_, name), name);
  }
  // Reports of earlier versions have none of it.
  template <class T>
  void Optional(const char* name) {
    const Json* value = Member(report_, name, /*optional=*/true);
    if (value == nullptr || value->is_null()) return Zeros(sizeof(T));
    PutNumber<T>(value, name);
  }
  void Array(const char* name, size_t size) { PutArray(report_, name, size); }
  void Zeros(size_t size) { out_.Put(Bytes(size)); }

  // TCB_VERSION; with a version of the FMC it has the layout that begins with Turin.
  void Tcb(const char* name) {
    const Json* tcb = Member(report_, name);
    if (tcb == nullptr) return;
    const Json* fmc = Member(*tcb, "fmc", /*optional=*/true);
    const bool turin = fmc != nullptr && !fmc->is_null();
    if (turin) PutNumber<uint8_t>(fmc, name);
    Part(*tcb, "bootloader");
    Part(*tcb, "tee");
    if (turin) Part(*tcb, "snp");
    Zeros(turin ? 3 : 4);
    if (!turin) Part(*tcb, "snp");
    Part(*tcb, "microcode");
  }
  void Version(const char* name) {
    const Json* version = Member(report_, name);
    if (version == nullptr) return;
    for (const char* part : {"build", "minor", "major"}) Part(*version, part);
    Zeros(1);
  }
  // R and S, little-endian, of 72 bytes each.
  void Signature(const char* name, size_t size) {
    const Json* signature = Member(report_, name);
    if (signature == nullptr) return;
    PutArray(*signature, "r", size);
    PutArray(*signature, "s", size);
  }

  Result<Bytes> Finish() && {
    if (trouble_) return *std::move(trouble_);
    Bytes bytes = std::move(out_).Finish();
    bytes.resize(attest::kSnpReportSize);
    return bytes;
  }

 private:
  void Complain(const std::string& what) {
    if (!trouble_) trouble_ = Fail(Code::kMalformed, "attestation_report: " + what);
  }
  const Json* Member(const Json& object, const char* name, bool optional = false) {
    const auto found = object.is_object() ? object.find(name) : object.end();
    if (object.is_object() && found != object.end()) return &*found;
    if (!optional) Complain(std::string(name) + " is missing");
    return nullptr;
  }
  void Part(const Json& object, const char* name) {
    PutNumber<uint8_t>(Member(object, name), name);
  }
  template <class T>
  void PutNumber(const Json* value, const char* name) {
    if (value == nullptr) return;
    if (!value->is_number_unsigned() || value->get<uint64_t>() > std::numeric_limits<T>::max())
      return Complain(std::string(name) + " is no number of its size");
    out_.PutLe(value->get<T>());
  }
  void PutArray(const Json& object, const char* name, size_t size) {
    const Json* value = Member(object, name);
    if (value == nullptr) return;
    if (!value->is_array() || value->size() != size)
      return Complain(std::string(name) + " is no list of " + std::to_string(size) + " bytes");
    for (const Json& one : *value) PutNumber<uint8_t>(&one, name);
  }

  const Json& report_;
  ByteWriter out_;
  std::optional<Error> trouble_;
};

}  // namespace

// "SEV Secure Nested Paging Firmware ABI Specification" (AMD document 56860), section 7.3, table
// ATTESTATION_REPORT.
Result<Bytes> SnpReportBytes(const Json& report) {
  Writer writer(report);
  writer.Number<uint32_t>("version");
  writer.Number<uint32_t>("guest_svn");
  writer.Number<uint64_t>("policy");
  writer.Array("family_id", 16);
  writer.Array("image_id", 16);
  writer.Number<uint32_t>("vmpl");
  writer.Number<uint32_t>("sig_algo");
  writer.Tcb("current_tcb");
  writer.Number<uint64_t>("plat_info");
  writer.Number<uint32_t>("key_info");
  writer.Zeros(4);
  writer.Array("report_data", 64);
  writer.Array("measurement", 48);
  writer.Array("host_data", 32);
  writer.Array("id_key_digest", 48);
  writer.Array("author_key_digest", 48);
  writer.Array("report_id", 32);
  writer.Array("report_id_ma", 32);
  writer.Tcb("reported_tcb");
  writer.Optional<uint8_t>("cpuid_fam_id");
  writer.Optional<uint8_t>("cpuid_mod_id");
  writer.Optional<uint8_t>("cpuid_step");
  writer.Zeros(21);
  writer.Array("chip_id", 64);
  writer.Tcb("committed_tcb");
  writer.Version("current");
  writer.Version("committed");
  writer.Tcb("launch_tcb");
  writer.Optional<uint64_t>("launch_mit_vector");
  writer.Optional<uint64_t>("current_mit_vector");
  writer.Zeros(0x2a0 - 0x208);
  writer.Signature("signature", 72);
  return std::move(writer).Finish();
}

}  // namespace keyclave::kbs
