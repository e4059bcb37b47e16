// How a new generation of the root secret reaches the members that remain: each has a P-256 key
// pair of its own, made on its machine and kept with its root secret; the secret is encrypted to
// every public key (HPKE, enclave/mech/hpke.h) and lies so in the store that all share. Who was
// removed can read that record, and no secret in it.
#pragma once

#include "enclave/keys/vault.h"

namespace keyclave::keys {

SecretBytes NewMemberKey();  // the private key: a scalar of the curve, 32 bytes
Result<Bytes> MemberPublicKey(const SecretBytes& member_key);  // SubjectPublicKeyInfo
// kKeyFileInvalid, kKeyTypeInconsistent: it is no public key of a member.
Status CheckMemberPublicKey(ByteSpan public_key);

// Of which generation of which enclave, and for whom.
struct GenerationFor {
  ByteArray<16> enclave_id{};
  uint32_t generation = 0;
  std::string member;
};

// A record of what a generation's secret is, for those who may know it.
struct GenerationRecord {
  struct Share {
    std::string member;
    Bytes wrapped;
    template <class V>
    void Visit(V&& v) {
      v(1, member);
      v(2, wrapped);
    }
  };
  uint64_t generation = 0;
  std::vector<Share> shares;
  template <class V>
  void Visit(V&& v) {
    v(1, generation);
    v(2, shares);
  }
};
RecordKey GenerationRecordKey(uint32_t generation);

Result<Bytes> WrapGeneration(const GenerationFor& whom, ByteSpan public_key,
                             const SecretBytes& secret);
// Out of the body of such a record. kFleetRemoved: there is no share for this member and this key;
// kStoreCorrupt: it is no such record.
Result<SecretBytes> UnwrapGeneration(const GenerationFor& whom, const SecretBytes& member_key,
                                     ByteSpan body);

}  // namespace keyclave::keys
