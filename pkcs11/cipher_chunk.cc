#include "pkcs11/cipher_chunk.h"

namespace keyclave::pkcs11 {
namespace {

// Adds to the low `bits` bits of a big-endian block; true if they came round to where they started
// or beyond.
bool AddToCounter(ByteArray<16>& block, uint64_t bits, uint64_t blocks) {
  uint64_t carry = 0;
  for (size_t i = block.size(); i-- > 0 && bits > 0;) {
    const uint64_t take = std::min<uint64_t>(bits, 8);
    const uint64_t mask = (uint64_t{1} << take) - 1;
    const uint64_t sum = (block[i] & mask) + (blocks & mask) + carry;
    block[i] = static_cast<uint8_t>((block[i] & ~mask) | (sum & mask));
    carry = sum >> take;
    blocks >>= take;
    bits -= take;
  }
  return carry != 0 || blocks != 0;
}

}  // namespace

bool CanCut(const KeyOperation& operation) {
  switch (operation.mechanism.type) {
    case CKM_AES_ECB:
    case CKM_AES_CBC:
    case CKM_AES_CTR: return true;
    case CKM_AES_CBC_PAD: return IsAllowed(operation.key->attributes(), CKM_AES_CBC);
    default: return false;
  }
}

size_t Releasable(const KeyOperation& operation, Direction direction, size_t total) {
  const bool hold_last =
      operation.mechanism.type == CKM_AES_CBC_PAD && direction == Direction::kDecrypt;
  if (hold_last && total > 0) --total;
  return total / kAesBlock * kAesBlock;
}

wire::Mechanism MiddleMechanism(const KeyOperation& operation) {
  wire::Mechanism middle = operation.mechanism;
  if (middle.type == CKM_AES_CBC_PAD) middle.type = CKM_AES_CBC;
  return middle;
}

Status Advance(KeyOperation& operation, Direction direction, ByteSpan input, ByteSpan output) {
  wire::Mechanism& mechanism = operation.mechanism;
  if (mechanism.type == CKM_AES_CBC || mechanism.type == CKM_AES_CBC_PAD) {
    const ByteSpan ciphertext = direction == Direction::kEncrypt ? output : input;
    if (ciphertext.size() < kAesBlock)
      return Fail(Code::kBadMessage, "ciphertext of another length");
    mechanism.bytes = ToBytes(ciphertext.last(kAesBlock));
  }
  if (mechanism.type == CKM_AES_CTR) {
    operation.exhausted =
        AddToCounter(mechanism.ctr->block, mechanism.ctr->counter_bits, input.size() / kAesBlock);
  }
  return Done{};
}

}  // namespace keyclave::pkcs11
