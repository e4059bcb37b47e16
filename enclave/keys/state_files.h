// What lies under `state:` of keyclaved.yaml, and how it is made.
#pragma once

#include "enclave/keys/root_sealer.h"
#include "enclave/keys/vault.h"
#include "enclave/keys/witness_choice.h"
#include "enclave/mech/recovery.h"

namespace keyclave::keys {

class ObjectStore;

struct StateFiles {
  static std::string Root(const std::string& directory) { return directory + "/root.key"; }
  static std::string Store(const std::string& directory) { return directory + "/store.db"; }
  // Of a member of a fleet: how far the copy of what all share has come (enclave/fleet).
  static std::string Position(const std::string& directory) { return directory + "/fleet"; }
  static std::string Witness(const std::string& directory) { return directory + "/witness"; }
  // Of other enclaves, whose witness this one is: a folder.
  static std::string Marks(const std::string& directory) { return directory + "/marks"; }
};

// Who can bring the root secret back together; nobody, where the threshold is 0.
struct RecoveryPlan {
  size_t threshold = 0;
  std::vector<mech::RecoveryKeyholder> holders = {};
};
// Makes directory (0700), root secret, empty store and witness, and the platform's counter if it
// has one; kStoreExists if any is there. What fails leaves nothing behind. What MakeRecovery says.
Status InitState(const std::string& directory, const RootSealer& sealer,
                 const WitnessChoice& witness = {}, const RecoveryPlan& recovery = {});
// kStoreExists if any of it is there.
Status CheckNoState(const std::string& directory, const WitnessChoice& witness = {});
// The same for a machine that joins a fleet: keyring and mark are what a member gave, and
// `fill` puts into the empty store what the fleet shares. All of it is checked as at a start.
using FillStore = std::function<Status(std::unique_ptr<store::Store>)>;
Status JoinState(const std::string& directory, const RootSealer& sealer,
                 const WitnessChoice& witness, const RootKeyring& keyring,
                 const Witness::Mark& mark, const FillStore& fill);
// Makes the state out of a backup, which `fill` puts into the empty store: rows, and the head that
// they belong to. Without a keyring the one that is there (root.key) is used, and with it the
// store must not be there (kStoreExists). It is checked as at a start, but for its age, and then
// counts as newer than any other state of this enclave. `accept` has the last word on it. `member`:
// as OpenOptions has it.
using AcceptState = std::function<Status(ObjectStore&)>;
Status RestoreState(const std::string& directory, const RootSealer& sealer,
                    const WitnessChoice& witness, const RootKeyring* keyring, const FillStore& fill,
                    const std::string& member, const AcceptState& accept);
// For an operator who put an old store.db back, or lost the witness, and says that this store.db is
// to count as the newest: checks everything but its age, then makes the witness anew. What happened
// after it is given up: keys deleted since are back, policies changed since are the old ones.
Status AcceptStore(const std::string& directory, const RootSealer& sealer,
                   const WitnessChoice& witness = {});

}  // namespace keyclave::keys
