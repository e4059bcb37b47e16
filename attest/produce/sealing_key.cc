#include "attest/produce/sealing_key.h"

#include "attest/produce/gramine.h"
#include "attest/produce/occlum.h"
#include "attest/produce/produce.h"
#include "attest/produce/sev_guest.h"
#include "enclave/base/byte_reader.h"

namespace keyclave::attest {
namespace {

constexpr size_t kSgxKeySize = 16;

// KEYREQUEST and its values (Intel SDM vol. 3D, 35.19), masks as Intel's SGX SDK has them for
// sealing: all bits but those that may differ without harm.
constexpr uint16_t kSealKey = 4;
constexpr uint16_t kPolicyMrEnclave = 1;
constexpr uint16_t kPolicyMrSigner = 2;
constexpr uint64_t kAttributeMask = 0xFF0000000000000B;
constexpr uint64_t kXfrmMask = 0;
constexpr uint32_t kMiscMask = 0xF0000000;
constexpr size_t kKeyIdSize = 32;
constexpr size_t kIsvSvnOffset = 258;  // in a REPORT; CPUSVN is its first field

// GUEST_FIELD_SELECT (SEV-SNP Firmware ABI, MSG_KEY_REQ).
constexpr uint64_t kMixGuestPolicy = 1 << 0;
constexpr uint64_t kMixImageId = 1 << 1;
constexpr uint64_t kMixFamilyId = 1 << 2;
constexpr uint64_t kMixMeasurement = 1 << 3;
constexpr uint64_t kMixGuestSvn = 1 << 4;
constexpr uint64_t kMixTcbVersion = 1 << 5;

Error NoKey(const Error& error) { return Fail(Code::kSealingKeyUnavailable, error.detail()); }
Error NoKey(const std::string& what, int error, std::string_view advice) {
  return NoKey(Unavailable(what, error, advice));
}

bool IsZero(ByteSpan bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

Bytes KeyRequest(SgxIdentity identity, const SgxSvn& svn) {
  ByteWriter writer;
  writer.PutLe(kSealKey);
  writer.PutLe(identity == SgxIdentity::kEnclave ? kPolicyMrEnclave : kPolicyMrSigner);
  writer.PutLe(svn.enclave);
  writer.PutLe(uint16_t{0});
  writer.Put(svn.cpu);
  writer.PutLe(kAttributeMask);
  writer.PutLe(kXfrmMask);
  writer.Put(ByteArray<kKeyIdSize>{});  // KEYID: the same key each time
  writer.PutLe(kMiscMask);
  Bytes request = std::move(writer).Finish();
  request.resize(abi::kSgxKeyRequest);  // CONFIGSVN 0, reserved
  return request;
}

Result<OpenFile> OcclumDevice(Io& io) {
  auto device = OpenOcclum(io);
  if (device) return *std::move(device);
  return Fail(Code::kSealingKeyUnavailable, std::string(kOcclumDevice) + " is no device of Occlum");
}

}  // namespace

Result<SecretBytes> GramineSealingKey(const ProducerConfig& config, SgxIdentity identity) {
  const std::string path = std::string("/dev/attestation/keys/") +
                           (identity == SgxIdentity::kEnclave ? "_sgx_mrenclave" : "_sgx_mrsigner");
  Io io(HostOf(config));
  SecretBytes key(kSgxKeySize + 1);  // one more, to see the end
  auto got = io.ReadInto(path, key.ExposeMutable(SecretAccess{}));
  if (!got.ok())
    return NoKey(path, got.error(), "inside a Gramine SGX enclave, Gramine 1.5 or later");
  if (*got != kSgxKeySize) {
    return Fail(
        Code::kSealingKeyUnavailable,
        path + ": wanted 16 bytes, got " + (*got > kSgxKeySize ? "more" : std::to_string(*got)));
  }
  key.Truncate(kSgxKeySize);
  if (IsZero(key.Expose(SecretAccess{})))
    return Fail(Code::kSealingKeyUnavailable, path + ": the key is zero");
  return key;
}

Result<SgxSvn> OcclumSvn(const ProducerConfig& config) {
  Io io(HostOf(config));
  KC_ASSIGN(const OpenFile device, OcclumDevice(io));
  ByteArray<abi::kSgxReport> report{};
  abi::OcclumReportArgument argument{nullptr, nullptr, report.data()};
  if (auto made = io.Ioctl(device, abi::kOcclumCreateReport, argument); !made.ok())
    return NoKey(kOcclumDevice, made.error(), "");
  SgxSvn svn;
  ByteReader reader(report);
  KC_ASSIGN(svn.cpu, reader.TakeArray<16>());
  KC_CHECK_OK(reader.Take(kIsvSvnOffset - svn.cpu.size()));
  KC_ASSIGN(svn.enclave, reader.TakeLe<uint16_t>());
  return svn;
}

Result<SecretBytes> OcclumSealingKey(const ProducerConfig& config, SgxIdentity identity,
                                     const SgxSvn& svn) {
  Io io(HostOf(config));
  KC_ASSIGN(const OpenFile device, OcclumDevice(io));
  const Bytes request = KeyRequest(identity, svn);
  SecretBytes key(kSgxKeySize);
  abi::OcclumKeyArgument argument{request.data(), key.ExposeMutable(SecretAccess{}).data()};
  if (auto got = io.Ioctl(device, abi::kOcclumGetKey, argument); !got.ok()) {
    return NoKey(
        std::string(kOcclumDevice) + ": sealing key", got.error(),
        "an Occlum before 2023, or versions of a newer processor or enclave were asked for");
  }
  if (IsZero(key.Expose(SecretAccess{})))
    return Fail(Code::kSealingKeyUnavailable, std::string(kOcclumDevice) + ": the key is zero");
  return key;
}

Result<SecretBytes> SnpSealingKey(const ProducerConfig& config, const SnpKeyBinding& binding) {
  Io io(HostOf(config));
  const auto device = OpenSevGuest(io);
  if (!device.ok()) return NoKey(device.error());
  abi::SnpDerivedKeyRequest request{};  // root_key_select 0: the chip's
  request.guest_field_select =
      kMixGuestPolicy | (binding.measurement ? kMixMeasurement : 0) |
      (binding.family_id ? kMixFamilyId : 0) | (binding.image_id ? kMixImageId : 0) |
      (binding.guest_svn ? kMixGuestSvn : 0) | (binding.tcb_version ? kMixTcbVersion : 0);
  request.vmpl = binding.vmpl;
  request.guest_svn = binding.guest_svn.value_or(0);
  request.tcb_version = binding.tcb_version.value_or(0);
  auto key = RequestSnpKey(io, *device, request);
  if (!key.ok()) return NoKey(key.error());
  return key;
}

}  // namespace keyclave::attest
