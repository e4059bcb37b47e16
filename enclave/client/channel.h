// One TLS connection to the enclave.
//
// A channel knows nothing of trust: after Open the peer is whoever holds the key `server_spki`. It
// becomes an attested channel when its evidence was appraised (prover.h), and nothing but Hello may
// be sent before.
// After any error of an Exchange the channel is of no more use for new requests.
#pragma once

#include "enclave/client/fd_table.h"
#include "enclave/client/pipeline.h"
#include "enclave/wire/op_codec.h"

namespace keyclave::client {

class Channel {
 public:
  using Reply = Pipeline::Reply;

  // Connects and does the TLS handshake. The codes of Connect; kTlsFailed, kNoExporter,
  // kChannelClosed.
  // `member`: which of the configuration's endpoints, which outlives the channel.
  static Result<std::unique_ptr<Channel>> Open(const ClientConfig& config, size_t member,
                                               std::shared_ptr<const wire::TlsIdentity> identity,
                                               FdTable& table, Deadline deadline);
  // The same by steps that wait for nothing: it is open once Advance has said true.
  static Result<std::unique_ptr<Channel>> Begin(const ClientConfig& config, size_t member,
                                                std::shared_ptr<const wire::TlsIdentity> identity,
                                                FdTable& table);
  Result<bool> Advance();
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Any number of callers at once (pipeline.h).
  Result<Reply> Exchange(wire::Op op, ByteSpan fields, const Pipeline::Waiting& waiting,
                         bool& may_have_run) {
    return pipeline_.Exchange(op, fields, waiting, may_have_run);
  }
  Result<Reply> Exchange(wire::Op op, ByteSpan fields, Deadline deadline) {
    bool ignored = false;
    return Exchange(op, fields, {.deadline = deadline}, ignored);
  }

  // Whether its descriptor is still our socket.
  bool IsOurs() const { return entry_.StillThere(); }
  // Whether the enclave has neither closed it nor said anything unasked. While nobody uses it.
  bool IsQuiet() const;
  // Whether the enclave has asked its callers to go elsewhere since this was asked last.
  bool TakeNotice() { return pipeline_.TakeNotice(); }
  // Tells the enclave that this is the end.
  void SayGoodbye() { stream_->SayGoodbye(); }

  size_t member() const { return member_; }
  const ByteArray<32>& own_spki() const { return own_spki_; }
  const ByteArray<32>& exporter() const { return binding_.exporter; }
  const ByteArray<32>& server_spki() const { return binding_.peer_spki; }

 private:
  struct Where {
    const Endpoint& endpoint;
    size_t member;
  };
  Channel(Where where, std::unique_ptr<wire::TlsStream> stream, const ByteArray<32>& own_spki,
          FdTable& table);
  static Result<std::unique_ptr<Channel>> Over(Where where, wire::Fd socket,
                                               std::shared_ptr<const wire::TlsIdentity> identity,
                                               FdTable& table);
  Status Handshake(Deadline deadline);

  const Endpoint& endpoint_;
  const size_t member_;

  const std::unique_ptr<wire::TlsStream> stream_;
  const FdTable::Entry entry_;  // ends before stream_ closes the socket
  const ByteArray<32> own_spki_;
  bool connected_ = false;
  wire::TlsBinding binding_;
  Pipeline pipeline_;
};

// A request and its reply as structs.
template <wire::Op op>
Result<typename wire::OpTraits<op>::Reply> Ask(Channel& channel,
                                               const typename wire::OpTraits<op>::Request& request,
                                               Deadline deadline) {
  KC_ASSIGN(const Channel::Reply reply,
            channel.Exchange(op, wire::OpCodec<op>::EncodeRequest(request), deadline));
  if (reply.code != 0) return ReplyError(reply);
  return wire::OpCodec<op>::DecodeReply(reply.fields);
}

}  // namespace keyclave::client
