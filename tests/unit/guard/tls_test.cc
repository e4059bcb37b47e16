#include "enclave/guard/tls.h"

#include <openssl/bn.h>

#include "enclave/guard/tls12.h"
#include "enclave/mech/evp.h"
#include "tests/unit/guard/guard_testing.h"

namespace keyclave::guard {
namespace {

TEST(Tls13, AcceptsItsOwnRoleOnly) {
  for (const size_t hash : {size_t{32}, size_t{48}}) {
    EXPECT_TRUE(Check(kServer, Tls13("server", hash)).ok());
    EXPECT_TRUE(Check(kClient, Tls13("client", hash)).ok());
    ExpectRefused(Check(kServer, Tls13("client", hash)), "label");
    ExpectRefused(Check(kClient, Tls13("server", hash)), "label");
  }
}

TEST(Tls13, RefusesEveryOtherLength) {
  const Bytes longest = Tls13("server", 64);
  for (size_t size = 0; size <= longest.size(); ++size) {
    const bool good = size == 98 + 32 || size == 98 + 48;
    EXPECT_EQ(Check(kServer, ByteSpan(longest).first(size)).ok(), good) << size;
  }
}

TEST(Tls13, RefusesEveryBitOfItsLabelTurned) {
  const Bytes good = Tls13("server", 32);
  for (size_t bit = 0; bit < 8 * 98; ++bit) {
    Bytes turned = good;
    turned[bit / 8] = static_cast<uint8_t>(turned[bit / 8] ^ (1U << bit % 8));
    EXPECT_FALSE(Check(kServer, turned).ok()) << bit;
    EXPECT_FALSE(Check(kClient, turned).ok()) << bit;
  }
  for (size_t bit = 8 * 98; bit < 8 * good.size(); ++bit) {
    Bytes turned = good;
    turned[bit / 8] = static_cast<uint8_t>(turned[bit / 8] ^ (1U << bit % 8));
    EXPECT_TRUE(Check(kServer, turned).ok()) << bit;
  }
}

TEST(Tls12Server, AcceptsEachCurveWithItsPoint) {
  EXPECT_TRUE(Check(kServer, Tls12Ecdh(23, Uncompressed(65))).ok());
  EXPECT_TRUE(Check(kServer, Tls12Ecdh(24, Uncompressed(97))).ok());
  EXPECT_TRUE(Check(kServer, Tls12Ecdh(25, Uncompressed(133))).ok());
  EXPECT_TRUE(Check(kServer, Tls12Ecdh(29, Pattern(32))).ok());
  EXPECT_TRUE(Check(kServer, Tls12Ecdh(30, Pattern(56))).ok());
}

TEST(Tls12Server, RefusesOtherCurvesAndOtherPoints) {
  ExpectRefused(Check(kServer, Tls12Ecdh(22, Uncompressed(65))), "the curve 22");
  ExpectRefused(Check(kServer, Tls12Ecdh(23, Uncompressed(64))), "point");
  ExpectRefused(Check(kServer, Tls12Ecdh(23, Uncompressed(66))), "point");
  ExpectRefused(Check(kServer, Tls12Ecdh(23, Uncompressed(97))), "point");
  ExpectRefused(Check(kServer, Tls12Ecdh(29, {})), "point");
  for (const uint8_t form : {uint8_t{0}, uint8_t{2}, uint8_t{3}, uint8_t{5}}) {
    Bytes point = Uncompressed(65);
    point[0] = form;
    ExpectRefused(Check(kServer, Tls12Ecdh(23, point)), "point");
  }
  for (const uint8_t type : {uint8_t{0}, uint8_t{1}, uint8_t{2}, uint8_t{4}}) {
    Bytes message = Tls12Ecdh(23, Uncompressed(65));
    message[64] = type;
    ExpectRefused(Check(kServer, message), "no whole parameters");
  }
}

TEST(Tls12Server, RefusesEveryOtherLength) {
  const Bytes good = Tls12Ecdh(23, Uncompressed(65));
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(Check(kServer, ByteSpan(good).first(size)).ok()) << size;
  ExpectRefused(Check(kServer, Join({good, Bytes{0}})), "no whole parameters");
}

TEST(Tls12Server, RefusesEveryStructuralBitTurned) {
  const Bytes good = Tls12Ecdh(23, Uncompressed(65));
  for (size_t bit = 8 * 64; bit < 8 * 69; ++bit) {
    Bytes turned = good;
    turned[bit / 8] = static_cast<uint8_t>(turned[bit / 8] ^ (1U << bit % 8));
    EXPECT_FALSE(Check(kServer, turned).ok()) << bit;
  }
}

Bytes Prime(BIGNUM* (*get)(BIGNUM*)) {
  const mech::BigNum prime(get(nullptr));
  return mech::BigNumBytes(prime.get());
}

Bytes Tls12Dh(ByteSpan prime, ByteSpan generator, ByteSpan share) {
  return Join({Pattern(64), Vector(2, prime), Vector(2, generator), Vector(2, share)});
}

TEST(Tls12Server, AcceptsTheGroupsThatEverybodyKnows) {
  for (auto* const get :
       {BN_get_rfc3526_prime_2048, BN_get_rfc3526_prime_3072, BN_get_rfc3526_prime_8192}) {
    const Bytes prime = Prime(get);
    EXPECT_TRUE(Check(kServer, Tls12Dh(prime, Bytes{2}, Pattern(prime.size()))).ok());
    EXPECT_TRUE(Check(kServer, Tls12Dh(prime, Bytes{2}, Pattern(prime.size() - 1))).ok());
  }
}

TEST(Tls12Server, RefusesGroupsThatACallerMadeUp) {
  const Bytes prime = Prime(BN_get_rfc3526_prime_2048);
  const Bytes share = Pattern(prime.size());
  ExpectRefused(Check(kServer, Tls12Dh(Prime(BN_get_rfc3526_prime_1536), Bytes{2}, Pattern(192))),
                "no whole parameters");
  ExpectRefused(Check(kServer, Tls12Dh(Pattern(256), Bytes{2}, share)), "no whole");
  ExpectRefused(Check(kServer, Tls12Dh(prime, Bytes{3}, share)), "no whole");
  ExpectRefused(Check(kServer, Tls12Dh(prime, Bytes{0, 2}, share)), "no whole");
  ExpectRefused(Check(kServer, Tls12Dh(prime, {}, share)), "no whole");
  ExpectRefused(Check(kServer, Tls12Dh(prime, Bytes{2}, {})), "no whole");
  ExpectRefused(Check(kServer, Tls12Dh(prime, Bytes{2}, Pattern(prime.size() + 1))), "no whole");
  const Bytes good = Tls12Dh(prime, Bytes{2}, share);
  ASSERT_TRUE(Check(kServer, good).ok());
  ExpectRefused(Check(kServer, Join({good, Bytes{0}})), "no whole");
  // Every bit of lengths, prime and generator counts.
  const size_t end = 64 + 2 + prime.size() + 2 + 1 + 2;
  for (size_t bit = 8 * 64; bit < 8 * end; bit += 5) {
    Bytes turned = good;
    turned[bit / 8] = static_cast<uint8_t>(turned[bit / 8] ^ (1U << bit % 8));
    EXPECT_FALSE(Check(kServer, turned).ok()) << bit;
  }
}

TEST(Tls12Client, AcceptsTheHandshakeWithAndWithoutItsOptionalParts) {
  std::vector<Bytes> parts = Tls12Handshake();
  EXPECT_TRUE(Check(kClient, Concatenated(parts)).ok());
  parts.insert(parts.begin() + 3, Message(22, Pattern(9)));
  EXPECT_TRUE(Check(kClient, Concatenated(parts)).ok());
  parts.erase(parts.begin() + 4);  // ServerKeyExchange: RSA has none
  EXPECT_TRUE(Check(kClient, Concatenated(parts)).ok());
}

TEST(Tls12Client, RefusesMessagesLeftOutRepeatedOrOutOfOrder) {
  const std::vector<Bytes> good = Tls12Handshake();
  for (size_t i = 0; i < good.size(); ++i) {
    std::vector<Bytes> parts = good;
    parts.insert(parts.begin() + static_cast<ptrdiff_t>(i), good[i]);
    EXPECT_FALSE(Check(kClient, Concatenated(parts)).ok()) << "twice: " << i;
    if (i != 3) {
      parts = good;
      parts.erase(parts.begin() + static_cast<ptrdiff_t>(i));
      EXPECT_FALSE(Check(kClient, Concatenated(parts)).ok()) << "without: " << i;
    }
    if (i + 1 < good.size()) {
      parts = good;
      std::swap(parts[i], parts[i + 1]);
      EXPECT_FALSE(Check(kClient, Concatenated(parts)).ok()) << "swapped: " << i;
    }
  }
}

TEST(Tls12Client, RefusesEveryOtherLength) {
  const Bytes good = Concatenated(Tls12Handshake());
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(Check(kClient, ByteSpan(good).first(size)).ok()) << size;
  ExpectRefused(Check(kClient, Join({good, Bytes{0}})), "behind ClientKeyExchange");
}

TEST(Tls12Client, RefusesHandshakesThatAreNotOfTls12) {
  const auto with = [](size_t part, Bytes body) {
    std::vector<Bytes> parts = Tls12Handshake();
    parts[part] = Message(parts[part][0], body);
    return Check(kClient, Concatenated(parts));
  };
  const Bytes old = Join({Bytes{3, 2}, Pattern(32), Vector(1, {}), Bytes{0xc0, 0x2b, 0}});
  ExpectRefused(with(1, old), "ServerHello: ");
  const Bytes head = Join({Bytes{3, 3}, Pattern(32), Vector(1, {})});
  ASSERT_TRUE(with(1, Join({head, Bytes{0xc0, 0x2b, 0}})).ok());
  ExpectRefused(with(1, Join({head, Bytes{0xc0, 0x2b, 1}})), "ServerHello: ");
  ExpectRefused(with(1, Join({head, Bytes{0x13, 0x01, 0},
                              Vector(2, Join({Bytes{0, 43}, Vector(2, Bytes{3, 4})}))})),
                "TLS 1.3");
  ExpectRefused(with(1, Join({head, Bytes{0xc0, 0x2b, 0}, Vector(2, Bytes{0, 23, 0})})),
                "ServerHello: ");
  ExpectRefused(with(0, Join({head, Vector(2, Bytes{1}), Vector(1, Bytes{0})})), "cipher suites");
  ExpectRefused(with(0, Join({head, Vector(2, {}), Vector(1, Bytes{0})})), "cipher suites");
  ExpectRefused(with(0, Join({head, Vector(2, Bytes{1, 2}), Vector(1, {})})), "compression");
  ExpectRefused(with(0, Join({Bytes{3, 3}, Pattern(32), Vector(1, Pattern(33))})), "ClientHello");
  for (const size_t certificate : {size_t{2}, size_t{6}}) {
    ExpectRefused(with(certificate, Vector(3, {})), "no certificate");
    ExpectRefused(with(certificate, Vector(3, Vector(3, {}))), "empty certificate");
    ExpectRefused(with(certificate, Vector(3, Bytes{0, 0, 2, 1})), "Certificate: ");
  }
  ExpectRefused(with(3, {}), "ServerKeyExchange: ");
  ExpectRefused(with(4, Join({Vector(1, {}), Vector(2, Bytes{4, 3}), Vector(2, {})})), "types");
  ExpectRefused(with(4, Join({Vector(1, Bytes{1}), Vector(2, Bytes{4}), Vector(2, {})})),
                "algorithms");
  ExpectRefused(with(4, Join({Vector(1, Bytes{1}), Vector(2, Bytes{4, 3}), Vector(2, Bytes{0})})),
                "CertificateRequest: ");
  ExpectRefused(with(5, Bytes{0}), "ServerHelloDone: ");
  ExpectRefused(with(7, {}), "ClientKeyExchange: ");
}

// A handshake and the parameters of a server in one: the prime lies among the cipher suites, and
// what follows is the share.
Bytes OfBothRoles() {
  const Bytes head = Join({Bytes{3, 3}, Pattern(32), Vector(1, {})});
  const Bytes certificate = Message(11, Vector(3, Vector(3, Bytes{0})));
  const Bytes rest =
      Concatenated({Message(2, Join({head, Bytes{0xc0, 0x2b, 0}})), certificate,
                    Message(13, Join({Vector(1, Bytes{1}), Vector(2, Bytes{4, 3}), Vector(2, {})})),
                    Message(14, {}), certificate, Message(16, Bytes{0})});
  const Bytes compression = Vector(1, Bytes{0});
  const auto share = static_cast<uint8_t>(compression.size() + rest.size());
  const size_t before = 4 + head.size() + 2;
  const Bytes suites = Join({Pattern(64 - before), Vector(2, Prime(BN_get_rfc3526_prime_2048)),
                             Vector(2, Bytes{2}), Bytes{0, share}});
  return Join({Message(1, Join({head, Vector(2, suites), compression})), rest});
}

TEST(TlsRoles, NoMessageHasTwo) {
  const Bytes both = OfBothRoles();
  ASSERT_TRUE(ParseTls12Server(both).ok());
  ASSERT_TRUE(ParseTls12Client(both).ok());
  ExpectRefused(Check(kServer, both), "TLS client signs");
  ExpectRefused(Check(kClient, both), "TLS server signs");
  for (const size_t hash : {size_t{32}, size_t{48}}) {
    for (const char* const role : {"server", "client"}) {
      EXPECT_FALSE(ParseTls12Server(Tls13(role, hash)).ok());
      EXPECT_FALSE(ParseTls12Client(Tls13(role, hash)).ok());
    }
  }
}

}  // namespace
}  // namespace keyclave::guard
