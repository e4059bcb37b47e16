// The machine's TPM: releases the secret while the PCRs have the values that they had, and counts
// for the witness.
#include "attest/tpm/device.h"
#include "enclave/seal/seal.h"

namespace keyclave::seal {
namespace {

namespace tpm = attest::tpm;

class TpmCounter final : public keys::MonotonicCounter {
 public:
  explicit TpmCounter(const tpm::DeviceConfig& device) : device_(device) {}
  std::string Name() const override {
    return "the TPM's counter 0x" + ToHex(BigEndian(device_.counter_index));
  }
  Result<uint64_t> Create() override { return tpm::DefineCounter(device_); }
  Result<uint64_t> Read() override { return tpm::ReadCounter(device_); }
  Result<uint64_t> Increment() override { return tpm::IncrementCounter(device_); }
  Status Remove() override { return tpm::RemoveCounter(device_); }

 private:
  static ByteArray<4> BigEndian(uint32_t index) {
    return {static_cast<uint8_t>(index >> 24), static_cast<uint8_t>(index >> 16),
            static_cast<uint8_t>(index >> 8), static_cast<uint8_t>(index)};
  }
  const tpm::DeviceConfig device_;
};

class TpmSealer final : public keys::RootSealer {
 public:
  TpmSealer(tpm::DeviceConfig device, tpm::PcrChoice pcrs)
      : device_(std::move(device)), pcrs_(std::move(pcrs)) {}
  std::string Name() const override { return "tpm"; }
  Result<Bytes> Seal(const SecretBytes& root_secret) const override {
    return tpm::Seal(device_, pcrs_, root_secret);
  }
  Result<SecretBytes> Unseal(ByteSpan sealed) const override {
    return tpm::Unseal(device_, sealed);
  }
  std::shared_ptr<keys::MonotonicCounter> Counter() const override {
    return std::make_shared<TpmCounter>(device_);
  }

 private:
  const tpm::DeviceConfig device_;
  const tpm::PcrChoice pcrs_;
};

}  // namespace

std::unique_ptr<keys::RootSealer> MakeTpmSealer(const attest::ProducerConfig& producer,
                                                const tpm::PcrChoice& pcrs) {
  return std::make_unique<TpmSealer>(producer.tpm, pcrs);
}

}  // namespace keyclave::seal
