// Keys that a platform derives for this enclave and keeps nowhere: made anew, and the same, each
// time what they are bound to is the same. Not for use as they are: derive from them.
// Every failure is kSealingKeyUnavailable, with what an operator can do about it.
#pragma once

#include <optional>

#include "attest/tee_type.h"
#include "enclave/base/secret_bytes.h"

namespace keyclave::attest {

// Which enclaves on the same processor get the same SGX key (EGETKEY, KEYPOLICY).
enum class SgxIdentity {
  kEnclave,  // MRENCLAVE: this build and no other
  kSigner,   // MRSIGNER and ISVPRODID: every enclave that the same key signed for the same product
};

// 16 bytes, from Gramine's /dev/attestation/keys. Bound to the processor, the identity, the
// attributes and MISCSELECT bits that the manifest's sgx.seal_key masks name, and the CPUSVN,
// ISVSVN and CONFIGSVN of now: it is another key after a TCB update of the processor or a new
// ISVSVN. Must not also be the key of an encrypted mount in the manifest.
Result<SecretBytes> GramineSealingKey(const ProducerConfig& config, SgxIdentity identity);

// The versions that a key is for. A newer processor or enclave can still derive the key of an older
// version, never the other way round: who seals keeps them beside what is sealed, and so can open
// it after an update.
struct SgxSvn {
  ByteArray<16> cpu{};   // CPUSVN
  uint16_t enclave = 0;  // ISVSVN
};
// Those of now.
Result<SgxSvn> OcclumSvn(const ProducerConfig& config);
// 16 bytes, by Occlum's ioctl for EGETKEY. Bound to the processor, the identity, the versions
// given, and the attributes and MISCSELECT bits that matter to security (DEBUG among them).
Result<SecretBytes> OcclumSealingKey(const ProducerConfig& config, SgxIdentity identity,
                                     const SgxSvn& svn);

// What beside the chip and the VMPL an SEV-SNP derived key is bound to (SEV-SNP Firmware ABI,
// MSG_KEY_REQ). The guest's policy is always in it: it says whether the host may debug the guest,
// and a guest that it may would otherwise get the same key.
struct SnpKeyBinding {
  bool measurement = true;  // the launch digest: this image and no other
  bool family_id = false;   // of the ID block
  bool image_id = false;
  // At most the ID block's SVN; a guest with a newer one can still derive the key.
  std::optional<uint32_t> guest_svn = std::nullopt;
  // At most the platform's committed TCB; a platform with a newer one can still derive the key.
  std::optional<uint64_t> tcb_version = std::nullopt;
  // The guest's own VMPL or a less privileged one, which can derive it as well.
  uint32_t vmpl = 0;
};
// 32 bytes, by /dev/sev-guest, from the root of the chip (the VCEK, or the VLEK where the host has
// loaded one): a guest on another chip has another key.
Result<SecretBytes> SnpSealingKey(const ProducerConfig& config, const SnpKeyBinding& binding);

}  // namespace keyclave::attest
