// What OpenSSL signs in real handshakes: both versions, both roles. The messages are put together
// from what was sent; that they are what was signed is shown by the signatures.

#include <fcntl.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/guard/certificates.h"

namespace keyclave::guard {
namespace {

using SslCtx = mech::Owned<SSL_CTX, SSL_CTX_free>;
using Ssl = mech::Owned<SSL, SSL_free>;

struct Case {
  const char* name;
  const char* key;
  int version;
  const char* ciphers;      // of TLS 1.2, or suites of TLS 1.3
  const char* groups;       // the first is used; TLS 1.2 wants the key's among them
  const EVP_MD* (*hash)();  // of TLS 1.3's transcript
};
constexpr Case kCases[] = {
    {"Tls13", "EC", TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256", "X25519", EVP_sha256},
    {"Tls13Sha384", "EC", TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384", "P-256", EVP_sha384},
    {"Tls13Rsa", "RSA", TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256", "P-256", EVP_sha256},
    {"Tls12X25519", "EC", TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", "X25519:P-256", nullptr},
    {"Tls12X448", "EC", TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", "X448:P-256", nullptr},
    {"Tls12P256", "EC", TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", "P-256", nullptr},
    {"Tls12P384", "EC", TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", "P-384:P-256", nullptr},
    {"Tls12P521", "EC", TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", "P-521:P-256", nullptr},
    {"Tls12Rsa", "RSA", TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256", "P-256", nullptr},
    {"Tls12Dhe", "RSA", TLS1_2_VERSION, "DHE-RSA-AES128-GCM-SHA256", nullptr, nullptr},
};

std::string CaseName(const testing::TestParamInfo<Case>& info) { return info.param.name; }

class OpensslHandshake : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    server_key_ = NewKey(GetParam().key);
    client_key_ = NewKey(GetParam().key);
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets_), 0);
    const SslCtx server = NewContext(TLS_server_method(), server_key_.get());
    const SslCtx client = NewContext(TLS_client_method(), client_key_.get());
    const auto accept_all = [](int, X509_STORE_CTX*) { return 1; };
    SSL_CTX_set_verify(server.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept_all);
    SSL_CTX_set_verify(client.get(), SSL_VERIFY_NONE, nullptr);
    SSL_CTX_set_dh_auto(server.get(), 1);
    server_ = NewEnd(server.get(), sockets_[0]);
    client_ = NewEnd(client.get(), sockets_[1]);
    SSL_set_accept_state(server_.get());
    SSL_set_connect_state(client_.get());
    // What the server sends and receives is the whole transcript, in order.
    SSL_set_msg_callback(
        server_.get(), [](int, int, int type, const void* data, size_t size, SSL*, void* self) {
          if (type == SSL3_RT_HANDSHAKE)
            static_cast<OpensslHandshake*>(self)->sent_.push_back(ToBytes(FromC(data, size)));
        });
    SSL_set_msg_callback_arg(server_.get(), this);
    while (SSL_in_init(server_.get()) != 0 || SSL_in_init(client_.get()) != 0) {
      ASSERT_TRUE(Step(client_.get()));
      ASSERT_TRUE(Step(server_.get()));
    }
  }
  void TearDown() override {
    for (const int socket : sockets_) close(socket);
  }

  static SslCtx NewContext(const SSL_METHOD* method, EVP_PKEY* key) {
    SslCtx context(SSL_CTX_new(method));
    const Case& one = GetParam();
    SSL_CTX_set_min_proto_version(context.get(), one.version);
    SSL_CTX_set_max_proto_version(context.get(), one.version);
    const bool tls13 = one.version == TLS1_3_VERSION;
    EXPECT_EQ(tls13 ? SSL_CTX_set_ciphersuites(context.get(), one.ciphers)
                    : SSL_CTX_set_cipher_list(context.get(), one.ciphers),
              1);
    if (one.groups != nullptr) {
      EXPECT_EQ(SSL_CTX_set1_groups_list(context.get(), one.groups), 1);
    }
    EXPECT_EQ(SSL_CTX_set1_sigalgs_list(context.get(), "ECDSA+SHA256:RSA-PSS+SHA256"), 1);
    EXPECT_EQ(SSL_CTX_use_certificate(context.get(), Make({}, key).get()), 1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey(context.get(), key), 1);
    return context;
  }
  static Ssl NewEnd(SSL_CTX* context, int socket) {
    fcntl(socket, F_SETFL, O_NONBLOCK);
    Ssl ssl(SSL_new(context));
    SSL_set_fd(ssl.get(), socket);
    return ssl;
  }
  static bool Step(SSL* ssl) {
    const int done = SSL_do_handshake(ssl);
    const int error = done == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl, done);
    return error == SSL_ERROR_NONE || error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
  }

  // The n-th message of a type, and all messages before it.
  struct Found {
    Bytes before;
    Bytes body;
  };
  Found Find(uint8_t type, int number = 0) const {
    Found found;
    for (const Bytes& message : sent_) {
      if (message[0] == type && number-- == 0) {
        found.body = ToBytes(ByteSpan(message).subspan(4));
        return found;
      }
      found.before.insert(found.before.end(), message.begin(), message.end());
    }
    ADD_FAILURE() << "no message of type " << int{type};
    return found;
  }

  // The signature with its algorithm at the end of a body is one over `message`.
  static bool Verifies(EVP_PKEY* key, ByteSpan message, ByteSpan algorithm_and_signature) {
    const ByteSpan signature = algorithm_and_signature.subspan(4);
    const mech::EvpMdCtx context(EVP_MD_CTX_new());
    EVP_PKEY_CTX* pkey = nullptr;
    if (EVP_DigestVerifyInit(context.get(), &pkey, EVP_sha256(), nullptr, key) != 1) return false;
    if (EVP_PKEY_is_a(key, "RSA") == 1) EVP_PKEY_CTX_set_rsa_padding(pkey, RSA_PKCS1_PSS_PADDING);
    return EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(),
                            message.size()) == 1;
  }

  Bytes OfTls13(std::string_view role, ByteSpan transcript) const {
    Bytes hash(48);
    unsigned int size = 0;
    EVP_Digest(transcript.data(), transcript.size(), hash.data(), &size, GetParam().hash(),
               nullptr);
    hash.resize(size);
    const Bytes label = Tls13(role, 0);
    return Join({label, hash});
  }

  // ServerKeyExchange without its signature, behind both randoms.
  Bytes ServerParameters(ByteSpan body) const {
    ByteReader reader(body);
    if (GetParam().groups != nullptr) {
      EXPECT_TRUE(reader.Take(3).ok());
      EXPECT_TRUE(reader.TakePrefixedBe<uint8_t>(255).ok());
    } else {
      for (int i = 0; i < 3; ++i) EXPECT_TRUE(reader.TakePrefixedBe<uint16_t>(65535).ok());
    }
    Bytes randoms(64);
    SSL_get_client_random(server_.get(), randoms.data(), 32);
    SSL_get_server_random(server_.get(), randoms.data() + 32, 32);
    return Join({randoms, body.first(body.size() - reader.remaining())});
  }

  mech::EvpPkey server_key_;
  mech::EvpPkey client_key_;
  int sockets_[2] = {-1, -1};
  Ssl server_;
  Ssl client_;
  std::vector<Bytes> sent_;
};
INSTANTIATE_TEST_SUITE_P(All, OpensslHandshake, testing::ValuesIn(kCases), CaseName);

TEST_P(OpensslHandshake, EachRoleSignsItsOwnFormAndNoOther) {
  constexpr uint8_t kServerKeyExchange = 12;
  constexpr uint8_t kCertificateVerify = 15;
  const bool tls13 = GetParam().version == TLS1_3_VERSION;
  Bytes of_server;
  Bytes of_client;
  if (tls13) {
    const Found server = Find(kCertificateVerify);
    of_server = OfTls13("server", server.before);
    EXPECT_TRUE(Verifies(server_key_.get(), of_server, server.body));
    const Found client = Find(kCertificateVerify, 1);
    of_client = OfTls13("client", client.before);
    EXPECT_TRUE(Verifies(client_key_.get(), of_client, client.body));
  } else {
    const Found server = Find(kServerKeyExchange);
    of_server = ServerParameters(server.body);
    const size_t parameters = of_server.size() - 64;
    EXPECT_TRUE(Verifies(server_key_.get(), of_server, ByteSpan(server.body).subspan(parameters)));
    const Found client = Find(kCertificateVerify);
    of_client = client.before;
    EXPECT_TRUE(Verifies(client_key_.get(), of_client, client.body));
  }
  const auto check = [](const authz::InputRule& rule, ByteSpan message) {
    const Status status = Check(rule, message);
    return status.ok() ? "ok" : status.error().Text();
  };
  EXPECT_EQ(check(kServer, of_server), "ok");
  EXPECT_EQ(check(kClient, of_client), "ok");
  EXPECT_NE(check(kClient, of_server), "ok");
  EXPECT_NE(check(kServer, of_client), "ok");
}

}  // namespace
}  // namespace keyclave::guard
