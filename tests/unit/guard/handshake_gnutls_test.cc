// What GnuTLS asks a key to sign in real handshakes: both versions, both roles. The keys are
// Ed25519: for others GnuTLS hashes first, and the message could not be overheard.

#include <fcntl.h>
#include <gnutls/abstract.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/guard/certificates.h"

namespace keyclave::guard {
namespace {

// A key whose signing is overheard.
struct Ear {
  gnutls_privkey_t real = nullptr;
  std::vector<Bytes> heard;
};

int SignData(gnutls_privkey_t /*key*/, gnutls_sign_algorithm_t algorithm, void* user,
             unsigned int /*flags*/, const gnutls_datum_t* data, gnutls_datum_t* signature) {
  auto& ear = *static_cast<Ear*>(user);
  ear.heard.push_back(ToBytes(FromC(data->data, data->size)));
  return gnutls_privkey_sign_data2(ear.real, algorithm, 0, data, signature);
}

int SignHash(gnutls_privkey_t /*key*/, gnutls_sign_algorithm_t /*algorithm*/, void* /*user*/,
             unsigned int /*flags*/, const gnutls_datum_t* /*data*/, gnutls_datum_t* /*out*/) {
  return GNUTLS_E_UNSUPPORTED_SIGNATURE_ALGORITHM;
}

int Describe(gnutls_privkey_t /*key*/, unsigned int flags, void* user) {
  auto& ear = *static_cast<Ear*>(user);
  unsigned int bits = 0;
  const int type = gnutls_privkey_get_pk_algorithm(ear.real, &bits);
  if ((flags & GNUTLS_PRIVKEY_INFO_PK_ALGO) != 0) return type;
  if ((flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS) != 0) return static_cast<int>(bits);
  if ((flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO) != 0) {
    const auto algorithm = GNUTLS_FLAGS_TO_SIGN_ALGO(flags);
    return gnutls_sign_supports_pk_algorithm(static_cast<gnutls_sign_algorithm_t>(algorithm),
                                             static_cast<gnutls_pk_algorithm_t>(type)) != 0
               ? 1
               : 0;
  }
  return -1;
}

// Certificate and overheard key of one end.
class Credentials {
 public:
  Credentials() {
    const mech::EvpPkey key = NewKey("ED25519");
    const Bytes private_der = Der(key.get(), i2d_PrivateKey);
    const Bytes certificate = Der(Make({}, key.get(), nullptr).get(), i2d_X509);
    gnutls_certificate_allocate_credentials(&credentials_);
    gnutls_privkey_init(&ear.real);
    gnutls_datum_t datum = Datum(private_der);
    EXPECT_EQ(gnutls_privkey_import_x509_raw(ear.real, &datum, GNUTLS_X509_FMT_DER, nullptr, 0), 0);
    gnutls_privkey_t overheard = nullptr;
    gnutls_privkey_init(&overheard);
    EXPECT_EQ(gnutls_privkey_import_ext4(overheard, &ear, SignData, SignHash, nullptr, nullptr,
                                         Describe, 0),
              0);
    datum = Datum(certificate);
    auto* const list = static_cast<gnutls_pcert_st*>(gnutls_calloc(1, sizeof(gnutls_pcert_st)));
    EXPECT_EQ(gnutls_pcert_import_x509_raw(list, &datum, GNUTLS_X509_FMT_DER, 0), 0);
    // It owns both from here on.
    EXPECT_EQ(gnutls_certificate_set_key(credentials_, nullptr, 0, list, 1, overheard), 0);
    list_ = list;
  }
  Credentials(const Credentials&) = delete;
  Credentials& operator=(const Credentials&) = delete;
  ~Credentials() {
    gnutls_certificate_free_credentials(credentials_);
    gnutls_privkey_deinit(ear.real);
    gnutls_free(list_);
  }
  gnutls_certificate_credentials_t get() const { return credentials_; }
  Ear ear;

