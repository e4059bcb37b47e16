// The root secret in the hands of several: split at `--init` so that any `threshold` of the holders
// of recovery keys bring it back together, and fewer know nothing about it (docs/recovery.md).
//
// The split is replicated secret sharing (Ito, Saito, Nishizeki, 1987): for each set of
// threshold - 1 holders there is one part, which everybody but those gets. All parts but the last
// are random and the last one is their exclusive or with the secret, so that whoever lacks a single
// part has as much as somebody without any. Each holder's parts are sealed to his public key by one
// of the release forms (release_form.h); the enclave keeps a digest of each part, so that a wrong
// one is noticed, and whose it is.
#pragma once

#include "enclave/mech/key.h"
#include "enclave/wire/recovery.h"

namespace keyclave::mech {

inline constexpr size_t kMaxHolders = 10;

// kInvalidArgument unless 1 <= threshold <= holders <= kMaxHolders.
Status CheckSplit(size_t threshold, size_t holders);
// Each part, as the set of the holders that do not get it: bit n is the holder of place n.
// Ascending.
std::vector<uint32_t> PartMasks(size_t threshold, size_t holders);

struct RecoveryKeyholder {
  std::string name;
  Bytes public_key;  // SubjectPublicKeyInfo: RSA from 2048 bits, P-256 or X25519
};
// kInvalidArgument: two names or keys that are the same, a key of another kind; CheckSplit's.
Result<wire::Recovery> MakeRecovery(const std::string& enclave_id,
                                    const std::vector<RecoveryKeyholder>& holders, size_t threshold,
                                    const SecretBytes& secret);

// What MakeRecovery makes, and what it needs for what follows. kMalformed.
Status CheckRecovery(const wire::Recovery& recovery);
// The holder's parts, one behind the other. kNotFound for a name that is not there,
// kKeyTypeInconsistent for another's private key; kRecoveryShareInvalid.
Result<SecretBytes> OpenParts(const wire::Recovery& recovery, const std::string& holder,
                              const Key& private_key);

// Collects parts until the secret is there. `recovery` must have passed CheckRecovery.
class RecoveryMeeting {
 public:
  explicit RecoveryMeeting(wire::Recovery recovery);
  const wire::Recovery& recovery() const { return recovery_; }
  const std::vector<std::string>& given() const { return given_; }
  size_t missing() const;  // holders
  // kNotFound, kRecoveryShareInvalid; who gives twice changes nothing.
  Status Give(const std::string& holder, const SecretBytes& parts);
  Result<SecretBytes> Join() const;  // kWrongState while anybody is missing

 private:
  const wire::Recovery recovery_;
  std::vector<std::string> given_;
  std::vector<SecretBytes> parts_;  // empty: not there yet
};

}  // namespace keyclave::mech
