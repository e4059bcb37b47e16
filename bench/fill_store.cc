// fill_store: puts P-256 key pairs into a stopped daemon's store, thousands to a commit, for
// measurements of stores that would take hours to fill through the daemon. The keys are made by its
// mechanism, completed by its rules and sealed by its vault: the daemon that starts next finds what
// it would have made itself.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <ctime>
#include <future>

#include "bench/key_names.h"
#include "enclave/config/daemon_config.h"
#include "enclave/keys/attributes.h"
#include "enclave/keys/object_store.h"
#include "enclave/mech/mech_type.h"
#include "enclave/seal/seal.h"
#include "enclave/wire/pkcs11_numbers.h"

namespace keyclave {
namespace {

constexpr uint64_t kBatch = 1000;  // keys to a commit

struct Plan {
  wire::TokenId token{};
  std::string measurement;  // of the caller that would have made them
  uint64_t created = 0;
};

Result<keys::NewObject> Half(const Plan& plan, uint64_t number, uint64_t object_class,
                             const mech::NewKey& made) {
  wire::AttributeList requested;
  requested.SetUlong(CKA_CLASS, object_class);
  requested.SetBool(CKA_TOKEN, true);
  requested.SetText(CKA_LABEL, bench::LabelOf(number));
  requested.SetText(CKA_ID, bench::IdOf(number));
  requested.SetBool(object_class == CKO_PRIVATE_KEY ? CKA_SIGN : CKA_VERIFY, true);
  keys::NewObject half;
  half.object.token = plan.token;
  KC_ASSIGN(half.object.attributes,
            keys::CompleteTemplate(requested, made.attributes, keys::Origin::kGenerated,
                                   CKM_EC_KEY_PAIR_GEN));
  half.object.attributes.SetText(kCkaCreatorMeasurement, plan.measurement);
  half.object.attributes.SetText(kCkaCreatorTee, "simulated");
  half.object.attributes.SetUlong(kCkaCreated, plan.created);
  return half;
}

Result<std::vector<keys::NewObject>> MakeKeys(const Plan& plan, uint64_t first, uint64_t count) {
  // OBJECT IDENTIFIER prime256v1 (RFC 5480 §2.1.1.1), DER.
  static constexpr uint8_t kP256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
  KC_ASSIGN(const mech::MechEntry entry, mech::FindMechanism(CKM_EC_KEY_PAIR_GEN));
  wire::Mechanism mechanism;
  mechanism.type = CKM_EC_KEY_PAIR_GEN;
  wire::AttributeList curve;
  curve.Set(CKA_EC_PARAMS, kP256);
  std::vector<keys::NewObject> objects;
  for (uint64_t number = first; number < first + count; ++number) {
    KC_ASSIGN(mech::NewKey made, entry.family->generate(mechanism, curve));
    KC_ASSIGN(objects.emplace_back(), Half(plan, number, CKO_PUBLIC_KEY, made));
    KC_ASSIGN(objects.emplace_back(), Half(plan, number, CKO_PRIVATE_KEY, made));
    objects.back().object.has_material = true;
    objects.back().material = std::move(made.material);
  }
  return objects;
}

// The next keys are made while these are sealed.
Status Fill(const std::string& config_file, const std::string& token, uint64_t keys) {
  KC_ASSIGN(const config::DaemonConfig config, config::LoadDaemonConfig(config_file));
  const auto sealer = seal::MakeRootSealer(config.sealing, config.producer);
  KC_ASSIGN(const auto store, keys::ObjectStore::Open(config.state, *sealer));
  KC_ASSIGN(const keys::Token found, store->FindTokenByName(token, std::nullopt));
  const Plan plan{found.id, std::string(64, 'a'), static_cast<uint64_t>(std::time(nullptr))};
  const auto make = [&](uint64_t first) {
    return std::async(std::launch::async, [&plan, first, keys] {
      return MakeKeys(plan, first, std::min(kBatch, keys - first));
    });
  };
  auto next = make(0);
  for (uint64_t first = 0; first < keys; first += kBatch) {
    Result<std::vector<keys::NewObject>> made = next.get();
    if (!made.ok()) return made.error();
    if (first + kBatch < keys) next = make(first + kBatch);
    const auto inserted = store->Insert(std::move(made).value());
    if (!inserted.ok()) return inserted.error();
  }
  return Done{};
}

}  // namespace
}  // namespace keyclave

int main(int argc, char** argv) {
  CLI::App app{"P-256 keys for the store of a daemon that does not run"};
  std::string config;
  std::string token;
  uint64_t keys = 0;
  app.add_option("--config", config, "keyclaved.yaml")->required();
  app.add_option("--token", token, "label of the token")->required();
  app.add_option("--keys", keys, "how many")->required();
  CLI11_PARSE(app, argc, argv);
  const keyclave::Status filled = keyclave::Fill(config, token, keys);
  if (filled.ok()) return 0;
  std::fprintf(stderr, "fill_store: %s\n", filled.error().Text().c_str());
  return 1;
}
