// One TLS connection to the enclave, used by one thread at a time: one request, then its reply.
//
// A channel knows nothing of trust: after Open the peer is whoever holds the key `server_spki`. It
// becomes an attested channel when its evidence was appraised (prover.h), and nothing but Hello may
// be sent before.
// After any error the channel is of no more use.
#pragma once

#include "enclave/base/spin.h"
#include "enclave/client/config.h"
#include "enclave/client/connect.h"
#include "enclave/client/fd_table.h"
#include "enclave/wire/frame.h"
#include "enclave/wire/tls_stream.h"

namespace keyclave::client {

class Channel {
 public:
  // Connects and does the TLS handshake. The codes of Connect; kTlsFailed, kNoExporter,
  // kChannelClosed.
  static Result<std::unique_ptr<Channel>> Open(const ClientConfig& config,
                                               std::shared_ptr<const wire::TlsIdentity> identity,
                                               FdTable& table, Deadline deadline);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  struct Reply {
    uint64_t code = 0;
    uint64_t epoch = 0;
    Bytes fields;
  };
  // Sends one request and waits for its reply: by `pause`, if there is one and it can; else without
  // sleeping, if `spin` thinks so. kDeadline, kChannelClosed, kReplyMismatch, and the codes of
  // frames.
  Result<Reply> Exchange(wire::Op op, ByteSpan fields, Deadline deadline, Pause pause = nullptr,
                         Spin* spin = nullptr);
  // Whether the enclave may have executed the request of the last Exchange, which failed.
  bool MayHaveRun() const { return sent_; }

  // Whether an idle channel can still be used: its descriptor is our socket, and the enclave has
  // neither closed it nor said anything unasked.
  bool Healthy() const;
  // Tells the enclave that this is the end.
  void SayGoodbye() { stream_->SayGoodbye(); }

  const ByteArray<32>& own_spki() const { return own_spki_; }
  const ByteArray<32>& exporter() const { return binding_.exporter; }
  const ByteArray<32>& server_spki() const { return binding_.peer_spki; }

 private:
  Channel(std::unique_ptr<wire::TlsStream> stream, const ByteArray<32>& own_spki, FdTable& table);
  Status Handshake(Deadline deadline);
  Status FlushAll(Deadline deadline);
  Status AwaitBytes(Deadline deadline, Pause pause, Spin* spin) const;
  bool HasBytes() const;
  Result<Reply> ReadReply(uint64_t id, Deadline deadline, Pause pause, Spin* spin);

  const std::unique_ptr<wire::TlsStream> stream_;
  const FdTable::Entry entry_;  // ends before stream_ closes the socket
  const ByteArray<32> own_spki_;
  wire::TlsBinding binding_;
  uint64_t last_id_ = 0;
  bool sent_ = false;
  Bytes in_;
};

// What a reply's code other than 0 means to the caller.
Error ReplyError(const Channel::Reply& reply);

// A request and its reply as structs.
template <wire::Op op>
Result<typename wire::OpTraits<op>::Reply> Ask(Channel& channel,
                                               const typename wire::OpTraits<op>::Request& request,
                                               Deadline deadline) {
  KC_ASSIGN(const Channel::Reply reply, channel.Exchange(op, wire::Encode(request), deadline));
  if (reply.code != 0) return ReplyError(reply);
  return wire::Decode<typename wire::OpTraits<op>::Reply>(reply.fields);
}

}  // namespace keyclave::client
