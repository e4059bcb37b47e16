#include "enclave/base/bytes.h"

#include <cstring>

namespace keyclave {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

int Base64Digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+' || c == '-') return 62;
  if (c == '/' || c == '_') return 63;
  return -1;
}

std::string EncodeBase64(ByteSpan bytes, std::string_view alphabet, bool pad) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) group = group << 8 | (j < count ? bytes[i + j] : 0U);
    for (size_t j = 0; j < 4; ++j) {
      if (j <= count) {
        text.push_back(alphabet[group >> (18 - 6 * j) & 63U]);
      } else if (pad) {
        text.push_back('=');
      }
    }
  }
  return text;
}

}  // namespace

Bytes ToBytes(std::string_view text) { return ToBytes(AsBytes(text)); }

ByteSpan AsBytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string_view AsText(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

ByteSpan FromC(const void* data, size_t size) {
  if (data == nullptr || size == 0) return {};
  return {static_cast<const uint8_t*>(data), size};
}

std::string ToHex(ByteSpan bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const uint8_t byte : bytes) {
    hex.push_back(kDigits[byte >> 4]);
    hex.push_back(kDigits[byte & 15]);
  }
  return hex;
}

Result<Bytes> FromHex(std::string_view hex) {
  if (hex.size() % 2 != 0) return Fail(Code::kMalformed, "hexadecimal text of odd length");
  Bytes bytes;
  bytes.reserve(hex.size() / 2);
  for (size_t i = 0; i < hex.size(); i += 2) {
    const int high = HexDigit(hex[i]);
    const int low = HexDigit(hex[i + 1]);
    if (high < 0 || low < 0) return Fail(Code::kMalformed, "a character that is not hexadecimal");
    bytes.push_back(static_cast<uint8_t>(high * 16 + low));
  }
  return bytes;
}

std::string ToBase64(ByteSpan bytes) {
  return EncodeBase64(bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
                      true);
}

std::string ToBase64Url(ByteSpan bytes) {
  return EncodeBase64(bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
                      false);
}

Result<Bytes> FromBase64(std::string_view text) {
  if (text.size() % 4 == 0) {
    if (text.ends_with("==")) {
      text.remove_suffix(2);
    } else if (text.ends_with('=')) {
      text.remove_suffix(1);
    }
  }
  if (text.size() % 4 == 1) return Fail(Code::kMalformed, "base64 text of impossible length");
  Bytes bytes;
  bytes.reserve(text.size() / 4 * 3 + 2);
  uint32_t group = 0;
  unsigned bits = 0;
  for (const char c : text) {
    const int digit = Base64Digit(c);
    if (digit < 0) return Fail(Code::kMalformed, "a character that is not base64");
    group = group << 6 | static_cast<uint32_t>(digit);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes.push_back(static_cast<uint8_t>(group >> bits));
      group &= (1U << bits) - 1U;
    }
  }
  if (group != 0) return Fail(Code::kMalformed, "base64 text with bits after its end");
  return bytes;
}

bool IsUtf8(ByteSpan text) {
  size_t i = 0;
  while (i < text.size()) {
    const uint8_t lead = text[i++];
    if (lead < 0x80) continue;
    const size_t more = lead >= 0xc2 && lead <= 0xdf   ? 1
                        : (lead & 0xf0) == 0xe0        ? 2
                        : lead >= 0xf0 && lead <= 0xf4 ? 3
                                                       : 0;
    if (more == 0 || more > text.size() - i) return false;
    const uint8_t second = text[i];
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
        (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f)) {
      return false;
    }
    for (size_t j = 0; j < more; ++j) {
      if ((text[i++] & 0xc0) != 0x80) return false;
    }
  }
  return true;
}

bool EqualConstantTime(ByteSpan a, ByteSpan b) {
  if (a.size() != b.size()) return false;
  volatile uint8_t difference = 0;
  for (size_t i = 0; i < a.size(); ++i)
    difference = static_cast<uint8_t>(difference | (a[i] ^ b[i]));
  return difference == 0;
}

void Wipe(std::span<uint8_t> bytes) {
  if (!bytes.empty()) explicit_bzero(bytes.data(), bytes.size());
}

}  // namespace keyclave
