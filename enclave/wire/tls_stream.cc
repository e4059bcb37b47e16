#include "enclave/wire/tls_stream.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <new>
#include <system_error>

#include "enclave/wire/tls_handles.h"

namespace keyclave::wire {
namespace {

constexpr std::string_view kExporterLabel = "EXPORTER-keyclave";
constexpr size_t kMaxHandshake = size_t{16} << 10;  // bytes of one handshake message
constexpr size_t kKeepQueue = size_t{64} << 10;  // bytes of queue that are kept for the next reply

bool IsPassing(ssize_t result) {
  return result == GNUTLS_E_AGAIN || result == GNUTLS_E_INTERRUPTED;
}

bool IsEndOfStream(ssize_t result) {
  return result == 0 || result == GNUTLS_E_PREMATURE_TERMINATION || result == GNUTLS_E_PULL_ERROR;
}

std::string TlsText(ssize_t result) { return gnutls_strerror(static_cast<int>(result)); }

}  // namespace

struct TlsStream::Session {
  ~Session() {
    if (handle != nullptr) gnutls_deinit(handle);
  }
  gnutls_session_t handle = nullptr;
};

TlsStream::TlsStream(std::shared_ptr<const TlsIdentity> identity, Fd socket)
    : identity_(std::move(identity)),
      socket_(std::move(socket)),
      session_(std::make_unique<Session>()) {}

TlsStream::~TlsStream() = default;

Result<std::unique_ptr<TlsStream>> TlsStream::Create(std::shared_ptr<const TlsIdentity> identity,
                                                     TlsEnd end, Fd socket) {
  std::unique_ptr<TlsStream> stream(new TlsStream(std::move(identity), std::move(socket)));
  const TlsIdentity::Handles& handles = *stream->identity_->handles_;
  gnutls_session_t& session = stream->session_->handle;
  // No tickets: every connection proves both keys anew.
  const unsigned flags = (end == TlsEnd::kServer ? GNUTLS_SERVER : GNUTLS_CLIENT) |
                         GNUTLS_NONBLOCK | GNUTLS_NO_TICKETS | GNUTLS_NO_AUTO_SEND_TICKET;
  KC_CHECK_OK(CheckTls(gnutls_init(&session, flags), "TLS session"));
  KC_CHECK_OK(CheckTls(gnutls_priority_set(session, handles.priority.get()), "TLS priority"));
  KC_CHECK_OK(
      CheckTls(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, handles.credentials.get()),
               "credentials"));
  if (end == TlsEnd::kServer) {
    gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
  }
  gnutls_handshake_set_max_packet_length(session, kMaxHandshake);
  gnutls_transport_set_ptr(session, stream.get());
  gnutls_transport_set_pull_function(session, Pull);
  gnutls_transport_set_pull_timeout_function(session, PullTimeout);
  gnutls_transport_set_vec_push_function(session, Push);
  return stream;
}

