// Members of a fleet: object stores of one root secret, each with its own copy and witness, over
// one etcd in memory.
#pragma once

#include <gmock/gmock.h>

#include "enclave/fleet/fleet_store.h"
#include "enclave/keys/key_schedule.h"
#include "enclave/keys/object_store.h"
#include "tests/fakes/lasting_store.h"
#include "tests/fakes/memory_etcd.h"
#include "tests/fakes/memory_witness.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/unit/keys/fixture.h"

namespace keyclave::fleet {

using fakes::MemoryEtcd;

// A machine: what stays there between two starts.
struct Machine {
  std::shared_ptr<store::Store> copy = store::MakeMemoryStore();
  std::shared_ptr<fakes::WitnessControl> witness = std::make_shared<fakes::WitnessControl>();
  std::string position_file;
};

class FleetTest : public testing::Test {
 protected:
  static SecretBytes Root() { return SecretBytes::CopyOf(ByteArray<32>{7}); }
  static ByteArray<16> EnclaveId() { return keys::KeySchedule(Root()).EnclaveId(); }

  std::unique_ptr<FleetStore> StoreOf(const Machine& machine) const {
    return std::make_unique<FleetStore>(
        std::make_unique<fakes::LastingStore>(machine.copy),
        std::make_shared<SharedRows>(etcd_, "/keyclave", EnclaveId()), machine.position_file);
  }
  static std::unique_ptr<keys::Witness> WitnessOf(const Machine& machine) {
    return std::make_unique<fakes::MemoryWitness>(machine.witness);
  }
  Machine NewMachine() {
    Machine machine;
    machine.position_file = directory_.path() + "/position" + std::to_string(++machines_);
    return machine;
  }
  // The first machine: its store is made alone, and published.
  Machine Found() {
    Machine machine = NewMachine();
    keys::Must(keys::ObjectStore::OpenWith(std::make_unique<fakes::LastingStore>(machine.copy),
                                           WitnessOf(machine), Root(), /*create=*/true));
    EXPECT_TRUE(StoreOf(machine)->Publish().ok());
    return machine;
  }
  // A machine that got the root secret and the mark of another, and copies everything.
  Machine Join(const Machine& from) {
    Machine machine = NewMachine();
    machine.witness->mark = from.witness->mark;
    const auto store = StoreOf(machine);
    const auto news = keys::Must(store->Fetch(/*all=*/true));
    EXPECT_TRUE(store->Adopt(*news).ok());
    return machine;
  }
  Result<std::unique_ptr<keys::ObjectStore>> Open(const Machine& machine) {
    return keys::ObjectStore::OpenWith(StoreOf(machine), WitnessOf(machine), Root(),
                                       /*create=*/false);
  }

  fakes::TemporaryDirectory directory_;
  const std::shared_ptr<MemoryEtcd> etcd_ = std::make_shared<MemoryEtcd>();
  int machines_ = 0;
};

}  // namespace keyclave::fleet
