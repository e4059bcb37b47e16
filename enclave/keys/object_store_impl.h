// What an ObjectStore is made of. Writers are serialised by write_mutex, which is held across the
// vault's commit; readers see the state under state_mutex, which is held for moments only: never
// across disk, cryptography or a caller's function.
//
// Objects are at rest (resting_object.h): an Object is made of one when somebody asks for it, and
// those that were asked for lately are kept, so that a key in use is one Object for all its users.
#pragma once

#include <map>
#include <set>
#include <unordered_map>

#include "enclave/keys/key_cache.h"
#include "enclave/keys/object_index.h"
#include "enclave/keys/object_store.h"

namespace keyclave::keys {

struct TokenState {
  Token token;
  std::map<std::string, Document, std::less<>> policies;
  ObjectIndex objects;
  std::map<std::pair<RecordType, ByteArray<16>>, Bytes> records;
  uint64_t rules_generation = 0;
};

struct ObjectStore::Impl {
  static constexpr size_t kCachedKeys = 4096;
  static constexpr size_t kCachedObjects = 4096;
  static constexpr int kMaxRetries = 64;  // each follows a commit of another member

  Status Load(std::unique_ptr<store::Store> store, std::unique_ptr<Witness> witness,
              const RootKeyring& keyring, const OpenOptions& options);
  void Start();

  // For a change that is in the vault (or needs none) and is being applied.
  void Moved() KC_REQUIRES(state_mutex);
  void AddObject(const ObjectPtr& object) KC_REQUIRES(state_mutex);
  void DropObject(const Object& object) KC_REQUIRES(state_mutex);
  void ReplaceObject(const ObjectPtr& object) KC_REQUIRES(state_mutex);

  // The object, as others who asked lately have it too.
  ObjectPtr Shared(Slot slot) const KC_REQUIRES_SHARED(state_mutex);
  // The object, for whoever asks alone: searches make many that nobody uses afterwards.
  std::shared_ptr<Object> Fresh(Slot slot) const KC_REQUIRES_SHARED(state_mutex);
  std::vector<ObjectPtr> Fresh(const std::vector<Slot>& slots) const
      KC_REQUIRES_SHARED(state_mutex);
  ObjectPtr FindObject(const wire::ObjectId& id) const KC_EXCLUDES(state_mutex);
  // The state may not change while its pieces are used: the caller holds write_mutex or copies.
  Result<const TokenState*> TokenOf(const wire::TokenId& id) const KC_REQUIRES_SHARED(state_mutex);

  // Carries out a change under write_mutex: once more from its beginning whenever another member of
  // the fleet was quicker, with what that one changed taken in.
  template <class Change>
  auto Write(const Change& change) KC_EXCLUDES(write_mutex, state_mutex) {
    const MutexLock writing(write_mutex);
    auto result = Run(change);
    for (int i = 0; i < kMaxRetries && !result.ok() && result.code() == Code::kStoreMoved; ++i) {
      const Result<bool> refreshed = Refresh();
      if (!refreshed.ok()) return decltype(result)(refreshed.error());
      result = Run(change);
    }
    return result;
  }
  // A change requires the write_mutex that Write holds, under a name that the analysis cannot know
  // to be the same.
  template <class Change>
  static auto Run(const Change& change) KC_TSA(no_thread_safety_analysis) {
    return change();
  }
  // Takes in what other members have committed. False: there was nothing.
  Result<bool> Refresh() KC_REQUIRES(write_mutex) KC_EXCLUDES(state_mutex);
  struct ReadNews;
  void Apply(const ReadNews& news) KC_EXCLUDES(state_mutex);
  void ApplyObjects(const ReadNews& news) KC_REQUIRES(state_mutex);
  void ApplyRemovals(const ReadNews& news) KC_REQUIRES(state_mutex);
  void ApplyPolicy(const wire::TokenId& token, const Document& policy) KC_REQUIRES(state_mutex);