ssize_t TlsStream::Pull(void* self, void* data, size_t size) {
  auto& stream = *static_cast<TlsStream*>(self);
  if (stream.in_begin_ == stream.in_end_) {
    // The socket was empty a moment ago: whoever polls will say when it is not.
    if (stream.emptied_) {
      gnutls_transport_set_errno(stream.session_->handle, EAGAIN);
      return -1;
    }
    ssize_t got = 0;
    do {
      got = ::recv(stream.fd(), stream.in_.data(), stream.in_.size(), MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got < 0) gnutls_transport_set_errno(stream.session_->handle, errno);
    if (got <= 0) return got;
    stream.in_begin_ = 0;
    stream.in_end_ = static_cast<size_t>(got);
    stream.emptied_ = stream.in_end_ < stream.in_.size();
  }
  const size_t taken = std::min(size, stream.in_end_ - stream.in_begin_);
  const auto from = stream.in_.begin() + static_cast<ptrdiff_t>(stream.in_begin_);
  std::copy_n(from, taken, static_cast<uint8_t*>(data));
  stream.in_begin_ += taken;
  return static_cast<ssize_t>(taken);
}

// GnuTLS asks this before some reads; Pull itself never waits, so the answer may always be yes.
int TlsStream::PullTimeout(void* /*self*/, unsigned /*milliseconds*/) { return 1; }

ssize_t TlsStream::Push(void* self, const iovec* parts, int count) {
  auto& stream = *static_cast<TlsStream*>(self);
  ssize_t total = 0;
  try {
    for (const iovec& part : std::span(parts, static_cast<size_t>(count))) {
      const ByteSpan bytes = FromC(part.iov_base, part.iov_len);
      stream.out_.insert(stream.out_.end(), bytes.begin(), bytes.end());
      total += static_cast<ssize_t>(bytes.size());
    }
  } catch (const std::bad_alloc&) {  // must not pass through GnuTLS's frames
    gnutls_transport_set_errno(stream.session_->handle, ENOMEM);
    return -1;
  }
  return total;
}

Result<bool> TlsStream::Handshake() {
  emptied_ = false;
  for (;;) {
    const int result = gnutls_handshake(session_->handle);
    if (result == GNUTLS_E_SUCCESS) return true;
    if (result == GNUTLS_E_AGAIN) return false;
    if (result == GNUTLS_E_INTERRUPTED) continue;
    if (gnutls_error_is_fatal(result) == 0) continue;  // a warning alert, which TLS 1.3 ignores
    if (IsEndOfStream(result)) {
      return Fail(Code::kChannelClosed, "the peer closed the connection during the TLS handshake");
    }
    const Error error = Fail(Code::kTlsFailed, TlsText(result));
    if (gnutls_alert_send_appropriate(session_->handle, result) == 0) {
      const auto flushed = Flush();  // best effort: the peer shall learn why
      static_cast<void>(flushed.ok());
    }
    return error;
  }
}

Result<TlsBinding> TlsStream::Bind() const {
  gnutls_session_t session = session_->handle;
  if (gnutls_protocol_get_version(session) != GNUTLS_TLS1_3 ||
      gnutls_certificate_type_get2(session, GNUTLS_CTYPE_PEERS) != GNUTLS_CRT_X509) {
    return Fail(Code::kTlsFailed, "not TLS 1.3 with X.509");
  }
  unsigned count = 0;
  const gnutls_datum_t* certificates = gnutls_certificate_get_peers(session, &count);
  if (certificates == nullptr || count != 1) {
    return Fail(Code::kTlsFailed, "the peer must present exactly one certificate");
  }
  TlsCertificate certificate;
  KC_CHECK_OK(CheckTls(gnutls_x509_crt_init(certificate.out()), "certificate"));
  KC_CHECK_OK(CheckTls(gnutls_x509_crt_import(certificate.get(), certificates, GNUTLS_X509_FMT_DER),
                       "certificate"));
  TlsBinding binding;
  KC_ASSIGN(binding.peer_spki, SpkiHash(certificate.get()));
  std::array<char, 32> exporter{};
  const int result = gnutls_prf_rfc5705(session, kExporterLabel.size(), kExporterLabel.data(), 0,
                                        nullptr, exporter.size(), exporter.data());
  if (result < 0) return Fail(Code::kNoExporter, TlsText(result));
  std::copy(exporter.begin(), exporter.end(), binding.exporter.begin());
  return binding;
}

Result<TlsStream::ReadState> TlsStream::Read(Bytes& in, size_t limit) {
  emptied_ = false;
  while (in.size() < limit) {
    const ssize_t got = gnutls_record_recv(session_->handle, plain_.data(), plain_.size());
    if (got > 0) {
      const std::span<uint8_t> bytes(plain_.data(), static_cast<size_t>(got));
      in.insert(in.end(), bytes.begin(), bytes.end());
      Wipe(bytes);
      continue;
    }
    if (got == GNUTLS_E_AGAIN) return ReadState::kDrained;
    if (got == GNUTLS_E_INTERRUPTED) continue;
    if (IsEndOfStream(got)) return ReadState::kClosed;
    return Fail(Code::kChannelClosed, TlsText(got));
  }
  return ReadState::kMore;
}

Status TlsStream::Write(ByteSpan bytes) {
  while (!bytes.empty()) {
    const ssize_t written = gnutls_record_send(session_->handle, bytes.data(), bytes.size());
    if (IsPassing(written)) continue;  // Push takes everything, so this passes at once
    if (written <= 0) return Fail(Code::kChannelClosed, TlsText(written));
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return Done{};
}

Result<bool> TlsStream::Flush() {
  while (queued() > 0) {
    const ssize_t sent = ::send(fd(), out_.data() + sent_, queued(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
    if (sent < 0) return Fail(Code::kChannelClosed, std::generic_category().message(errno));
    sent_ += static_cast<size_t>(sent);
    all_sent_ += static_cast<uint64_t>(sent);
  }
  sent_ = 0;
  out_.clear();
  if (out_.capacity() > kKeepQueue) out_.shrink_to_fit();
  return true;
}

void TlsStream::SayGoodbye() {
  gnutls_bye(session_->handle, GNUTLS_SHUT_WR);
  const auto flushed = Flush();  // best effort: the peer notices the end of the socket anyway
  static_cast<void>(flushed.ok());
}

}  // namespace keyclave::wire
