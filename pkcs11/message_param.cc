#include "pkcs11/message_param.h"

#include "enclave/base/hash.h"
#include "pkcs11/mechanism_param.h"

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

// kMechanismParamInvalid for a vector of no length or more than 256 bytes, and for more fixed bits
// than it has.
Result<MessageParam> MakeMessageParam(CK_MECHANISM_TYPE type, std::span<CK_BYTE> iv,
                                      CK_ULONG fixed_bits, CK_ULONG generator) {
  if (iv.empty() || iv.size() > kMaxIv || iv.data() == nullptr) return BadParameter("IV");
  if (fixed_bits > iv.size() * 8) return BadParameter("fixed bits");
  MessageParam param;
  param.type = type;
  param.iv = iv;
  param.fixed_bits = fixed_bits;
  param.generator = generator;
  return param;
}

Status TakeTag(MessageParam& param, CK_BYTE* tag, CK_ULONG bits) {
  if (bits % 8 != 0 || bits > kMaxTagBits || tag == nullptr) return BadParameter("tag");
  param.tag = {tag, bits / 8};
  return Done{};
}

}  // namespace

bool HasMessageParam(CK_MECHANISM_TYPE type) { return type == CKM_AES_GCM || type == CKM_AES_CCM; }

bool IsMessageParamSize(CK_MECHANISM_TYPE type, CK_ULONG size) {
  return size ==
         (type == CKM_AES_CCM ? sizeof(CK_CCM_MESSAGE_PARAMS) : sizeof(CK_GCM_MESSAGE_PARAMS));
}

Result<MessageParam> ReadMessageParam(CK_MECHANISM_TYPE type, const void* parameter,
                                      CK_ULONG size) {
  constexpr Code kWrong = Code::kMechanismParamInvalid;
  if (type == CKM_AES_CCM) {
    KC_ASSIGN(const auto in, CopyStruct<CK_CCM_MESSAGE_PARAMS>(parameter, size, kWrong));
    if (in.ulMACLen > kMaxTagBits / 8) return BadParameter("MAC");
    KC_ASSIGN(MessageParam param, MakeMessageParam(type, {in.pNonce, in.ulNonceLen},
                                                   in.ulNonceFixedBits, in.nonceGenerator));
    KC_CHECK_OK(TakeTag(param, in.pMAC, in.ulMACLen * 8));
    param.data_size = in.ulDataLen;
    return param;
  }
  KC_ASSIGN(const auto in, CopyStruct<CK_GCM_MESSAGE_PARAMS>(parameter, size, kWrong));
  KC_ASSIGN(MessageParam param,
            MakeMessageParam(type, {in.pIv, in.ulIvLen}, in.ulIvFixedBits, in.ivGenerator));
  KC_CHECK_OK(TakeTag(param, in.pTag, in.ulTagBits));
  return param;
}

bool IsWrapParamSize(CK_MECHANISM_TYPE type, CK_ULONG size) {
  return (type == CKM_AES_GCM && size == sizeof(CK_GCM_WRAP_PARAMS)) ||
         (type == CKM_AES_CCM && size == sizeof(CK_CCM_WRAP_PARAMS));
}

Result<WrapParam> ReadWrapParam(CK_MECHANISM_TYPE type, const void* parameter, CK_ULONG size) {
  constexpr Code kWrong = Code::kMechanismParamInvalid;
  WrapParam read;
  if (type == CKM_AES_CCM) {
    KC_ASSIGN(const auto in, CopyStruct<CK_CCM_WRAP_PARAMS>(parameter, size, kWrong));
    KC_ASSIGN(read.message, MakeMessageParam(type, {in.pNonce, in.ulNonceLen}, in.ulNonceFixedBits,
                                             in.nonceGenerator));
    KC_ASSIGN(read.associated, PointedBytes(in.pAAD, in.ulAADLen, "additional data"));
    read.tag_size = in.ulMACLen;
    return read;
  }
  KC_ASSIGN(const auto in, CopyStruct<CK_GCM_WRAP_PARAMS>(parameter, size, kWrong));
  KC_ASSIGN(read.message,
            MakeMessageParam(type, {in.pIv, in.ulIvLen}, in.ulIvFixedBits, in.ivGenerator));
  KC_ASSIGN(read.associated, PointedBytes(in.pAAD, in.ulAADLen, "additional data"));
  if (in.ulTagBits % 8 != 0) return BadParameter("tag length");
  read.tag_size = in.ulTagBits / 8;
  return read;
}

wire::Mechanism MessageParam::ToWire(Bytes with_iv, ByteSpan associated, size_t tag_size) const {
  wire::Mechanism mechanism;
  mechanism.type = type;
  if (type == CKM_AES_CCM) {
    mechanism.ccm = wire::CcmParam{std::move(with_iv), ToBytes(associated), tag_size, data_size};
  } else {
    mechanism.gcm = wire::GcmParam{std::move(with_iv), ToBytes(associated), tag_size * 8};
  }
  return mechanism;
}

void SetIv(wire::Mechanism& mechanism, Bytes iv) {
  if (mechanism.ccm.has_value()) {
    mechanism.ccm->nonce = std::move(iv);
  } else {
    mechanism.gcm->iv = std::move(iv);
  }
}

size_t TagSize(const wire::Mechanism& mechanism) {
  return mechanism.ccm.has_value() ? mechanism.ccm->tag_size : mechanism.gcm->tag_bits / 8;
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
