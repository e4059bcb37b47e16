#include "enclave/daemon/peer_witness.h"

#include <algorithm>

#include "enclave/daemon/as_caller.h"
#include "enclave/keys/key_schedule.h"

namespace keyclave::daemon {
namespace {

constexpr std::chrono::milliseconds kDeadline{3000};

// Nobody but this enclave can name its mark, so nobody else can move it. Who once had the first
// root secret can move it forward, and so stop this enclave, never back.
ByteArray<32> NameOf(const keys::RootKeyring& keyring) {
  ByteArray<32> name{};
  const SecretBytes derived =
      keys::KeySchedule(keyring.first()).PurposeKey("mark at a peer", name.size());
  std::ranges::copy(derived.Expose(SecretAccess()), name.begin());
  return name;
}

class PeerWitness final : public keys::Witness {
 public:
  PeerWitness(client::ClientConfig caller, const ByteArray<32>& name)
      : endpoint_(caller.EndpointsText()), name_(name), peer_(std::move(caller)) {}

  std::string Name() const override { return "the enclave at " + endpoint_; }

  Result<Mark> Read() override {
    KC_ASSIGN(const std::optional<wire::StoreMark> newest, Ask(std::nullopt));
    if (!newest.has_value())
      return Fail(Code::kWitnessMissing,
                  Name() +
                      " remembers no mark of this one: if this store.db is certainly the newest, "
                      "let keyclaved --accept-store give it one");
    return Mark{newest->epoch, newest->head};
  }

  Status Advance(const Mark& mark) override {
    KC_ASSIGN(const std::optional<wire::StoreMark> newest,
              Ask(wire::StoreMark{mark.epoch, mark.head_digest}));
    if (newest.has_value() && newest->epoch == mark.epoch && Equal(newest->head, mark.head_digest))
      return Done{};
    const std::string remembered =
        newest.has_value() ? "epoch " + std::to_string(newest->epoch) : "nothing";
    return Fail(Code::kStoreRolledBack,
                Name() + " remembers " + remembered + " of this store, which is at epoch " +
                    std::to_string(mark.epoch) +
                    ": it is a copy of an older one, or another keyclaved has gone on with a copy "
                    "of it. Bring the newest one back, or restore a backup (keyclaved --restore)");
  }

 private:
  Result<std::optional<wire::StoreMark>> Ask(const std::optional<wire::StoreMark>& mark) {
    auto reply = peer_.Call<wire::Op::kKeepMark>({name_, mark});
    if (reply.ok()) return reply->newest;
    const Code code = reply.code();
    const bool is_away = code == Code::kUnreachable || code == Code::kDeadline ||
                         code == Code::kChannelClosed || code == Code::kTlsFailed;
    if (is_away) return Fail(Code::kWitnessUnreachable, endpoint_ + ": " + reply.error().Text());
    return reply.error().In("the witness at " + endpoint_);
  }

  const std::string endpoint_;
  const ByteArray<32> name_;
  client::Client peer_;
};

}  // namespace

std::unique_ptr<keys::Witness> MakePeerWitness(const config::DaemonConfig& config,
                                               const keys::RootKeyring& keyring) {
  client::ClientConfig caller = AsCaller(config, *config.witness.peer);
  caller.deadline = kDeadline;
  return std::make_unique<PeerWitness>(std::move(caller), NameOf(keyring));
}

}  // namespace keyclave::daemon
