#include "enclave/guard/tls.h"

#include "enclave/base/byte_reader.h"

namespace keyclave::guard {
namespace {

// "This initial padding is intended to … protect against an attack in previous versions in which
// the ServerKeyExchange format meant that attackers could obtain a signature of a message with a
// chosen 32-byte prefix" (RFC 8446 §4.4.3).
constexpr size_t kSpaces = 64;
constexpr std::string_view kServer = "TLS 1.3, server CertificateVerify";
constexpr std::string_view kClient = "TLS 1.3, client CertificateVerify";

}  // namespace

bool BeginsLikeTls13(ByteSpan message) {
  return message.size() >= kSpaces &&
         AsText(message.first(kSpaces)).find_first_not_of(' ') == std::string_view::npos;
}

Status CheckTls13(TlsRole role, ByteSpan message) {
  if (!BeginsLikeTls13(message))
    return Fail(Code::kInputRefused, "it does not begin with TLS 1.3's 64 spaces");
  ByteReader reader(message);
  KC_CHECK_OK(reader.Take(kSpaces));
  const std::string_view wanted = role == TlsRole::kServer ? kServer : kClient;
  const auto label = reader.Take(wanted.size());
  if (!label.ok() || AsText(*label) != wanted || !reader.ExpectZero(1).ok())
    return Fail(Code::kInputRefused,
                "TLS 1.3's label is not \"" + std::string(wanted) + "\" and a zero");
  if (reader.remaining() != 32 && reader.remaining() != 48)
    return FailWanted(Code::kInputRefused, "TLS 1.3's transcript hash", "32 or 48 bytes",
                      std::to_string(reader.remaining()));
  return Done{};
}

}  // namespace keyclave::guard
