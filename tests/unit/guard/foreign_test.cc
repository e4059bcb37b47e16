// Messages of other protocols are not signed as TLS, even where a caller shaped them to look like
// it.

#include "enclave/guard/foreign.h"

#include <random>

#include "enclave/guard/der.h"
#include "enclave/guard/tls12.h"
#include "tests/unit/guard/guard_testing.h"

namespace keyclave::guard {
namespace {

// 100 bytes that begin as given and are the parameters of a server with X25519.
Bytes Shaped(ByteSpan begin) {
  Bytes message = Tls12Ecdh(29, Pattern(32));
  std::copy(begin.begin(), begin.end(), message.begin());
  return message;
}

void ExpectForeign(const Bytes& message, const std::string& protocol) {
  EXPECT_EQ(ForeignProtocol(message).value_or("none"), protocol);
  ASSERT_TRUE(ParseTls12Server(message).ok()) << "the test's own message is none of TLS";
  ExpectRefused(Check(kServer, message), "could be a message of " + protocol);
}

TEST(Foreign, ParametersThatAreNoOther) {
  const Bytes message = Shaped({});
  EXPECT_FALSE(ForeignProtocol(message).has_value());
  EXPECT_TRUE(Check(kServer, message).ok());
}

// A CRL or certificate needs only an integer or a string of bytes over what is TLS's.
TEST(Foreign, CertificatesAndCms) {
  ExpectForeign(Shaped(Bytes{0x30, 98, 0x02, 0x01, 0x01, 0x04, 93}), "X.509, CMS or OCSP");
  ExpectForeign(Shaped(Bytes{0x30, 98, 0xa0, 0x03, 0x02, 0x01, 0x02, 0x02, 91}),
                "X.509, CMS or OCSP");
  ExpectForeign(Shaped(Bytes{0x31, 98, 0x30, 96, 0x06}), "X.509, CMS or OCSP");
  // As BER may say it.
  ExpectForeign(Shaped(Bytes{0x30, 0x81, 97, 0x02, 0x81, 0x01, 0x01, 0x04, 91}),
                "X.509, CMS or OCSP");
  ExpectForeign(Shaped(Bytes{0x30, 0x83, 0, 0, 95, 0x02, 0x01, 0x01, 0x04, 90}),
                "X.509, CMS or OCSP");
  ExpectForeign(Shaped(Bytes{0x30, 0x80, 0x02, 0x01, 0x01, 0x24, 0x80}), "X.509, CMS or OCSP");
}

TEST(Foreign, SshUserAuthenticationAndSignedFiles) {
  Bytes message = Shaped(Bytes{0, 0, 0, 32});
  message[36] = 50;
  ExpectForeign(message, "SSH");
  message = Shaped(Bytes{0, 0, 0, 64});
  message[68] = 50;
  ExpectForeign(message, "SSH");
  ExpectForeign(Shaped(AsBytes("SSHSIG")), "SSH");
}

TEST(Foreign, RecordsOfDnssec) {
  const Bytes zone{7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0};
  const Bytes fixed{0, 16, 13, 1, 0, 0, 14, 16, 9, 9, 9, 9, 8, 8, 8, 8, 1, 2};
  const Bytes record = Join({zone, Bytes{0, 16, 0, 1, 0, 0, 14, 16}});
  const Bytes head = Join({fixed, zone, record});
  const auto data = static_cast<uint8_t>(100 - head.size() - 2);
  ExpectForeign(Shaped(Join({head, Bytes{0, data}})), "DNSSEC");
  Bytes other_type = Join({head, Bytes{0, data}});
  other_type[fixed.size() + 2 * zone.size() + 1] = 17;
  EXPECT_FALSE(ForeignProtocol(Shaped(other_type)).has_value());
}

TEST(Foreign, OpenPgpTrailers) {
  Bytes message = Shaped({});
  const Bytes trailer{4, 0, 19, 8, 0, 0, 4, 0xff, 0, 0, 0, 6};
  std::copy(trailer.begin(), trailer.end(), message.end() - 12);
  ExpectForeign(message, "OpenPGP");
  const Bytes longer{5, 0, 19, 8, 5, 0xff, 0, 0, 0, 0, 0, 0, 0, 4};
  std::copy(longer.begin(), longer.end(), message.end() - 14);
  ExpectForeign(message, "OpenPGP");
  message[message.size() - 1] = 3;
  EXPECT_FALSE(ForeignProtocol(message).has_value());
}

TEST(Foreign, Tls13) {
  const Bytes message = Shaped(Bytes(64, 0x20));
  ASSERT_TRUE(ParseTls12Server(message).ok());
  EXPECT_EQ(ForeignProtocol(message).value_or("none"), "TLS 1.3");
  ExpectRefused(Check(kServer, message), "label");
}

// A client's handshake of TLS 1.2 may be taken for DNSSEC: its first two bytes are the type URI.
TEST(Foreign, AHandshakeThatIsARecord) {
  const Bytes name{0};
  std::vector<Bytes> parts = Tls12Handshake();
  // ClientHello: 01 | length | 0303 | random …; 18 bytes of RRSIG, then names and a record whose
  // data is all the rest.
  Bytes hello = parts[0];
  size_t rest = 0;
  for (const Bytes& part : parts) rest += part.size();
  const size_t data = rest - 18 - 1 - 1 - 10;
  const Bytes record = Join(
      {name, name,
       Bytes{1, 0, 0, 1, 0, 0, 0, 0, static_cast<uint8_t>(data >> 8), static_cast<uint8_t>(data)}});
  std::copy(record.begin(), record.end(), hello.begin() + 18);
  parts[0] = hello;
  const Bytes message = Concatenated(parts);
  ASSERT_TRUE(ParseTls12Client(message).ok());
  ExpectRefused(Check(kClient, message), "could be a message of DNSSEC");
}

// As their own programs make them.
TEST(Foreign, WhatOtherProtocolsSignIsNeverSignedAsTls) {
  const Bytes hash = Pattern(32);
  const std::vector<Bytes> messages = {
      {},
      hash,
      Pattern(64),
      // SSH: exchange hash, user authentication, file
      Join({Bytes{0, 0, 0, 32}, hash, Bytes{50}, Vector(4, AsBytes("root")),
            Vector(4, AsBytes("ssh-connection")), Vector(4, AsBytes("publickey")), Bytes{1},
            Vector(4, AsBytes("ecdsa-sha2-nistp256")), Vector(4, Pattern(104))}),
      Join({AsBytes("SSHSIG"), Vector(4, AsBytes("git")), Vector(4, {}),
            Vector(4, AsBytes("sha512")), Vector(4, Pattern(64))}),
      ToBytes("eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLCJleHAiOjEzMDA4MTkzODAsImh0dHA6Ly9leGFtcGxl"
              "LmNvbS9pc19yb290Ijp0cnVlfQ"),
      ToBytes("tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@example.com> 1790000000 "
              "+0000\ncommitter A <a@example.com> 1790000000 +0000\n\nsubject\n"),
      ToBytes("Content-Type: text/plain\r\n\r\nA message that S/MIME signs without attributes, of "
              "more than a hundred bytes.\r\n"),
  };
  for (const Bytes& message : messages) {
    EXPECT_FALSE(Check(kServer, message).ok()) << AsText(message);
    EXPECT_FALSE(Check(kClient, message).ok()) << AsText(message);
  }
}

// What stands in docs/policy.md of handshakes that are refused by chance: with X25519 about one in
// 10^8. The header alone comes up once in 2^15 messages, so only those are drawn.
TEST(Foreign, RandomBytesAreHardlyEverTakenForAnother) {
  std::mt19937_64 random(1);
  constexpr int kDraws = 200'000;
  int taken = 0;
  for (int i = 0; i < kDraws; ++i) {
    Bytes message = Shaped({});
    for (size_t k = 0; k < message.size(); ++k) {
      if (k < 64 || k > 67) message[k] = static_cast<uint8_t>(random());
    }
    message[0] = i % 2 == 0 ? 0x30 : 0x31;
    message[1] = 98;
    taken += LooksLikeSignedBer(message) ? 1 : 0;
  }
  // One in 10^8 of all is one in about 3000 of these.
  EXPECT_LT(taken, kDraws / 1000);
}

TEST(Der, AcceptsWhatIsInItsShortestForm) {
  EXPECT_TRUE(IsDer(Bytes{0x30, 0}));
  EXPECT_TRUE(IsDer(Bytes{0x30, 3, 0x02, 1, 0}));
  EXPECT_TRUE(IsDer(Bytes{0x30, 4, 0x02, 2, 0, 0x80}));
  EXPECT_TRUE(IsDer(Bytes{0x01, 1, 0xff}));
  EXPECT_TRUE(IsDer(Bytes{0xa0, 2, 0x05, 0}));
  EXPECT_TRUE(IsDer(Bytes{0x03, 2, 7, 0x80}));
  EXPECT_TRUE(IsDer(Bytes{0x06, 3, 0x2a, 0x86, 0x48}));
  EXPECT_TRUE(IsDer(Join({Bytes{0x04, 0x81, 0x80}, Pattern(128)})));
  EXPECT_TRUE(IsDer(Join({Bytes{0x04, 0x82, 1, 0}, Pattern(256)})));
}

TEST(Der, RefusesWhatIsNot) {
  const std::vector<Bytes> bad = {
      {},
      {0x30},
      {0x30, 1},
      {0x30, 0, 0},                 // something behind it
      {0x30, 0x80, 0, 0},           // indefinite
      {0x30, 0x81, 0},              // a long length for a short one
      {0x04, 0x82, 0, 0x80},        // leading zero
      {0x30, 0x85, 1, 0, 0, 0, 0},  // longer than anything here
      {0x1f, 1, 0},                 // a tag of several bytes
      {0x01, 1, 1},                 // true is 0xff
      {0x01, 2, 0, 0},
      {0x02, 0},
      {0x02, 2, 0, 0x7f},
      {0x02, 2, 0xff, 0x80},
      {0x03, 0},
      {0x03, 1, 1},
      {0x03, 2, 8, 0},
      {0x03, 2, 1, 1},  // an unused bit is set
      {0x05, 1, 0},
      {0x06, 0},
      {0x06, 1, 0x86},
      {0x06, 3, 0x2a, 0x80, 0x01},
      {0x00, 0},           // end of contents
      {0x09, 1, 0},        // REAL
      {0x10, 0},           // a primitive SEQUENCE
      {0x24, 2, 0x04, 0},  // a string in pieces
      {0x30, 2, 0x02, 1},
      {0x30, 3, 0x02, 1, 0, 0},
  };
  for (const Bytes& bytes : bad) EXPECT_FALSE(IsDer(bytes)) << ToHex(bytes);
  Bytes deep{0x30, 0};
  for (unsigned i = 1; i < kMaxDerDepth; ++i) deep = Join({Bytes{0x30}, Vector(1, deep)});
  EXPECT_TRUE(IsDer(deep));
  EXPECT_FALSE(IsDer(Join({Bytes{0x30}, Vector(1, deep)})));
}

}  // namespace
}  // namespace keyclave::guard
