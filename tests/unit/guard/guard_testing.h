// What the tests of guards share: messages of every form, and judgement in few words.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "enclave/base/byte_reader.h"
#include "enclave/guard/check.h"
#include "enclave/wire/pkcs11_numbers.h"

namespace keyclave::guard {

inline constexpr UnixTime kNow = 1'790'000'000;

inline wire::Mechanism Mech(uint64_t type) {
  wire::Mechanism mechanism;
  mechanism.type = type;
  return mechanism;
}

// What is signed beside the message; ECDSA with SHA-256 unless a test wants another.
struct Scene {
  wire::Mechanism mechanism = Mech(CKM_ECDSA_SHA256);
  Bytes public_key_info = {};
  std::vector<Bytes> issuers = {};
  UnixTime now = kNow;
};

inline Status Check(const authz::InputRule& rule, ByteSpan message, const Scene& scene = {}) {
  KC_ASSIGN(const mech::MechEntry entry, mech::FindMechanism(scene.mechanism.type));
  return CheckInput(rule, message,
                    Context{.row = *entry.row,
                            .mechanism = scene.mechanism,
                            .public_key_info = scene.public_key_info,
                            .issuers = scene.issuers,
                            .now = scene.now});
}

inline authz::InputRule Form(authz::InputForm form) { return authz::InputRule{.forms = {form}}; }
inline const authz::InputRule kServer = Form(authz::InputForm::kTlsServer);
inline const authz::InputRule kClient = Form(authz::InputForm::kTlsClient);

inline void ExpectRefused(const Status& status, const std::string& part,
                          const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  if (status.ok()) {
    ADD_FAILURE_AT(file, line) << "accepted; wanted a refusal because of: " << part;
    return;
  }
  if (status.code() != Code::kInputRefused ||
      status.error().Text().find(part) == std::string::npos) {
    ADD_FAILURE_AT(file, line) << status.error().Text() << "\nwanted: " << part;
  }
}

inline Bytes Join(std::initializer_list<ByteSpan> parts) {
  Bytes whole;
  for (const ByteSpan part : parts) whole.insert(whole.end(), part.begin(), part.end());
  return whole;
}

inline Bytes Pattern(size_t size, uint8_t first = 0x81) {
  Bytes bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<uint8_t>(first + 29 * i);
  return bytes;
}

// A vector with its length in front, of `width` bytes.
inline Bytes Vector(size_t width, ByteSpan content) {
  Bytes out(width);
  for (size_t i = 0; i < width; ++i)
    out[width - 1 - i] = static_cast<uint8_t>(content.size() >> (8 * i));
  out.insert(out.end(), content.begin(), content.end());
  return out;
}

// The content of CertificateVerify in TLS 1.3.
inline Bytes Tls13(std::string_view role, size_t hash) {
  return Join({Bytes(64, 0x20), AsBytes("TLS 1.3, " + std::string(role) + " CertificateVerify"),
               Bytes(1), Pattern(hash)});
}

// The signed parameters of a TLS 1.2 server.
inline Bytes Tls12Ecdh(uint16_t curve, ByteSpan point, ByteSpan randoms = Pattern(64)) {
  return Join({randoms, Bytes{3, static_cast<uint8_t>(curve >> 8), static_cast<uint8_t>(curve)},
               Vector(1, point)});
}
inline Bytes Uncompressed(size_t size) {
  Bytes point = Pattern(size);
  point[0] = 4;
  return point;
}

inline Bytes Message(uint8_t type, ByteSpan body) { return Join({Bytes{type}, Vector(3, body)}); }

// The parts of a TLS 1.2 handshake with client certificate, in order.
inline std::vector<Bytes> Tls12Handshake() {
  const Bytes head = Join({Bytes{3, 3}, Pattern(32), Vector(1, Pattern(32))});
  const Bytes extensions =
      Vector(2, Join({Bytes{0, 23}, Vector(2, {}), Bytes{0xff, 1}, Vector(2, Bytes{0})}));
  const Bytes certificates = Vector(3, Vector(3, Pattern(300)));
  return {Message(1, Join({head, Vector(2, Bytes{0xc0, 0x2b, 0xc0, 0x2f}), Vector(1, Bytes{0}),
                           extensions})),
          Message(2, Join({head, Bytes{0xc0, 0x2b}, Bytes{0}, extensions})),
          Message(11, certificates),
          Message(12, Pattern(140)),
          Message(13, Join({Vector(1, Bytes{1, 64}), Vector(2, Bytes{4, 3, 8, 4}),
                            Vector(2, Vector(2, Pattern(20)))})),
          Message(14, {}),
          Message(11, certificates),
          Message(16, Vector(1, Uncompressed(65)))};
}

inline Bytes Concatenated(const std::vector<Bytes>& parts) {
  Bytes whole;
  for (const Bytes& part : parts) whole.insert(whole.end(), part.begin(), part.end());
  return whole;
}

}  // namespace keyclave::guard
