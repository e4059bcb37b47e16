// CKM_AES_CTR (pkcs11-curr-v3.0 §2.9.2): the low counter_bits of the block count up, one per block.

#include "enclave/mech/aes.h"
#include "enclave/mech/families.h"

namespace keyclave::mech {
namespace {

constexpr MechRow kRows[] = {
    {CKM_AES_CTR, 16, 32, kFlagCipher},
};

// Whether `blocks` blocks would carry the counter past its counter_bits. As long as they do not,
// OpenSSL's counter, which is the whole block, counts the same.
bool CounterWraps(const wire::CtrParam& param, uint64_t blocks) {
  // The counter's value, as two halves; bits above counter_bits are not the counter's.
  uint64_t high = 0;
  uint64_t low = 0;
  for (size_t i = 0; i < 8; ++i) high = high << 8 | param.block[i];
  for (size_t i = 8; i < 16; ++i) low = low << 8 | param.block[i];
  if (blocks == 0) return false;
  const uint64_t last = blocks - 1;  // what is added to the counter for the last block
  if (param.counter_bits < 64) {
    const uint64_t mask = (uint64_t{1} << param.counter_bits) - 1;
    return last > mask - (low & mask);
  }
  const uint64_t high_mask =
      param.counter_bits == 128 ? ~uint64_t{0} : (uint64_t{1} << (param.counter_bits - 64)) - 1;
  const bool carries = last > ~uint64_t{0} - low;
  return carries && (high & high_mask) == high_mask;
}

Result<Bytes> Transform(const Key& key, const wire::Mechanism& mechanism, ByteSpan input,
                        bool encrypt) {
  KC_ASSIGN(const ByteSpan secret, AesKey(key));
  KC_ASSIGN(const wire::CtrParam* param, ExpectCounter(mechanism, input.size(), encrypt));
  return AesTransform(AesMode::kCtr, encrypt, secret, param->block, input);
}

Result<Bytes> Encrypt(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  return Transform(key, mechanism, input, true);
}

Result<Bytes> Decrypt(const Key& key, const wire::Mechanism& mechanism, ByteSpan input) {
  return Transform(key, mechanism, input, false);
}

}  // namespace

Result<const wire::CtrParam*> ExpectCounter(const wire::Mechanism& mechanism, size_t size,
                                            bool encrypt) {
  KC_ASSIGN(const wire::CtrParam* param, ExpectShape(mechanism, &wire::Mechanism::ctr));
  if (param->counter_bits < 1 || param->counter_bits > 128) {
    return Fail(Code::kMechanismParamInvalid, "ulCounterBits");
  }
  const uint64_t blocks = (size + kAesBlock - 1) / kAesBlock;
  // A counter that comes round would use a key stream twice.
  if (CounterWraps(*param, blocks)) {
    return Fail(encrypt ? Code::kDataLenRange : Code::kEncryptedDataLenRange,
                "the counter would wrap");
  }
  return param;
}

constinit const MechFamily kAesCtrFamily = {
    .name = "aes-ctr",
    .rows = kRows,
    .encrypt = Encrypt,
    .decrypt = Decrypt,
};

}  // namespace keyclave::mech
