#include "enclave/daemon/join.h"

#include "enclave/base/log.h"
#include "enclave/daemon/as_caller.h"
#include "enclave/daemon/fleet_keeper.h"
#include "enclave/daemon/state.h"
#include "enclave/keys/key_schedule.h"
#include "enclave/keys/member_key.h"
#include "enclave/keys/state_files.h"

namespace keyclave::daemon {
namespace {

Result<keys::RootKeyring> KeyringOf(wire::JoinFleetReply& given) {
  keys::RootKeyring keyring(given.root_secret);
  if (given.generations.has_value()) {
    for (wire::RootGeneration& one : *given.generations)
      keyring.secrets.emplace(static_cast<uint32_t>(one.number), std::move(one.secret));
  }
  keyring.oldest = static_cast<uint32_t>(given.oldest.value_or(keys::kFirstGeneration));
  if (keyring.IsValid()) return keyring;
  return Fail(Code::kRootSecretInvalid, "the member gave secrets that cannot be an enclave's");
}

}  // namespace

Status JoinFleet(const config::DaemonConfig& config, const keys::RootSealer& sealer,
                 const Clock& clock) {
  if (!config.fleet.has_value() || !config.fleet->join.has_value())
    return Fail(Code::kConfigMissingKey, "keyclaved.yaml has no fleet: join: whom to ask");
  const config::OtherEnclave& join = *config.fleet->join;
  KC_CHECK_OK(keys::CheckNoState(config.state, WitnessOf(config)));
  KC_ASSIGN(const std::unique_ptr<FleetKeeper> keeper,
            FleetKeeper::Create(*config.fleet, config.state, clock));
  client::Client member(AsCaller(config, join));
  SecretBytes own = keys::NewMemberKey();
  KC_ASSIGN(const Bytes public_key, keys::MemberPublicKey(own));
  KC_ASSIGN(auto given, member.Call<wire::Op::kJoinFleet>({config.fleet->member, public_key}));
  KC_ASSIGN(keys::RootKeyring keyring, KeyringOf(given));
  keyring.member_key = std::move(own);
  const ByteArray<16> enclave_id = keys::KeySchedule(keyring.first()).EnclaveId();
  if (ToHex(enclave_id) != join.enclave)
    return Fail(
        Code::kRootSecretInvalid,
        join.endpoint.Text() + " gave the root secret of another enclave than " + join.enclave);
  // All of it is checked when it is opened: against its own head, and that against the mark.
  const auto copy_all = [&](std::unique_ptr<store::Store> copy) -> Status {
    KC_ASSIGN(const auto shared, keeper->Options({}).share(std::move(copy), enclave_id));
    KC_ASSIGN(const auto news, shared->Fetch(/*all=*/true));
    return shared->Adopt(*news);
  };
  KC_CHECK_OK(keys::JoinState(config.state, sealer, WitnessOf(config), keyring,
                              {given.epoch, given.head_digest}, copy_all));
  Log(LogLevel::kInfo, "this machine is a member of the fleet of enclave " + join.enclave +
                           " now, as " + config.fleet->member);
  return Done{};
}

}  // namespace keyclave::daemon
