// The handshake that a TLS 1.2 client signs: all messages that were sent so far, one after the
// other.

#include <span>

#include "enclave/base/byte_reader.h"
#include "enclave/guard/foreign.h"
#include "enclave/guard/tls.h"
#include "enclave/guard/tls12.h"

namespace keyclave::guard {
namespace {

constexpr uint16_t kTls12 = 0x0303;
constexpr size_t kRandom = 32;
constexpr size_t kMaxSessionId = 32;
constexpr uint16_t kSupportedVersions = 43;  // RFC 8446 §4.2.1: with it a ServerHello is TLS 1.3's

// A vector whose length is a number of 24 bits.
Result<ByteSpan> TakePrefixed24(ByteReader& reader) {
  KC_ASSIGN(const uint8_t high, reader.TakeBe<uint8_t>());
  KC_ASSIGN(const uint16_t low, reader.TakeBe<uint16_t>());
  return reader.Take(static_cast<size_t>(high) << 16 | low);
}

Status Want(bool holds, std::string_view what) {
  if (holds) return Done{};
  return Fail(Code::kMalformed, std::string(what));
}

// Extensions fill the rest of a hello, or are absent (RFC 5246 §7.4.1.2).
Status CheckExtensions(ByteReader& reader, bool from_server) {
  if (reader.remaining() == 0) return Done{};
  KC_ASSIGN(const ByteSpan all, reader.TakePrefixedBe<uint16_t>(UINT16_MAX));
  KC_CHECK_OK(reader.ExpectEnd());
  ByteReader rest(all);
  while (rest.remaining() != 0) {
    KC_ASSIGN(const uint16_t type, rest.TakeBe<uint16_t>());
    KC_CHECK_OK(rest.TakePrefixedBe<uint16_t>(UINT16_MAX));
    KC_CHECK_OK(Want(!from_server || type != kSupportedVersions, "the handshake is of TLS 1.3"));
  }
  return Done{};
}

// What both hellos begin with.
Status TakeHelloHead(ByteReader& reader) {
  KC_ASSIGN(const uint16_t version, reader.TakeBe<uint16_t>());
  KC_CHECK_OK(Want(version == kTls12, "a hello's version is not TLS 1.2"));
  KC_CHECK_OK(reader.Take(kRandom));
  KC_CHECK_OK(reader.TakePrefixedBe<uint8_t>(kMaxSessionId));
  return Done{};
}

Status CheckClientHello(ByteReader reader) {
  KC_CHECK_OK(TakeHelloHead(reader));
  KC_ASSIGN(const ByteSpan suites, reader.TakePrefixedBe<uint16_t>(UINT16_MAX - 1));
  KC_CHECK_OK(Want(!suites.empty() && suites.size() % 2 == 0, "cipher suites"));
  KC_ASSIGN(const ByteSpan compressions, reader.TakePrefixedBe<uint8_t>(UINT8_MAX));
  KC_CHECK_OK(Want(!compressions.empty(), "compression methods"));
  return CheckExtensions(reader, /*from_server=*/false);
}

Status CheckServerHello(ByteReader reader) {
  KC_CHECK_OK(TakeHelloHead(reader));
  KC_CHECK_OK(reader.Take(2));        // cipher suite
  KC_CHECK_OK(reader.ExpectZero(1));  // compression is none (RFC 7457 §2.6)
  return CheckExtensions(reader, /*from_server=*/true);
}

// A client that signs has a certificate, and so has a server that asks for it (RFC 5246 §7.4.4).
Status CheckCertificate(ByteReader reader) {
  KC_ASSIGN(const ByteSpan list, TakePrefixed24(reader));
  KC_CHECK_OK(reader.ExpectEnd());
  KC_CHECK_OK(Want(!list.empty(), "no certificate"));
  ByteReader rest(list);
  while (rest.remaining() != 0) {
    KC_ASSIGN(const ByteSpan certificate, TakePrefixed24(rest));
    KC_CHECK_OK(Want(!certificate.empty(), "an empty certificate"));
  }
  return Done{};
}

Status CheckCertificateRequest(ByteReader reader) {
  KC_ASSIGN(const ByteSpan types, reader.TakePrefixedBe<uint8_t>(UINT8_MAX));
  KC_CHECK_OK(Want(!types.empty(), "certificate types"));
  KC_ASSIGN(const ByteSpan algorithms, reader.TakePrefixedBe<uint16_t>(UINT16_MAX - 1));
  KC_CHECK_OK(Want(!algorithms.empty() && algorithms.size() % 2 == 0, "signature algorithms"));
  KC_ASSIGN(const ByteSpan authorities, reader.TakePrefixedBe<uint16_t>(UINT16_MAX));
  KC_CHECK_OK(reader.ExpectEnd());
  ByteReader rest(authorities);
  while (rest.remaining() != 0) KC_CHECK_OK(rest.TakePrefixedBe<uint16_t>(UINT16_MAX));
  return Done{};
}

Status CheckEmpty(ByteReader reader) { return reader.ExpectEnd(); }

Status CheckPresent(ByteReader reader) { return Want(reader.remaining() != 0, "empty"); }

// RFC 5246 §7.3, with the status of RFC 6066 §8.
struct Step {
  uint8_t type;
  const char* name;
  bool optional;
  Status (*check)(ByteReader);
};
constexpr Step kSteps[] = {{1, "ClientHello", false, CheckClientHello},
                           {2, "ServerHello", false, CheckServerHello},
                           {11, "Certificate", false, CheckCertificate},
                           {22, "CertificateStatus", true, CheckPresent},
                           {12, "ServerKeyExchange", true, CheckPresent},
                           {13, "CertificateRequest", false, CheckCertificateRequest},
                           {14, "ServerHelloDone", false, CheckEmpty},
                           {11, "Certificate", false, CheckCertificate},
                           {16, "ClientKeyExchange", false, CheckPresent}};

Status CheckStep(const Step& step, ByteReader& reader) {
  KC_ASSIGN(const uint8_t type, reader.TakeBe<uint8_t>());
  KC_CHECK_OK(Want(type == step.type, "another message"));
  KC_ASSIGN(const ByteSpan body, TakePrefixed24(reader));
  return step.check(ByteReader(body));
}

}  // namespace

Status ParseTls12Client(ByteSpan message) {
  ByteReader reader(message);
  for (const Step& step : kSteps) {
    if (step.optional && (reader.remaining() == 0 || reader.rest().front() != step.type)) continue;
    if (const Status checked = CheckStep(step, reader); !checked.ok()) {
      return Fail(Code::kInputRefused, std::string("it is no handshake of a TLS 1.2 client: ") +
                                           step.name + ": " + checked.error().Text());
    }
  }
  if (reader.remaining() != 0)
    return Fail(Code::kInputRefused, "bytes stand behind ClientKeyExchange");
  return Done{};
}

Status CheckTls12Client(ByteSpan message) {
  KC_CHECK_OK(ParseTls12Client(message));
  if (const auto other = ForeignProtocol(message))
    return Fail(Code::kInputRefused, "it could be a message of " + std::string(*other));
  if (ParseTls12Server(message).ok())
    return Fail(Code::kInputRefused, "it could be the parameters that a TLS server signs");
  return Done{};
}

}  // namespace keyclave::guard
