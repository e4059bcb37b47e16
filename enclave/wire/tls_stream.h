// One end of a TLS 1.3 connection over a non-blocking socket, without waiting: what cannot be done
// now is reported, and the owner polls.
//
// After Handshake returned true: the peer has proved the private key of its certificate, and nobody
// between can read or change what is sent. Who the peer is, is not known: that is evidence's
// business, bound by what Bind returns.
// Written bytes are encrypted into a queue; Flush sends the queue with as few calls as the socket
// allows. A peer that vanished never raises SIGPIPE.
#pragma once

#include <sys/types.h>

#include <array>
#include <memory>

#include "enclave/wire/fd.h"
#include "enclave/wire/tls_identity.h"

struct iovec;

namespace keyclave::wire {

enum class TlsEnd { kClient, kServer };

// What ties evidence to one TLS connection (attest::Binding).
struct TlsBinding {
  ByteArray<32> exporter{};   // RFC 5705, label "EXPORTER-keyclave"
  ByteArray<32> peer_spki{};  // SHA-256 of the peer's SubjectPublicKeyInfo
};

class TlsStream {
 public:
  // `socket`: connected, non-blocking.
  static Result<std::unique_ptr<TlsStream>> Create(std::shared_ptr<const TlsIdentity> identity,
                                                   TlsEnd end, Fd socket);
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  int fd() const { return socket_.get(); }

  // true: done; false: flush, and call again when the socket has bytes. kTlsFailed.
  Result<bool> Handshake();
  // After the handshake. kNoExporter; kTlsFailed for a peer without exactly one certificate.
  Result<TlsBinding> Bind() const;

  enum class ReadState {
    kDrained,  // nothing more has come so far
    kMore,     // stopped at the limit: call again before polling
    kClosed,   // the peer has ended the stream, or it broke
  };
  // Appends what has come to `in` until `in` holds at least `limit` bytes. To be called before the
  // first poll: the end of the handshake may have brought the first bytes along.
  Result<ReadState> Read(Bytes& in, size_t limit);

  Status Write(ByteSpan bytes);
  size_t queued() const { return out_.size() - sent_; }
  // Encrypted bytes that the socket has taken so far.
  uint64_t sent() const { return all_sent_; }
  // true: the queue is empty; false: the socket takes no more now. kChannelClosed.
  Result<bool> Flush();
  // Ends the stream towards the peer, if that is possible without waiting.
  void SayGoodbye();

 private:
  struct Session;
  TlsStream(std::shared_ptr<const TlsIdentity> identity, Fd socket);
  static ssize_t Pull(void* self, void* data, size_t size);
  static int PullTimeout(void* self, unsigned milliseconds);
  static ssize_t Push(void* self, const iovec* parts, int count);

  const std::shared_ptr<const TlsIdentity> identity_;
  Fd socket_;
  std::unique_ptr<Session> session_;
  Bytes out_;        // encrypted
  size_t sent_ = 0;  // of out_
  uint64_t all_sent_ = 0;
  size_t in_begin_ = 0;
  size_t in_end_ = 0;
  bool emptied_ = false;  // the last recv of this Read or Handshake left nothing in the socket
  std::array<uint8_t, 16640> in_;     // encrypted: a whole record at once
  std::array<uint8_t, 16384> plain_;  // one record's plaintext, wiped after use
};

}  // namespace keyclave::wire
