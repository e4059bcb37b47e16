#include "attest/produce/configfs_tsm.h"
#include "attest/produce/gramine.h"
#include "attest/produce/occlum.h"
#include "attest/produce/produce.h"

namespace keyclave::attest {
namespace {

struct Device {
  const char* path;
  const char* type;
};
constexpr Device kGuestDevices[] = {{"/dev/sev-guest", "sev-snp"}, {"/dev/tdx_guest", "tdx"}};
constexpr Device kNitro = {"/dev/nsm", "nitro"};
constexpr std::string_view kTpmDevice = "device:";  // in ProducerConfig::tpm.tcti

bool IsAbsent(int error) {
  return error == ENOENT || error == ENOTDIR || error == ENODEV || error == ENXIO;
}

bool IsThere(Io& io, const char* path) {
  auto device = io.Open(path, O_RDONLY);
  return device.ok() || !IsAbsent(device.error());
}

std::optional<std::string> ByConfigfs(Io& io) {
  auto provider = TsmProvider(io);
  if (!provider.ok()) return std::nullopt;
  if (*provider == kSevGuestProvider) return "sev-snp";
  if (*provider == kTdxGuestProvider) return "tdx";
  if (*provider == kCcaGuestProvider) return "cca";
  return std::nullopt;
}

// One that is reached in another way than by a device is there because somebody said so.
bool HasTpm(Io& io, const std::string& tcti) {
  return !tcti.starts_with(kTpmDevice) || IsThere(io, tcti.c_str() + kTpmDevice.size());
}

}  // namespace

Host& HostOf(const ProducerConfig& config) {
  return config.host != nullptr ? *config.host : SystemHost();
}

Result<std::string> DetectTee(const ProducerConfig& config) {
  Io io(HostOf(config));
  if (OpenOcclum(io)) return std::string("sgx");
  if (GramineAttestationType(io).ok()) return std::string("sgx");
  for (const Device& device : kGuestDevices) {
    if (IsThere(io, device.path)) return std::string(device.type);
  }
  if (auto type = ByConfigfs(io)) return *std::move(type);
  if (IsThere(io, kNitro.path)) return std::string(kNitro.type);
  if (!config.token_file.empty() || !config.token_command.empty()) return std::string("token");
  if (HasTpm(io, config.tpm.tcti)) return std::string("tpm");
  return Fail(
      Code::kEvidenceUnavailable,
      "nothing here makes evidence: no Occlum (/dev/sgx), no Gramine (/dev/attestation), no "
      "/dev/sev-guest, no /dev/tdx_guest, no provider in /sys/kernel/config/tsm/report, no "
      "/dev/nsm, no configured token, no TPM (" +
          config.tpm.tcti + ")");
}

}  // namespace keyclave::attest