  Result<ObjectPtr> PrepareInsert(const NewObject& fresh) const KC_EXCLUDES(state_mutex);
  // A change of policies and of what session objects become, before and after its commit.
  struct Keeping;
  Status PreparePolicy(const NewPolicy& fresh, Keeping& keeping) const KC_EXCLUDES(state_mutex);
  Status PrepareKept(const Object& wanted, Keeping& keeping) const KC_EXCLUDES(state_mutex);
  Result<std::vector<RecordChange>> ChangesOf(const Keeping& keeping) KC_EXCLUDES(state_mutex);
  void Apply(const Keeping& keeping) KC_EXCLUDES(state_mutex);
  // What the store itself says about an object, whatever a caller put there.
  static Result<ByteArray<32>> PolicyDigestOf(const Object& object);
  static void SetOwnAttributes(Object& object, ByteSpan policy_digest);
  // The object anew: same id, next version, with this digest of its policy.
  static std::shared_ptr<Object> NextVersion(const Object& object);
  Result<RecordChange> Reseal(const Object& next) KC_EXCLUDES(state_mutex);
  Status RemoveAll(const std::vector<ObjectPtr>& objects, std::vector<RecordChange> more)
      KC_REQUIRES(write_mutex) KC_EXCLUDES(state_mutex);
  Result<SecretBytes> ReadMaterial(const Object& object) KC_EXCLUDES(state_mutex);

  // What removing the token takes with it, besides objects and policies.
  static std::vector<RecordChange> RecordRemovals(const wire::TokenId& id, const TokenState& state);
  // After a commit.
  void ApplyRecords(const wire::TokenId& id, const std::vector<TokenRecord>& put,
                    const std::vector<TokenRecord>& removed) KC_REQUIRES(state_mutex);
  void SetUsage(const Usage& usage) KC_REQUIRES(state_mutex);
  void DropUsages(const wire::ObjectId& object) KC_REQUIRES(state_mutex);
  // The departures of what is counted of an object.
  void AddUsageRemovals(const Object& object, std::vector<RecordChange>& changes) const
      KC_EXCLUDES(state_mutex);

  // The names of all records that are in memory.
  std::vector<RecordKey> RecordKeys() const KC_EXCLUDES(state_mutex);
  // Says of findings about rows which record they are.
  void NameSubjects(std::vector<StoreFinding>& findings) const KC_EXCLUDES(state_mutex);

  struct Search {
    const wire::TokenId& token;
    const wire::AttributeList& match;
    const Visible& visible;
    std::optional<wire::ObjectId> after = {};
    bool versions = false;  // of keys that are out of service, too
  };
  // Calls `take` with each object of the token that matches and is visible, by id, after `after`,
  // until it answers false; `wake` makes the objects. Nothing is locked meanwhile.
  template <class Pointer, class Take>
  void ForEachVisible(Pointer (Impl::*wake)(Slot) const, const Search& search,
                      const Take& take) const KC_EXCLUDES(state_mutex);

  // The change that takes this member out and begins the next generation.
  struct Departure;
  Result<std::optional<wire::Recovery>> SplitAnew(const Departure& departure)
      KC_EXCLUDES(state_mutex);
  Result<Departure> PrepareDeparture(const std::string& name,
                                     const std::vector<wire::FleetMember>& members,
                                     const wire::TokenId& token);

  std::string member;      // of a fleet: its name
  SecretBytes member_key;  // and its own key; empty: it has none
  std::unique_ptr<Vault> vault;
  KeyCache cache{kCachedKeys};
  mutable RecentCache<Object> recent{kCachedObjects};

  Mutex write_mutex;
  mutable SharedMutex state_mutex;
  std::map<wire::TokenId, TokenState> tokens KC_GUARDED_BY(state_mutex);
  ObjectTable objects KC_GUARDED_BY(state_mutex);
  std::map<uint64_t, std::set<wire::ObjectId>> session_objects KC_GUARDED_BY(state_mutex);
  std::unordered_map<wire::ObjectId, std::shared_ptr<const SecretBytes>, ObjectIdHash>
      session_material KC_GUARDED_BY(state_mutex);
  uint64_t last_rules_generation KC_GUARDED_BY(state_mutex) = 0;
  std::map<wire::ObjectId, std::map<Usage::Key, Usage>> usages KC_GUARDED_BY(state_mutex);
  size_t usage_count KC_GUARDED_BY(state_mutex) = 0;  // of all objects together
  std::optional<AuditMark> audit_mark KC_GUARDED_BY(state_mutex);
  std::optional<wire::ObjectId> fleet_object KC_GUARDED_BY(state_mutex);
  std::optional<wire::Recovery> recovery KC_GUARDED_BY(state_mutex);
  uint64_t minimum_version KC_GUARDED_BY(state_mutex) = 0;
  uint64_t epoch_salt = 0;
  uint64_t epoch KC_GUARDED_BY(state_mutex) = 0;
};

}  // namespace keyclave::keys
