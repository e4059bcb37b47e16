// SM4 (GB/T 32907) in ECB, CBC and CTR mode, as vendor mechanisms: PKCS#11 has no numbers for it.
// They are to SM4 what CKM_AES_… are to AES.

#include "enclave/mech/sm4.h"

#include "enclave/mech/aes.h"
#include "enclave/mech/evp.h"
#include "enclave/mech/families.h"
#include "enclave/mech/secret_keygen.h"

namespace keyclave::mech {
namespace {

constexpr MechRow kEcbRows[] = {{kCkmSm4Ecb, kSm4KeySize, kSm4KeySize, kFlagCipher}};
constexpr MechRow kCbcRows[] = {{kCkmSm4Cbc, kSm4KeySize, kSm4KeySize, kFlagCipher},
                                {kCkmSm4CbcPad, kSm4KeySize, kSm4KeySize, kFlagCipher}};
constexpr MechRow kCtrRows[] = {{kCkmSm4Ctr, kSm4KeySize, kSm4KeySize, kFlagCipher}};
constexpr MechRow kKeygenRows[] = {
    {kCkmSm4KeyGen, kSm4KeySize, kSm4KeySize, CKF_HW | CKF_GENERATE}};

const EVP_CIPHER* Ecb() {
  static const EVP_CIPHER* const cipher = EVP_CIPHER_fetch(Library(), "SM4-ECB", nullptr);
  return cipher;
}
const EVP_CIPHER* Cbc() {
  static const EVP_CIPHER* const cipher = EVP_CIPHER_fetch(Library(), "SM4-CBC", nullptr);
  return cipher;
}
const EVP_CIPHER* Ctr() {
  static const EVP_CIPHER* const cipher = EVP_CIPHER_fetch(Library(), "SM4-CTR", nullptr);
  return cipher;
}

// A build of OpenSSL may leave SM4 out.
bool Available(const MechRow& /*row*/) {
  return Ecb() != nullptr && Cbc() != nullptr && Ctr() != nullptr;
}

Result<ByteSpan> Sm4Key(const Key& key) {
  KC_CHECK_OK(CheckSecret(key, kCkkSm4));
  return key.secret().Expose(SecretAccess());
}

Code WrongLength(bool encrypt) {
  return encrypt ? Code::kDataLenRange : Code::kEncryptedDataLenRange;
}

Result<Bytes> RunEcb(const Key& key, const wire::Mechanism& mechanism, ByteSpan input,
                     bool encrypt) {
  KC_ASSIGN(const ByteSpan secret, Sm4Key(key));
  KC_CHECK_OK(ExpectNoParam(mechanism));
  if (input.size() % kAesBlock != 0) return Fail(WrongLength(encrypt));
  return CipherTransform(Ecb(), encrypt, secret, {}, input);
}

Result<Bytes> RunCbc(const Key& key, const wire::Mechanism& mechanism, ByteSpan input,
                     bool encrypt) {
  KC_ASSIGN(const ByteSpan secret, Sm4Key(key));
  KC_ASSIGN(const ByteSpan iv, ExpectBytes(mechanism, kAesBlock));
  const bool padding = mechanism.type == kCkmSm4CbcPad;
  const bool whole = input.size() % kAesBlock == 0;
  if (encrypt ? !padding && !whole : !whole || (padding && input.empty())) {
    return Fail(WrongLength(encrypt));
  }
  Result<Bytes> output = CipherTransform(Cbc(), encrypt, secret, iv, input, padding);
  // Only the padding can be wrong with whole blocks.
  if (!encrypt && !output.ok()) return Fail(Code::kEncryptedDataInvalid);
  return output;
}

Result<Bytes> RunCtr(const Key& key, const wire::Mechanism& mechanism, ByteSpan input,
                     bool encrypt) {
  KC_ASSIGN(const ByteSpan secret, Sm4Key(key));
  KC_ASSIGN(const wire::CtrParam* param, ExpectCounter(mechanism, input.size(), encrypt));
  return CipherTransform(Ctr(), encrypt, secret, param->block, input);
}

template <auto run, bool encrypt>
Result<Bytes> Transform(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  return run(key, mechanism, input, encrypt);
}

Result<NewKey> Generate(const wire::Mechanism& mechanism, const wire::AttributeList& attributes) {
  return GenerateSecret(mechanism, attributes, kCkkSm4);
}

}  // namespace

Result<Bytes> Sm4CheckValue(ByteSpan key) {
  if (Ecb() == nullptr) return Fail(Code::kUnsupported, "this OpenSSL has no SM4");
  return CipherTransform(Ecb(), true, key, {}, ByteArray<kAesBlock>{});
}

constinit const MechFamily kSm4EcbFamily = {
    .name = "sm4-ecb",
    .rows = kEcbRows,
    .available = Available,
    .encrypt = Transform<RunEcb, true>,
    .decrypt = Transform<RunEcb, false>,
};

constinit const MechFamily kSm4CbcFamily = {
    .name = "sm4-cbc",
    .rows = kCbcRows,
    .available = Available,
    .encrypt = Transform<RunCbc, true>,
    .decrypt = Transform<RunCbc, false>,
};

constinit const MechFamily kSm4CtrFamily = {
    .name = "sm4-ctr",
    .rows = kCtrRows,
    .available = Available,
    .encrypt = Transform<RunCtr, true>,
    .decrypt = Transform<RunCtr, false>,
};

constinit const MechFamily kSm4KeygenFamily = {
    .name = "sm4-keygen",
    .rows = kKeygenRows,
    .available = Available,
    .generate = Generate,
};

}  // namespace keyclave::mech
