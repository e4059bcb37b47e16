// What the module itself must know of a mechanism: how its CK_MECHANISM parameter is laid out,
// which keys it takes, and whether its message is hashed here. Everything else, and every mechanism
// without a row here, is the enclave's affair: such a mechanism takes its parameter as plain bytes,
// and its input travels whole.
#pragma once

#include <optional>

#include "enclave/base/hash.h"
#include "enclave/wire/attributes.h"
#include "enclave/wire/mech_param.h"
#include "pkcs11/out_buffer.h"

namespace keyclave::pkcs11 {

enum class ParamShape {
  kNone,
  kBytes,
  kIv16,
  kPss,
  kOaep,
  kGcm,
  kGmac,
  kCcm,
  kCtr,
  kEcdh,
  kRsaAes,
  kEddsa,
  kString,   // CK_KEY_DERIVATION_STRING_DATA
  kCbcData,  // CK_AES_CBC_ENCRYPT_DATA_PARAMS
  kKey,      // CK_OBJECT_HANDLE
  kHkdf,
  kCounterKdf,      // CK_SP800_108_KDF_PARAMS
  kFeedbackKdf,     // CK_SP800_108_FEEDBACK_KDF_PARAMS
  kSignContext,     // CK_SIGN_ADDITIONAL_CONTEXT
  kHashSignContext  // CK_HASH_SIGN_ADDITIONAL_CONTEXT
};

struct MechanismTraits {
  CK_MECHANISM_TYPE type;
  ParamShape shape;
  std::optional<CK_KEY_TYPE> key_type;
  // A signature over a message of any length: hashed here, the digest then signed under `raw`.
  std::optional<HashAlgorithm> hash;
  CK_MECHANISM_TYPE raw;
};
// nullptr for a mechanism without a row.
const MechanismTraits* FindTraits(CK_MECHANISM_TYPE type);

// The digest that CKM_SHA256 and its like name; nullopt for other mechanisms.
std::optional<HashAlgorithm> HashOf(CK_MECHANISM_TYPE type);
std::vector<CK_MECHANISM_TYPE> DigestMechanisms();
// Bytes of a digest that the enclave computes, because the module's library lacks it; nullopt for
// other mechanisms.
std::optional<size_t> EnclaveDigestSize(CK_MECHANISM_TYPE type);

// kP11ArgumentsBad for NULL; kMechanismParamInvalid for a parameter of another shape, or
// contradictory numbers in it. A second key's handle is not read: SecondKeyOf.
Result<wire::Mechanism> FromMechanism(const CK_MECHANISM* mechanism);

// The other key that a derivation's parameter names; nullopt for none. kMechanismParamInvalid.
Result<std::optional<CK_OBJECT_HANDLE>> SecondKeyOf(const CK_MECHANISM& mechanism);

// The digest and the mask generation function that a parameter names: kMechanismParamInvalid.
Status CheckHashAndMgf(CK_MECHANISM_TYPE hash, CK_ULONG mgf);

// A hashed signature as hash and signature over the digest.
struct PreHash {
  HashAlgorithm hash{};
  wire::Mechanism raw;
  Bytes prefix;  // before the digest: the DigestInfo of PKCS#1 v1.5
  Bytes Input(ByteSpan digest) const;
};
// nullopt if the mechanism hashes nothing, or must not be split: a key whose CKA_ALLOWED_MECHANISMS
// names the hashed mechanism but not the raw one gets the message whole.
std::optional<PreHash> SplitHash(const wire::Mechanism& mechanism, const wire::AttributeList& key);

// Whether CKA_ALLOWED_MECHANISMS, if the key has it, names the mechanism.
bool IsAllowed(const wire::AttributeList& key, CK_MECHANISM_TYPE type);

// Lengths that follow from key and mechanism; nullopt where only the enclave knows.
std::optional<OutputSize> SignatureSize(const wire::AttributeList& key, CK_MECHANISM_TYPE type);
// Of what C_EncapsulateKey gives out; always exact.
std::optional<size_t> EncapsulationSize(const wire::AttributeList& key, CK_MECHANISM_TYPE type);
std::optional<OutputSize> CiphertextSize(const wire::AttributeList& key,
                                         const wire::Mechanism& mechanism, size_t input);
std::optional<OutputSize> PlaintextSize(const wire::AttributeList& key,
                                        const wire::Mechanism& mechanism, size_t input);

}  // namespace keyclave::pkcs11
