#include "enclave/keys/witness_choice.h"

#include "enclave/keys/state_files.h"

namespace keyclave::keys {
namespace {

class NoWitness final : public Witness {
 public:
  Result<Mark> Read() override { return Mark{}; }
  Status Advance(const Mark& /*mark*/) override { return Done{}; }
  bool Remembers() const override { return false; }
  std::string Name() const override { return "no witness"; }
};

}  // namespace

std::string WitnessChoice::PathIn(const std::string& directory) const {
  return path.empty() ? StateFiles::Witness(directory) : path;
}

std::unique_ptr<Witness> MakeWitness(const WitnessChoice& choice, const std::string& directory,
                                     const RootKeyring& keyring,
                                     std::shared_ptr<MonotonicCounter> counter) {
  if (choice.none) return std::make_unique<NoWitness>();
  if (choice.peer) return choice.peer(keyring);
  return MakeFileWitness(choice.PathIn(directory), keyring, std::move(counter));
}

std::string WitnessLimit(const WitnessChoice& choice, bool is_counted) {
  if (choice.none)
    return "no witness (witness: none): whoever puts an older store.db there undoes removals, "
           "policies and limits, and nothing notices";
  if (is_counted || !choice.path.empty() || choice.peer) return "";
  return "the rollback witness is a file beside the store: whoever puts the whole state directory "
         "back undoes removals, policies and limits, and nothing notices (witness: in "
         "keyclaved.yaml)";
}

}  // namespace keyclave::keys
