#include "enclave/wire/tls_stream.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <gtest/gtest.h>

#include <csignal>

#include "tests/fakes/raw_peer.h"

namespace keyclave::test {
namespace {

using wire::TlsEnd;
using wire::TlsIdentity;
using wire::TlsStream;

struct Ends {
  Ends() {
    SocketPair pair;
    client = std::make_unique<RawPeer>(TlsEnd::kClient, std::move(pair.first));
    server = std::make_unique<RawPeer>(TlsEnd::kServer, std::move(pair.second));
  }
  bool Handshake() {
    bool server_done = false;
    std::thread other([&] { server_done = server->Handshake(); });
    const bool client_done = client->Handshake();
    other.join();
    return client_done && server_done;
  }
  std::unique_ptr<RawPeer> client;
  std::unique_ptr<RawPeer> server;
};

Bytes ReadAll(RawPeer& peer, size_t size) {
  Bytes in;
  while (in.size() < size) {
    const auto state = peer.stream().Read(in, size);
    if (!state.ok() || *state == TlsStream::ReadState::kClosed) break;
    if (*state == TlsStream::ReadState::kDrained && !WaitReadable(peer.fd())) break;
  }
  return in;
}

TEST(TlsIdentity, EveryOneHasItsOwnKey) {
  EXPECT_NE(TlsIdentity::Create().value()->spki(), TlsIdentity::Create().value()->spki());
}

TEST(TlsStream, BothEndsAgreeOnExporterAndKeys) {
  Ends ends;
  ASSERT_TRUE(ends.Handshake());
  EXPECT_EQ(ends.client->binding().exporter, ends.server->binding().exporter);
  EXPECT_EQ(ends.client->binding().peer_spki, ends.server->own_spki());
  EXPECT_EQ(ends.server->binding().peer_spki, ends.client->own_spki());
}

TEST(TlsStream, NoTwoConnectionsShareAnExporter) {
  Ends first;
  Ends second;
  ASSERT_TRUE(first.Handshake() && second.Handshake());
  EXPECT_NE(first.client->binding().exporter, second.client->binding().exporter);
  EXPECT_NE(first.client->binding().exporter, ByteArray<32>{});
}

TEST(TlsStream, CarriesMoreThanTheSocketHolds) {
  Ends ends;
  ASSERT_TRUE(ends.Handshake());
  const Bytes sent(3'000'000, 0xa5);
  std::thread writer([&] { EXPECT_TRUE(ends.client->Send(sent)); });
  const Bytes received = ReadAll(*ends.server, sent.size());
  writer.join();
  EXPECT_TRUE(received == sent);
}

TEST(TlsStream, ReadStopsAtItsLimitAndSaysSo) {
  Ends ends;
  ASSERT_TRUE(ends.Handshake());
  ASSERT_TRUE(ends.client->Send(Bytes(100'000, 1)));
  ASSERT_TRUE(WaitReadable(ends.server->fd()));
  Bytes in;
  const auto state = ends.server->stream().Read(in, 1000);
  ASSERT_TRUE(state.ok());
  EXPECT_EQ(*state, TlsStream::ReadState::kMore);
  EXPECT_GE(in.size(), 1000U);
  EXPECT_LE(in.size(), 1000U + 16384U);
}

TEST(TlsStream, AGoodbyeEndsTheStream) {
  Ends ends;
  ASSERT_TRUE(ends.Handshake());
  ends.client->stream().SayGoodbye();
  ASSERT_TRUE(WaitReadable(ends.server->fd()));
  Bytes in;
  EXPECT_EQ(ends.server->stream().Read(in, 1).value(), TlsStream::ReadState::kClosed);
}

TEST(TlsStream, AVanishedPeerRaisesNoSignal) {
  std::signal(SIGPIPE, SIG_DFL);
  Ends ends;
  ASSERT_TRUE(ends.Handshake());
  ends.server.reset();
  Status status;
  for (int i = 0; i < 3 && status.ok(); ++i) {
    ASSERT_TRUE(ends.client->stream().Write(Bytes(1000, 1)).ok());
    const auto flushed = ends.client->stream().Flush();
    if (!flushed.ok()) status = flushed.error();
  }
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.code(), Code::kChannelClosed);
}

// A record that was changed on its way is never delivered.
TEST(TlsStream, RefusesEveryChangedRecord) {
  for (const size_t at : {size_t{0}, size_t{3}, size_t{5}, size_t{20}, size_t{26}}) {
    SocketPair near;
    SocketPair far;
    RawPeer client(TlsEnd::kClient, std::move(near.first));
    RawPeer server(TlsEnd::kServer, std::move(far.first));
    std::atomic<bool> change{false};
    std::atomic<bool> stop{false};
    const auto relay = [&](int from, int to, bool towards_server) {
      std::array<uint8_t, 4096> buffer{};
      while (!stop) {
        if (!WaitReadable(from, 20ms)) continue;
        const ssize_t got = ::recv(from, buffer.data(), buffer.size(), 0);
        if (got <= 0) return;
        if (towards_server && change) buffer.at(at) ^= 0x40;
        ASSERT_EQ(::send(to, buffer.data(), static_cast<size_t>(got), MSG_NOSIGNAL), got);
      }
    };
    std::thread up([&] { relay(near.second.get(), far.second.get(), true); });
    std::thread down([&] { relay(far.second.get(), near.second.get(), false); });
    std::thread other([&] { EXPECT_TRUE(server.Handshake()); });
    EXPECT_TRUE(client.Handshake());
    other.join();
    change = true;
    ASSERT_TRUE(client.Send(Bytes(20, 7)));
    Bytes in;
    bool closed = false;
    while (!closed && WaitReadable(server.fd(), 500ms)) {
      const auto state = server.stream().Read(in, 20);
      closed = !state.ok() || *state == TlsStream::ReadState::kClosed;
    }
    EXPECT_TRUE(in.empty()) << at;
    stop = true;
    up.join();
    down.join();
  }
}

// A GnuTLS client that a test sets up as it likes.
class StrangeClient {
 public:
  StrangeClient(const char* priority, bool with_certificate, gnutls_ecc_curve_t curve, Fd socket)
      : socket_(std::move(socket)) {
    gnutls_init(&session_, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL);
    gnutls_priority_set_direct(session_, priority, nullptr);
    gnutls_certificate_allocate_credentials(&credentials_);
    if (with_certificate) AddCertificate(curve);
    gnutls_credentials_set(session_, GNUTLS_CRD_CERTIFICATE, credentials_);
    ::fcntl(socket_.get(), F_SETFL, 0);
    gnutls_transport_set_int(session_, socket_.get());
  }
  ~StrangeClient() {
    gnutls_deinit(session_);
    gnutls_certificate_free_credentials(credentials_);
  }
  StrangeClient(const StrangeClient&) = delete;
  StrangeClient& operator=(const StrangeClient&) = delete;

  int Handshake() {
    int result = 0;
    do {
      result = gnutls_handshake(session_);
    } while (result < 0 && gnutls_error_is_fatal(result) == 0);
    return result;
  }

 private:
  void AddCertificate(gnutls_ecc_curve_t curve) {
    gnutls_x509_privkey_t key = nullptr;
    gnutls_x509_crt_t certificate = nullptr;
    gnutls_x509_privkey_init(&key);
    gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                 static_cast<unsigned>(GNUTLS_CURVE_TO_BITS(curve)), 0);
    gnutls_x509_crt_init(&certificate);
    gnutls_x509_crt_set_version(certificate, 3);
    gnutls_x509_crt_set_serial(certificate, "1", 1);
    gnutls_x509_crt_set_activation_time(certificate, 0);
    gnutls_x509_crt_set_expiration_time(certificate, GNUTLS_X509_NO_WELL_DEFINED_EXPIRATION);
    gnutls_x509_crt_set_key(certificate, key);
    gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA384, 0);
    gnutls_certificate_set_x509_key(credentials_, &certificate, 1, key);
    gnutls_x509_crt_deinit(certificate);
    gnutls_x509_privkey_deinit(key);
  }

  Fd socket_;
  gnutls_session_t session_ = nullptr;
  gnutls_certificate_credentials_t credentials_ = nullptr;
};

bool ServerAccepts(const char* priority, bool with_certificate, gnutls_ecc_curve_t curve) {
  SocketPair pair;
  RawPeer server(TlsEnd::kServer, std::move(pair.second));
  StrangeClient client(priority, with_certificate, curve, std::move(pair.first));
  bool accepted = false;
  std::thread other([&] {
    accepted = server.Handshake();
    if (!accepted) ::shutdown(server.fd(), SHUT_RDWR);
  });
  client.Handshake();
  other.join();
  return accepted;
}

TEST(TlsStream, AcceptsAnyTls13ClientWithAP256Certificate) {
  EXPECT_TRUE(ServerAccepts("NORMAL", true, GNUTLS_ECC_CURVE_SECP256R1));
}

TEST(TlsStream, RefusesAClientWithoutCertificate) {
  EXPECT_FALSE(ServerAccepts("NORMAL", false, GNUTLS_ECC_CURVE_SECP256R1));
}

TEST(TlsStream, RefusesOlderTls) {
  EXPECT_FALSE(ServerAccepts("NORMAL:-VERS-ALL:+VERS-TLS1.2", true, GNUTLS_ECC_CURVE_SECP256R1));
}

TEST(TlsStream, RefusesAKeyOnAnotherCurve) {
  EXPECT_FALSE(ServerAccepts("NORMAL", true, GNUTLS_ECC_CURVE_SECP384R1));
}

TEST(TlsStream, HandshakeNoticesTheEnd) {
  SocketPair pair;
  RawPeer client(TlsEnd::kClient, std::move(pair.first));
  pair.second.Close();
  EXPECT_FALSE(client.Handshake());
}

TEST(TlsStream, HandshakeRefusesOtherProtocols) {
  SocketPair pair;
  RawPeer server(TlsEnd::kServer, std::move(pair.first));
  const std::string_view text = "GET / HTTP/1.1\r\nHost: enclave\r\n\r\n";
  ASSERT_EQ(::send(pair.second.get(), text.data(), text.size(), 0),
            static_cast<ssize_t>(text.size()));
  EXPECT_FALSE(server.Handshake());
}

}  // namespace
}  // namespace keyclave::test
