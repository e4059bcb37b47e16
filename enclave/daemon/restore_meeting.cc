#include "enclave/daemon/restore_meeting.h"

#include "enclave/base/log.h"
#include "enclave/base/mutex.h"
#include "enclave/daemon/process.h"
#include "enclave/keys/key_schedule.h"
#include "enclave/mech/recovery.h"
#include "enclave/server/server.h"
#include "enclave/session/handshake.h"
#include "enclave/wire/codec.h"

namespace keyclave::daemon {
namespace {

constexpr std::chrono::milliseconds kLook(100);

// Nothing is worked out together here.
class NoBatch final : public server::Batch {
 public:
  std::vector<Reply> Run() override { return {}; }
};

class MeetingHandler final : public server::RequestHandler {
 public:
  MeetingHandler(session::HandshakeContext context, const wire::BackupHeader& header)
      : context_(std::move(context)), created_(header.created), meeting_(*header.recovery) {}

  std::unique_ptr<server::Batch> NewBatch() override { return std::make_unique<NoBatch>(); }
  std::optional<Bytes> HandleOrJoin(session::Connection& connection, const wire::Frame& request,
                                    server::Batch& /*batch*/, uint64_t /*number*/) override {
    return Handle(connection, request);
  }
  Bytes Handle(session::Connection& connection, const wire::Frame& request) override {
    const auto body = wire::ParseRequest(request.body);
    if (!body.ok()) return wire::BuildErrorReply(request.id, 0, body.code(), {});
    const Result<Bytes> fields = Run(connection, *body);
    // There are no secrets in what can be wrong here, and its reader has to mend it.
    if (!fields.ok())
      return wire::BuildErrorReply(request.id, 0, fields.code(), fields.error().detail());
    return wire::BuildReply(request.id, 0, *fields);
  }
  bool IsSlow(const wire::Frame& /*request*/) const override { return false; }

  bool IsComplete() const {
    const MutexLock lock(mutex_);
    return meeting_.missing() == 0;
  }
  Result<Recovered> Take() const {
    const MutexLock lock(mutex_);
    KC_ASSIGN(const SecretBytes secret, meeting_.Join());
    KC_ASSIGN(keys::RootKeyring keyring, keys::RootKeyring::Decode(secret));
    return Recovered{std::move(keyring), meeting_.given()};
  }

 private:
  Result<Bytes> Run(session::Connection& connection, const wire::RequestBody& body) {
    switch (body.op) {
      case wire::Op::kHello: {
        KC_ASSIGN(const auto request, wire::Decode<wire::HelloRequest>(body.fields));
        KC_ASSIGN(const auto reply, HandleHello(context_, connection, request));
        return wire::Encode(reply);
      }
      case wire::Op::kAttest: {
        KC_ASSIGN(const auto request, wire::Decode<wire::AttestRequest>(body.fields));
        KC_ASSIGN(const auto reply, HandleAttest(context_, connection, request));
        return wire::Encode(reply);
      }
      case wire::Op::kRestoreStatus: {
        const MutexLock lock(mutex_);
        return wire::Encode(
            wire::RestoreStatusReply{meeting_.recovery(), created_, meeting_.given()});
      }
      case wire::Op::kGiveRecoveryShare: {
        KC_ASSIGN(const auto request, wire::Decode<wire::GiveRecoveryShareRequest>(body.fields));
        return Give(request);
      }
      default: break;
    }
    return Fail(Code::kWrongState,
                "this enclave is being restored: it takes shares of the holders of recovery keys "
                "(keyclave backup restore), and nothing else");
  }

  Result<Bytes> Give(const wire::GiveRecoveryShareRequest& request) {
    const MutexLock lock(mutex_);
    KC_CHECK_OK(meeting_.Give(request.holder, request.parts));
    const size_t missing = meeting_.missing();
    Log(LogLevel::kInfo,
        request.holder + " gave a share; " + std::to_string(missing) + " more are needed");
    return wire::Encode(wire::GiveRecoveryShareReply{missing});
  }

  const session::HandshakeContext context_;
  const int64_t created_;
  mutable Mutex mutex_;
  mech::RecoveryMeeting meeting_ KC_GUARDED_BY(mutex_);
};

Status WaitForHolders(const MeetingHandler& handler) {
  while (!handler.IsComplete()) {
    if (WaitForEnd(kLook))
      return Fail(Code::kWrongState, "ended before enough holders had given their shares");
  }
  return Done{};
}

}  // namespace

Result<Recovered> MeetHolders(const config::DaemonConfig& config, const wire::BackupHeader& header,
                              const Clock& clock) {
  MeetingHandler handler({config.trust, config.producer, config.tee, header.enclave_id,
                          KEYCLAVE_VERSION, config.IsSimulated(), config.evidence_max_age, clock},
                         header);
  session::SessionMap sessions({}, clock, nullptr);
  server::ServerConfig network;
  network.listen = config.listen;
  network.socket_mode = config.socket_mode;
  KC_ASSIGN(const auto server,
            server::Server::Create(std::move(network), sessions, handler, clock));
  KC_CHECK_OK(server->Start());
  std::string names;
  for (const wire::RecoveryHolder& holder : header.recovery->holders)
    names.append(names.empty() ? "" : ", ").append(holder.name);
  Log(LogLevel::kInfo, "waiting for " + std::to_string(header.recovery->threshold) + " of " +
                           names + ": keyclave backup restore");
  NotifyManager("READY=1");
  NotifyManager("STATUS=waiting for the holders of recovery keys");
  const Status waited = WaitForHolders(handler);
  server->Stop();  // whoever gave last gets his answer
  KC_CHECK_OK(waited);
  KC_ASSIGN(Recovered recovered, handler.Take());
  if (ToHex(keys::KeySchedule(recovered.keyring.first()).EnclaveId()) != header.enclave_id)
    return Fail(Code::kRootSecretInvalid,
                "the shares fit the backup, and are not the secret of enclave " +
                    header.enclave_id + ": somebody wrote this backup's beginning anew");
  return recovered;
}

}  // namespace keyclave::daemon
