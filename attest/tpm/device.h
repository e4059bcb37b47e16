// The TPM of this machine, by tss2-esys, which is loaded when it is needed (dlopen): whoever uses
// no TPM does not need the library. Each call opens the TPM, does its work and leaves nothing
// behind, so that several processes can take turns where there is no resource manager (a swtpm);
// calls of one process wait for each other.
// Failures to use the TPM: kEvidenceUnavailable from what produces evidence, kSealingKeyUnavailable
// from Seal and Unseal, from the others kIo (kUnsupported if a library is not installed). They say
// what was asked of which TPM, what it answered, and what an operator can do.
#pragma once

#include "attest/tpm/attest.h"
#include "enclave/base/secret_bytes.h"

namespace keyclave::attest::tpm {

// Registers of one bank. By default what decides which software a PC runs: firmware (0, 2), boot
// loader (4), state of Secure Boot (7), command line, kernel and initial ramdisk (8, 9 by GRUB and
// the kernel's EFI stub; 11, 12 by systemd's), and shim's keys (14).
struct PcrChoice {
  std::string bank = "sha256";
  std::vector<unsigned> registers = {0, 2, 4, 7, 8, 9, 11, 12, 14};
};

// What client.yaml and keyclaved.yaml say under `tpm:`.
struct DeviceConfig {
  // As tpm2-tools take it in --tcti: "device:/dev/tpmrm0", "swtpm:host=127.0.0.1,port=2321".
  std::string tcti = "device:/dev/tpmrm0";
  PcrChoice pcrs = {};
  // Of the attestation key (keyclave evidence enroll-tpm makes it there).
  uint32_t key_handle = 0x81018001;
  // Of the attestation key and its chain, PEM, where a certificate vouches for it; empty: an
  // enrolled key.
  std::string certificate_file = {};
  // NV index of the counter that witnesses the store.
  uint32_t counter_index = 0x01800001;
};

// Loads the library and speaks to the TPM once, so that it can be used later by a process that may
// no longer load anything.
Status Prepare(const DeviceConfig& config);

// A secret of at most 128 bytes, sealed under the storage primary key (ECC P-256 template, owner
// hierarchy) and the values that these registers have now. What comes back is not secret and holds
// all that Unseal needs, the registers and their values among it. On the bus the secret is
// encrypted (parameter encryption, a session salted to the storage key).
Result<Bytes> Seal(const DeviceConfig& config, const PcrChoice& pcrs, const SecretBytes& secret);
// kSealingKeyUnavailable, which names each register that differs with both values; kMalformed for
// bytes that Seal never gave.
Result<SecretBytes> Unseal(const DeviceConfig& config, ByteSpan sealed);

// An NV index of type counter. Its values only rise, for the life of the TPM, also over removal and
// new definition: whoever rules the host can raise or remove it, never lower it. kWitnessInvalid
// where the index is something else: that could hold any number.
Result<uint64_t> DefineCounter(const DeviceConfig& config);     // and increments once; kStoreExists
Result<uint64_t> ReadCounter(const DeviceConfig& config);       // kWitnessMissing: none there
Result<uint64_t> IncrementCounter(const DeviceConfig& config);  // the new value; kWitnessMissing
Status RemoveCounter(const DeviceConfig& config);               // kWitnessMissing

}  // namespace keyclave::attest::tpm
