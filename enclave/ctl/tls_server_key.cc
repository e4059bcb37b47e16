#include "enclave/ctl/tls_server_key.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "enclave/client/connect.h"
#include "enclave/wire/tls_handles.h"

namespace keyclave::ctl {
namespace {

constexpr std::chrono::seconds kDeadline{10};

using Session = wire::TlsHandle<gnutls_session_t, gnutls_deinit>;

Status Shake(gnutls_session_t session, int fd, client::Deadline deadline) {
  for (;;) {
    const int result = gnutls_handshake(session);
    if (result >= 0) return Done{};
    if (gnutls_error_is_fatal(result) != 0) return wire::CheckTls(result, "TLS handshake");
    if (result != GNUTLS_E_AGAIN && result != GNUTLS_E_INTERRUPTED) continue;
    const bool writes = gnutls_record_get_direction(session) == 1;
    KC_CHECK_OK(client::WaitFor(fd, writes ? POLLOUT : POLLIN, deadline));
  }
}

Result<Bytes> PeerKey(gnutls_session_t session) {
  unsigned count = 0;
  const gnutls_datum_t* chain = gnutls_certificate_get_peers(session, &count);
  if (gnutls_certificate_type_get2(session, GNUTLS_CTYPE_PEERS) != GNUTLS_CRT_X509 || count == 0)
    return Fail(Code::kTlsFailed, "the server has shown no X.509 certificate");
  wire::TlsCertificate certificate;
  wire::TlsPublicKey key;
  KC_CHECK_OK(wire::CheckTls(gnutls_x509_crt_init(certificate.out()), "certificate"));
  KC_CHECK_OK(wire::CheckTls(
      gnutls_x509_crt_import(certificate.get(), &chain[0], GNUTLS_X509_FMT_DER), "certificate"));
  KC_CHECK_OK(wire::CheckTls(gnutls_pubkey_init(key.out()), "public key"));
  KC_CHECK_OK(
      wire::CheckTls(gnutls_pubkey_import_x509(key.get(), certificate.get(), 0), "public key"));
  gnutls_datum_t der{};
  KC_CHECK_OK(
      wire::CheckTls(gnutls_pubkey_export2(key.get(), GNUTLS_X509_FMT_DER, &der), "public key"));
  Bytes spki = ToBytes(FromC(der.data, der.size));
  gnutls_free(der.data);
  return spki;
}

bool IsAddress(const std::string& host) {
  return host.find(':') != host.npos || host.find_first_not_of("0123456789.") == host.npos;
}

}  // namespace

Result<Bytes> TlsServerKey(const std::string& host_port) {
  const auto endpoint = ParseEndpoint("tcp:" + host_port);
  if (!endpoint.ok())
    return Fail(Code::kInvalidArgument, host_port + ": wanted HOST:PORT, such as example.org:443");
  const client::Deadline deadline = std::chrono::steady_clock::now() + kDeadline;
  KC_ASSIGN(const wire::Fd socket, client::Connect(*endpoint, std::nullopt, deadline));
  wire::TlsCredentials credentials;
  Session session;
  KC_CHECK_OK(wire::CheckTls(gnutls_certificate_allocate_credentials(credentials.out()), "TLS"));
  KC_CHECK_OK(wire::CheckTls(gnutls_init(session.out(), GNUTLS_CLIENT | GNUTLS_NONBLOCK), "TLS"));
  KC_CHECK_OK(wire::CheckTls(gnutls_set_default_priority(session.get()), "TLS"));
  KC_CHECK_OK(wire::CheckTls(
      gnutls_credentials_set(session.get(), GNUTLS_CRD_CERTIFICATE, credentials.get()), "TLS"));
  if (!IsAddress(endpoint->host))
    KC_CHECK_OK(wire::CheckTls(gnutls_server_name_set(session.get(), GNUTLS_NAME_DNS,
                                                      endpoint->host.data(), endpoint->host.size()),
                               "TLS server name"));
  gnutls_transport_set_int(session.get(), socket.get());
  const Status shaken = Shake(session.get(), socket.get(), deadline);
  if (!shaken.ok()) return shaken.error().In(host_port);
  auto spki = PeerKey(session.get());
  gnutls_bye(session.get(), GNUTLS_SHUT_WR);
  return spki;
}

}  // namespace keyclave::ctl