 private:
  static gnutls_datum_t Datum(const Bytes& bytes) {
    return {const_cast<uint8_t*>(bytes.data()), static_cast<unsigned int>(bytes.size())};
  }
  gnutls_certificate_credentials_t credentials_ = nullptr;
  gnutls_pcert_st* list_ = nullptr;
};

class End {
 public:
  End(unsigned int flags, const Credentials& credentials, const std::string& priority, int socket)
      : socket_(socket) {
    fcntl(socket, F_SETFL, O_NONBLOCK);
    gnutls_init(&session_, flags | GNUTLS_NONBLOCK);
    EXPECT_EQ(gnutls_priority_set_direct(session_, priority.c_str(), nullptr), 0) << priority;
    gnutls_credentials_set(session_, GNUTLS_CRD_CERTIFICATE, credentials.get());
    gnutls_transport_set_int(session_, socket);
    if ((flags & GNUTLS_SERVER) != 0)
      gnutls_certificate_server_set_request(session_, GNUTLS_CERT_REQUIRE);
  }
  End(const End&) = delete;
  End& operator=(const End&) = delete;
  ~End() {
    gnutls_deinit(session_);
    close(socket_);
  }
  int Step() { return gnutls_handshake(session_); }

 private:
  int socket_;
  gnutls_session_t session_ = nullptr;
};

struct Case {
  const char* name;
  const char* priority;
};
constexpr Case kCases[] = {
    {"Tls13", "NORMAL:-VERS-ALL:+VERS-TLS1.3"},
    {"Tls13Sha384", "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-256-GCM"},
    {"Tls12", "NORMAL:-VERS-ALL:+VERS-TLS1.2"},
    {"Tls12X25519", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-GROUP-ALL:+GROUP-X25519"},
    {"Tls12X448", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-GROUP-ALL:+GROUP-X448"},
    {"Tls12P256", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-GROUP-ALL:+GROUP-SECP256R1"},
    {"Tls12P384", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-GROUP-ALL:+GROUP-SECP384R1"},
    {"Tls12P521", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-GROUP-ALL:+GROUP-SECP521R1"},
};

std::string CaseName(const testing::TestParamInfo<Case>& info) { return info.param.name; }

class GnutlsHandshake : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(All, GnutlsHandshake, testing::ValuesIn(kCases), CaseName);

TEST_P(GnutlsHandshake, EachRoleSignsItsOwnFormAndNoOther) {
  const Credentials server_key;
  const Credentials client_key;
  int sockets[2] = {-1, -1};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
  {
    End server(GNUTLS_SERVER, server_key, GetParam().priority, sockets[0]);
    End client(GNUTLS_CLIENT, client_key, GetParam().priority, sockets[1]);
    int at_server = GNUTLS_E_AGAIN;
    int at_client = GNUTLS_E_AGAIN;
    while (at_server == GNUTLS_E_AGAIN || at_client == GNUTLS_E_AGAIN) {
      if (at_client == GNUTLS_E_AGAIN) at_client = client.Step();
      if (at_server == GNUTLS_E_AGAIN) at_server = server.Step();
      ASSERT_TRUE(at_client == 0 || at_client == GNUTLS_E_AGAIN) << gnutls_strerror(at_client);
      ASSERT_TRUE(at_server == 0 || at_server == GNUTLS_E_AGAIN) << gnutls_strerror(at_server);
    }
  }
  ASSERT_EQ(server_key.ear.heard.size(), 1U);
  ASSERT_EQ(client_key.ear.heard.size(), 1U);
  const auto check = [](const authz::InputRule& rule, ByteSpan message) {
    const Status status = Check(rule, message);
    return status.ok() ? "ok" : status.error().Text();
  };
  EXPECT_EQ(check(kServer, server_key.ear.heard[0]), "ok");
  EXPECT_EQ(check(kClient, client_key.ear.heard[0]), "ok");
  EXPECT_NE(check(kClient, server_key.ear.heard[0]), "ok");
  EXPECT_NE(check(kServer, client_key.ear.heard[0]), "ok");
}

}  // namespace
}  // namespace keyclave::guard
