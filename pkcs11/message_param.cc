#include "pkcs11/message_param.h"

#include "enclave/base/hash.h"
#include "pkcs11/args.h"

namespace keyclave::pkcs11 {
namespace {

constexpr size_t kMaxIv = 256;         // bytes, 3.0 §6.13.2
constexpr uint64_t kMaxTagBits = 128;  // the same
constexpr uint64_t kMinRandomBits =
    64;  // two vectors among 2^24 messages are equal by chance 2^-17

Error BadParameter(const char* what) { return Fail(Code::kMechanismParamInvalid, what); }

// `iv` from bit `from` (0 is its first byte's highest) is what `change` makes of it there; the bits
// in front stay.
template <class Change>
void ChangeBehind(Bytes& iv, uint64_t from, Change change) {
  for (size_t i = from / 8; i < iv.size(); ++i) {
    const auto kept = static_cast<uint8_t>(i * 8 < from ? ~(0xffU >> (from % 8)) : 0U);
    iv[i] = static_cast<uint8_t>((iv[i] & kept) | (change(i) & ~kept & 0xffU));
  }
}

// The byte at `i` of a counter that ends with the last of `size` bytes.
uint8_t CounterByte(uint64_t counter, size_t size, size_t i) {
  const size_t shift = (size - 1 - i) * 8;
  return shift < 64 ? static_cast<uint8_t>(counter >> shift) : uint8_t{0};
}

}  // namespace

bool HasMessageParam(CK_MECHANISM_TYPE type) { return type == CKM_AES_GCM; }

Result<MessageParam> MakeMessageParam(CK_BYTE* iv, CK_ULONG iv_size, CK_ULONG fixed_bits,
                                      CK_ULONG generator) {
  if (iv_size == 0 || iv_size > kMaxIv || iv == nullptr) return BadParameter("IV");
  if (fixed_bits > iv_size * 8) return BadParameter("fixed bits");
  return MessageParam{
      .iv = {iv, iv_size}, .fixed_bits = fixed_bits, .generator = generator, .tag = {}};
}

Result<MessageParam> ReadMessageParam(const void* parameter, CK_ULONG size) {
  KC_ASSIGN(const auto in,
            CopyStruct<CK_GCM_MESSAGE_PARAMS>(parameter, size, Code::kMechanismParamInvalid));
  if (in.tag_bits % 8 != 0 || in.tag_bits > kMaxTagBits || in.tag_ptr == nullptr)
    return BadParameter("tag");
  KC_ASSIGN(MessageParam param,
            MakeMessageParam(in.iv_ptr, in.iv_len, in.iv_fixed_bits, in.iv_generator));
  param.tag = {in.tag_ptr, in.tag_bits / 8};
  return param;
}

Result<Bytes> NextIv(Bytes given, uint64_t fixed_bits, CK_ULONG generator, uint64_t& counter) {
  const uint64_t free_bits = given.size() * 8 - fixed_bits;
  switch (generator) {
    case CKG_NO_GENERATE: return given;
    case CKG_GENERATE:
    case CKG_GENERATE_RANDOM: {
      if (free_bits < kMinRandomBits) return BadParameter("too few bits are left for random ones");
      ByteArray<kMaxIv> random = RandomArray<kMaxIv>();
      ChangeBehind(given, fixed_bits, [&](size_t i) { return random[i]; });
      return given;
    }
    case CKG_GENERATE_COUNTER:
    case CKG_GENERATE_COUNTER_XOR: {
      if (free_bits < 64 && (counter >> free_bits) != 0)
        return BadParameter("the counter's bits are used up");
      const bool mixed = generator == CKG_GENERATE_COUNTER_XOR;
      ChangeBehind(given, fixed_bits, [&](size_t i) {
        const uint8_t byte = CounterByte(counter, given.size(), i);
        return static_cast<uint8_t>(mixed ? given[i] ^ byte : byte);
      });
      ++counter;
      return given;
    }
    default: return BadParameter("no such generator");
  }
}

}  // namespace keyclave::pkcs11
