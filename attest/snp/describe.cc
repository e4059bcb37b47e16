#include "attest/snp/product.h"

namespace keyclave::attest {
namespace {

std::string BoolText(bool value) { return value ? "true" : "false"; }

std::string FirmwareText(const SnpFirmware& firmware) {
  return std::to_string(firmware.major) + "." + std::to_string(firmware.minor) + "." +
         std::to_string(firmware.build);
}

// A number as its 16 digits, as the specification writes bit fields.
std::string BitsText(uint64_t bits) {
  std::string text = "0x";
  for (int shift = 60; shift >= 0; shift -= 4) text += "0123456789abcdef"[bits >> shift & 15];
  return text;
}

class Describer {
 public:
  explicit Describer(const SnpReport& report) : report_(report) {
    if (report.cpu.has_value()) product_ = SnpProductOfCpu(*report.cpu).value_or(product_);
  }

  std::vector<Field> All() && {
    Head();
    Add("report_data", ToHex(report_.report_data));
    Add("measurement", ToHex(report_.measurement));
    Add("host_data", ToHex(report_.host_data));
    Add("id_key_digest", ToHex(report_.id_key_digest));
    Add("author_key_digest", ToHex(report_.author_key_digest));
    Add("report_id", ToHex(report_.report_id));
    Add("report_id_ma", ToHex(report_.report_id_ma));
    Tcb("reported_tcb", report_.reported_tcb);
    Platform();
    Add("signature.r", ToHex(report_.r));
    Add("signature.s", ToHex(report_.s));
    return std::move(fields_);
  }

 private:
  void Add(std::string name, std::string value) {
    fields_.push_back({"report." + std::move(name), std::move(value)});
  }
  void Bits(const std::string& name, uint64_t value, const std::vector<SnpBit>& bits) {
    Add(name, BitsText(value));
    for (const SnpBit& one : bits) {
      if (report_.version >= one.since)
        Add(name + "." + std::string(one.name), BoolText(HasBit(value, one.bit)));
    }
  }
  void Tcb(const std::string& name, const SnpTcb& tcb) {
    Add(name, ToHex(tcb));
    ForEachTcbPart(product_, tcb, [&](std::string_view part, uint8_t value) {
      Add(name + "." + std::string(part), std::to_string(value));
    });
  }
  void Head() {
    Add("version", std::to_string(report_.version));
    Add("guest_svn", std::to_string(report_.guest_svn));
    Bits("policy", report_.policy, SnpPolicyBits());
    Add("policy.abi_major", std::to_string(report_.policy >> 8 & 0xff));
    Add("policy.abi_minor", std::to_string(report_.policy & 0xff));
    Add("family_id", ToHex(report_.family_id));
    Add("image_id", ToHex(report_.image_id));
    Add("vmpl", std::to_string(report_.vmpl));
    Add("signature_algo", "1 (ECDSA P-384 with SHA-384)");
    Tcb("current_tcb", report_.current_tcb);
    Bits("platform_info", report_.platform_info, SnpPlatformBits());
    Add("author_key_en", BoolText(report_.author_key_enabled));
    Add("mask_chip_key", BoolText(report_.mask_chip_key));
    Add("signing_key", std::string(SnpSigningKeyName(report_.signing_key)));
  }
  void Platform() {
    if (report_.cpu.has_value()) {
      Add("cpuid_fam_id", std::to_string(report_.cpu->family));
      Add("cpuid_mod_id", std::to_string(report_.cpu->model));
      Add("cpuid_step", std::to_string(report_.cpu->stepping));
    }
    Add("chip_id", ToHex(report_.chip_id));
    Tcb("committed_tcb", report_.committed_tcb);
    Add("current_version", FirmwareText(report_.current));
    Add("committed_version", FirmwareText(report_.committed));
    Tcb("launch_tcb", report_.launch_tcb);
    if (report_.launch_mit_vector.has_value())
      Add("launch_mit_vector", BitsText(*report_.launch_mit_vector));
    if (report_.current_mit_vector.has_value())
      Add("current_mit_vector", BitsText(*report_.current_mit_vector));
  }

  const SnpReport& report_;
  SnpProduct product_ = SnpProduct::kMilan;
  std::vector<Field> fields_;
};

}  // namespace

std::vector<Field> DescribeSnpReport(const SnpReport& report) { return Describer(report).All(); }

}  // namespace keyclave::attest
