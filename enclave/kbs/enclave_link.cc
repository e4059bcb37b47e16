#include "enclave/kbs/enclave_link.h"

#include "enclave/base/hash.h"
#include "enclave/client/prover.h"

namespace keyclave::kbs {
namespace {

using std::chrono::steady_clock;

// An enclave key is appraised anew after this: evidence of an enclave costs it something, too.
constexpr std::chrono::minutes kKnownFor{10};
// The numbers of the wire (docs/wire.md): jwe-rsa-oaep-256, jwe-ecdh-es-a256kw.
constexpr uint64_t kJweRsa = 7;
constexpr uint64_t kJweEc = 8;

}  // namespace

class DaemonLink::Connection final : public Upstream {
 public:
  Connection(const DaemonLink& link, std::unique_ptr<client::Channel> channel,
             const ByteArray<32>& nonce)
      : link_(link), channel_(std::move(channel)), nonce_(nonce) {}
  ~Connection() override { channel_->SayGoodbye(); }

  const ByteArray<32>& nonce() const override { return nonce_; }

  Status Attest(const Evidence& evidence, const Bytes& runtime_data) override {
    KC_ASSIGN(const auto reply, client::Ask<wire::Op::kAttest>(*channel_,
                                                               {.evidence_type = evidence.type,
                                                                .evidence = evidence.bytes,
                                                                .runtime_claims = runtime_data,
                                                                .protocol = wire::kProtocolRcar},
                                                               link_.Until()));
    static_cast<void>(reply);
    return Done{};
  }

  Result<Bytes> Release(const Wanted& wanted) override {
    wire::ReleaseRequest request;
    request.object.token_label = link_.token_;
    request.object.label = wanted.label;
    request.recipient = wanted.recipient;
    request.form = wanted.is_rsa ? kJweRsa : kJweEc;
    KC_ASSIGN(wire::ReleaseReply reply,
              client::Ask<wire::Op::kRelease>(*channel_, request, link_.Until()));
    return std::move(reply.wrapped);
  }

 private:
  const DaemonLink& link_;
  const std::unique_ptr<client::Channel> channel_;
  const ByteArray<32> nonce_;
};

bool DaemonLink::IsKnown(const ByteArray<32>& server_spki) {
  const MutexLock lock(mutex_);
  return known_ == server_spki && steady_clock::now() < known_until_;
}

void DaemonLink::Remember(const ByteArray<32>& server_spki) {
  const MutexLock lock(mutex_);
  known_ = server_spki;
  known_until_ = steady_clock::now() + kKnownFor;
}

Result<std::unique_ptr<Upstream>> DaemonLink::Connect() {
  const client::Deadline until = Until();
  KC_ASSIGN(auto identity, wire::TlsIdentity::Create());
  Error last = Fail(Code::kUnreachable, config_.EndpointsText());
  for (size_t member = 0; member < config_.endpoints.size(); ++member) {
    auto channel = client::Channel::Open(config_, member, identity, table_, until);
    if (!channel.ok()) {
      last = std::move(channel).error();
      continue;
    }
    wire::HelloRequest request;
    request.nonce = RandomArray<32>();
    request.want_evidence = !IsKnown((*channel)->server_spki());
    KC_ASSIGN(const wire::HelloReply hello, client::SayHello(**channel, request, until));
    if (request.want_evidence) {
      KC_ASSIGN(const attest::Appraised appraised,
                client::AppraiseEnclave(config_, **channel, request.nonce, hello, clock_.Now()));
      static_cast<void>(appraised);
      Remember((*channel)->server_spki());
    }
    return std::unique_ptr<Upstream>(
        std::make_unique<Connection>(*this, std::move(channel).value(), hello.nonce));
  }
  return last;
}

}  // namespace keyclave::kbs
