#include "enclave/guard/foreign.h"

#include "enclave/base/byte_reader.h"
#include "enclave/guard/der.h"
#include "enclave/guard/tls.h"

namespace keyclave::guard {
namespace {

// RFC 4252 §7: the session identifier, an exchange hash, as a string of 32-bit length; then the
// message's number. And the signed files of OpenSSH (PROTOCOL.sshsig), Git's among them.
bool LooksLikeSsh(ByteSpan message) {
  constexpr uint8_t kUserauthRequest = 50;
  if (AsText(message).starts_with("SSHSIG")) return true;
  ByteReader reader(message);
  const auto length = reader.TakeBe<uint32_t>();
  if (!length.ok() || (*length != 20 && *length != 32 && *length != 48 && *length != 64))
    return false;
  if (!reader.Take(*length).ok()) return false;
  const auto number = reader.TakeLe<uint8_t>();
  return number.ok() && *number == kUserauthRequest;
}

// A domain name of RFC 1035 §3.1, uncompressed, as RFC 4034 §6.2 wants it.
bool TakeName(ByteReader& reader) {
  constexpr uint8_t kMaxLabel = 63;
  while (true) {
    const auto length = reader.TakeLe<uint8_t>();
    if (!length.ok() || *length > kMaxLabel || !reader.Take(*length).ok()) return false;
    if (*length == 0) return true;
  }
}

// RFC 4034 §3.1.8.1: RRSIG_RDATA without the signature, then the records, all of the type covered.
bool LooksLikeDnssec(ByteSpan message) {
  ByteReader reader(message);
  const auto covered = reader.TakeBe<uint16_t>();
  // Algorithm, labels, original TTL, expiration, inception, key tag.
  if (!covered.ok() || !reader.Take(1 + 1 + 4 + 4 + 4 + 2).ok() || !TakeName(reader)) return false;
  bool any = false;
  while (reader.remaining() != 0) {
    if (!TakeName(reader)) return false;
    const auto type = reader.TakeBe<uint16_t>();
    if (!type.ok() || *type != *covered || !reader.Take(2 + 4).ok()) return false;  // class, TTL
    if (!reader.TakePrefixedBe<uint16_t>(UINT16_MAX).ok()) return false;
    any = true;
  }
  return any;
}

// RFC 4880 §5.2.4, RFC 9580 §5.2.4: what is signed, then a trailer that ends with the version, 0xff
// and the length of the trailer before it.
bool LooksLikeOpenPgp(ByteSpan message) {
  const auto ends = [&](size_t width) {
    if (message.size() < width + 2) return false;
    ByteReader tail(message.last(width + 2));
    const auto version = tail.TakeLe<uint8_t>();
    const auto marker = tail.TakeLe<uint8_t>();
    if (!version.ok() || *version < 3 || *version > 6 || !marker.ok() || *marker != 0xff)
      return false;
    uint64_t length = 0;
    for (const uint8_t octet : tail.rest()) length = length << 8 | octet;
    const ByteSpan before = message.first(message.size() - width - 2);
    return length > 0 && length <= before.size() && before[before.size() - length] == *version;
  };
  return ends(4) || ends(8);
}

}  // namespace

std::optional<std::string_view> ForeignProtocol(ByteSpan message) {
  if (LooksLikeSignedBer(message)) return "X.509, CMS or OCSP";
  if (LooksLikeSsh(message)) return "SSH";
  if (LooksLikeDnssec(message)) return "DNSSEC";
  if (LooksLikeOpenPgp(message)) return "OpenPGP";
  if (BeginsLikeTls13(message)) return "TLS 1.3";
  return std::nullopt;
}

}  // namespace keyclave::guard
