// Tokens, policies and objects, in memory for reading and in the vault for keeps.
//
// Attributes of all objects stay in memory (they answer searches); key material is unsealed on
// first use into a bounded cache of ready handles (KeyCache) and wiped when it leaves. Session
// objects live in memory only and belong to one attested session. Every method is thread-safe;
// nothing holds a lock across cryptography or disk reads of key material.
#pragma once

#include "enclave/base/clock.h"
#include "enclave/keys/root_sealer.h"
#include "enclave/keys/store_check.h"
#include "enclave/keys/witness_choice.h"
#include "enclave/mech/key.h"
#include "enclave/wire/messages.h"

namespace keyclave::keys {

class Backup;
class BackupCheck;

struct PinRecord {
  Bytes salt;      // empty: no PIN
  Bytes verifier;  // PBKDF2 or scrypt of the PIN
  uint64_t tries_left = 0;
  uint64_t generation = 0;  // rises with each change: old login tickets end
  template <class V>
  void Visit(V&& v) {
    v(1, salt);
    v(2, verifier);
    v(3, tries_left);
    v(4, generation);
  }
};

struct Token {
  wire::TokenId id{};
  uint64_t slot = 0;
  std::string label;
  std::string default_policy;
  PinRecord user_pin;
  PinRecord so_pin;
  int64_t created = 0;
  std::optional<std::vector<wire::Owner>> owners = {};
  std::optional<uint64_t> quorum = {};    // owners that must sign where no policy says
  std::optional<uint64_t> sequence = {};  // of the last statement that was carried out
  template <class V>
  void Visit(V&& v) {
    v(1, id);
    v(2, slot);
    v(3, label);
    v(4, default_policy);
    v(5, user_pin);
    v(6, so_pin);
    v(7, created);
    v(8, owners);
    v(9, quorum);
    v(10, sequence);
  }
  // With owners it is theirs alone; without, operators administer it.
  bool HasOwners() const { return owners.has_value() && !owners->empty(); }
  const wire::Owner* FindOwner(std::string_view name) const;  // nullptr
  std::string Serial() const;  // the first 16 hexadecimal digits of the id
};

// A policy or a reference-value set: its text, and what brought it.
struct Document {
  std::string name;
  uint64_t version = 0;
  std::string text;
  ByteArray<32> digest{};               // SHA-256 of the text
  std::optional<int64_t> applied = {};  // Unix seconds
  std::optional<wire::AdministerRequest> authority =
      {};  // the owners' signatures, if they brought it
  template <class V>
  void Visit(V&& v) {
    v(1, name);
    v(2, version);
    v(3, text);
    v(4, digest);
    v(5, applied);
    v(6, authority);
  }
};

// What the store keeps for a token without knowing what it says: sets, history, revocations,
// approvals.
struct TokenRecord {
  RecordType type{};
  ByteArray<16> id{};
  Bytes body;
};

inline constexpr uint64_t kFirstVersion = 1;  // of a key without a number

struct Object {
  wire::ObjectId id{};
  wire::TokenId token{};
  std::string policy;
  // The policies of the keys that it was made from: each has to grant, too. Sorted.
  std::vector<std::string> inherited = {};
  wire::AttributeList attributes;
  bool has_material = false;
  uint64_t session = 0;  // the attested session that owns a session object; 0 for token objects
  uint64_t version = 0;

  bool IsPrivate() const { return attributes.IsTrue(CKA_PRIVATE); }
  uint64_t Class() const { return attributes.Ulong(CKA_CLASS).value_or(CKO_VENDOR_DEFINED); }
  // Which of its line a key, or a certificate of it, is.
  uint64_t KeyVersion() const { return attributes.Ulong(kCkaVersion).value_or(kFirstVersion); }
};
using ObjectPtr = std::shared_ptr<const Object>;

// How far one limit of an object has been used up (docs/policy.md, "Limits"): reserved before it is
// used, so that what is on disk is never less than what happened.
struct Usage {
  struct Key {
    wire::ObjectId object{};
    std::string policy;  // its name: a new version goes on counting
    uint64_t permit = 0;
    ByteArray<32> caller{};  // zero: all callers together
    friend auto operator<=>(const Key&, const Key&) = default;
    template <class V>
    void Visit(V&& v) {
      v(1, object);
      v(2, policy);
      v(3, permit);
      v(4, caller);
    }
  };
  Key key = {};
  uint64_t uses = 0;       // operations that may have happened
  int64_t busy_until = 0;  // seconds since 1970: when a rate's bucket is full again
  // The same of a bucket that a fleet shares, in nanoseconds.
  std::optional<int64_t> full_at = {};
  friend bool operator==(const Usage&, const Usage&) = default;
  template <class V>
  void Visit(V&& v) {
    v(1, key);
    v(2, uses);
    v(3, busy_until);
    v(4, full_at);
  }
};

// A change of a usage, from what it is when it is carried out: so several members of a fleet may
// change one. It may be asked several times, and what it says last counts.
struct UsageEdit {
  Usage::Key key;
  std::function<Status(Usage& now)> edit;
};

// Who decides about the members of the fleet: the policy of this object.
struct FleetRecord {
  wire::ObjectId object{};
  template <class V>
  void Visit(V&& v) {
    v(1, object);
  }
};

// The newest checkpoint of the audit log that the vault knows of (docs/audit.md).
struct AuditMark {
  uint64_t sequence = 0;
  std::string hash;
  template <class V>
  void Visit(V&& v) {
    v(1, sequence);
    v(2, hash);
  }
};

// The least security version number of an enclave that has these keys.
struct VersionRecord {
  uint64_t svn = 0;
  template <class V>
  void Visit(V&& v) {
    v(1, svn);
  }
};

struct NewObject {
  Object object;  // id and version are filled in
  SecretBytes
      material;  // empty for public keys, certificates; data objects keep CKA_VALUE in attributes
};

// A policy that comes into force, with what is to be remembered of the one before.
struct NewPolicy {
  Document document;
  std::vector<TokenRecord> records = {};
  std::optional<uint64_t> former = {};  // the version that it replaces (0: none); absent: any
};

// How a daemon opens its store.
struct OpenOptions {
  // Called now and then by the calling thread, with rows of the store.
  Progress progress = {};
  // Of a member of a fleet: its name among the members, and what makes the store that all share out
  // of this machine's copy.
  std::string member = {};
  using Share = std::function<Result<std::unique_ptr<store::Store>>(
      std::unique_ptr<store::Store> copy, const ByteArray<16>& enclave_id)>;
  Share share = {};
  bool is_copy = false;  // of what a fleet shares, opened without the others
  // Where the generations of the root secret are kept that come while the store is open.
  std::function<Status(const RootKeyring&)> save_keyring = {};
};

class ObjectStore {
 public:
  // kStoreMissing, kStoreLocked, kStoreForeign, kStoreCorrupt, kStoreRolledBack, kWitnessMissing.
  // kSealingKeyUnavailable; see state_files.h for what lies in the directory. `sealer` lives as
  // long as the store.
  static Result<std::unique_ptr<ObjectStore>> Open(const std::string& directory,
                                                   const RootSealer& sealer,
                                                   const WitnessChoice& witness = {},
                                                   const OpenOptions& options = {});
  // For tests: any store and witness.
  static Result<std::unique_ptr<ObjectStore>> OpenWith(std::unique_ptr<store::Store> store,
                                                       std::unique_ptr<Witness> witness,
                                                       const RootKeyring& keyring, bool create,
                                                       const OpenOptions& options = {});
  ~ObjectStore();

  std::string enclave_id() const;  // 32 hexadecimal digits
  // Whether the members of a fleet share it.
  bool is_shared() const;
  // Takes in what others have committed. False: there was nothing. kStoreUnreachable, and what
  // Vault::Refresh says.
  Result<bool> Refresh();
  uint64_t epoch()
      const;  // rises with every change of a token, policy or object, session objects too
  SecretBytes DeriveKey(std::string_view label, size_t size) const;
  size_t object_count() const;

  std::vector<Token> Tokens() const;                       // by slot
  Result<Token> FindToken(const wire::TokenId& id) const;  // kTokenNotFound
  bool HasUserPin(const wire::TokenId& id) const;          // false for a token that is not there
  Result<Token> FindTokenByName(const std::optional<std::string>& label,
                                const std::optional<std::string>& serial) const;
  // Fills in id and slot. kTokenExists for a label in use.
  Result<Token> CreateToken(Token token, const Document& policy);
  // All but slot, creation, owners and sequence.
  Status UpdateToken(const Token& token);
  Status SetOwners(const wire::TokenId& id, std::vector<wire::Owner> owners);
  // Uses up a statement's sequence number, durably: kSequence unless it is above all before it.
  Status AdvanceSequence(const wire::TokenId& id, uint64_t sequence);
  // With its policies and objects (C_InitToken of an existing token, DeleteToken).
  Status ClearToken(const wire::TokenId& id);
  Status DeleteToken(const wire::TokenId& id);

  std::vector<Document> Policies(const wire::TokenId& token) const;
  Result<Document> FindPolicy(const wire::TokenId& token,
                              const std::string& name) const;  // kPolicyNotFound
  // Adds or replaces (kPolicyVersion unless the version rises); every object under it is sealed
  // anew with the new digest. `records` are put in the same commit.
  Status PutPolicy(const wire::TokenId& token, const Document& policy,
                   std::vector<TokenRecord> records = {});
  // Puts policies (as PutPolicy), and makes session objects token objects, all or none. An object
  // comes as it is to be, with the id and the version that it has in its session: what is kept has
  // an id of its own, and the session object is gone. kObjectNotFound: it is no session object (any
  // more). kObjectChanged: an object, or a former policy, is at another version.
  Result<std::vector<ObjectPtr>> Keep(const wire::TokenId& token, std::vector<NewPolicy> policies,
                                      std::vector<Object> objects);

  // By id. Of kSet, kHistory, kRevocation, kApproval.
  std::vector<TokenRecord> TokenRecords(const wire::TokenId& token, RecordType type) const;
  // Adds or replaces all of `put` and removes all of `removed` (those that are there), or nothing.
  Status ChangeTokenRecords(const wire::TokenId& token, std::vector<TokenRecord> put,
                            const std::vector<TokenRecord>& removed = {});
  // Another number after every change of the token's sets or revocations; no two tokens share one.
  // 0 for a token that is not there.
  uint64_t RulesGeneration(const wire::TokenId& token) const;

  Result<ObjectPtr> Get(const wire::ObjectId& id) const;  // kObjectNotFound
  // `visible` decides what this caller may see: what it may not see counts as absent.
  // kObjectNotFound, kObjectAmbiguous, kTokenNotFound. Without a class, a private key is preferred
  // over its public key and certificate. A label means the version in service; a CKA_ID any.
  using Visible = std::function<bool(const Object&)>;
  Result<ObjectPtr> Resolve(const wire::ObjectRef& ref, const Visible& visible) const;
  // Ordered by id, after `after`. Cost does not grow with the token when `match` names CKA_ID,
  // CKA_LABEL or CKA_UNIQUE_ID. By label without CKA_ID and kCkaVersion only the version in service
  // is found, unless all `versions` are wanted. What is found is the caller's own: nobody else has
  // these objects.
  std::vector<std::shared_ptr<Object>> Find(const wire::TokenId& token,
                                            const wire::AttributeList& match,
                                            const std::optional<wire::ObjectId>& after,
                                            size_t limit, const Visible& visible,
                                            bool versions = false) const;
  uint64_t CountUnderPolicy(const wire::TokenId& token, const std::string& policy) const;

  // All or none. Sets CKA_UNIQUE_ID, CKA_TOKEN as given, kCkaPolicy, kCkaPolicyDigest.
  Result<std::vector<ObjectPtr>> Insert(std::vector<NewObject> objects);
  // New attributes, whole. kObjectChanged if the object is not at `version` any more.
  Result<ObjectPtr> Update(const wire::ObjectId& id, const wire::AttributeList& attributes,
                           std::optional<uint64_t> version = std::nullopt);
  Status Remove(const wire::ObjectId& id);
  void RemoveSessionObjects(uint64_t session);

  // nullopt: never used. EditUsages: all or none, durable when it returns; what is not changed by
  // its edit, or is of an object that is not there (any more), is not written. They end with their
  // object, are of no epoch, and no change of the object touches them.
  std::optional<Usage> FindUsage(const Usage::Key& key) const;
  Status EditUsages(const std::vector<UsageEdit>& edits);
  struct UsageCount {
    size_t of_object = 0;
    size_t of_all = 0;
  };
  UsageCount CountUsages(const wire::ObjectId& object) const;

  // The object whose policy says who may join the fleet. FoundFleet: makes it, and with it the
  // record of the first member, once, and while its token is all that the enclave has.
  // kStoreExists, kWrongState.
  std::optional<wire::ObjectId> fleet_object() const;
  Result<ObjectPtr> FoundFleet(NewObject object, const TokenRecord& first_member);
  Vault::HandOver GiveHandOver() const;
  Witness::Mark mark() const;                                       // the vault's
  std::optional<ByteArray<32>> HeadDigestAt(uint64_t epoch) const;  // the vault's
  Result<std::vector<wire::FleetMember>> Members() const;           // by name
  Status PutMember(const wire::FleetMember& member);
  // SubjectPublicKeyInfo of this machine's own key; kWrongState: it has none.
  Result<Bytes> MemberPublicKey() const;
  // Says it to the others, in this member's record, unless they know it.
  Status AnnounceMember();
  // Takes a member's record out and begins a generation of the root secret that the others get, in
  // one commit. kMemberUnknown, kMemberSelf, kMemberWithoutKey; kWrongState: there is no fleet, or
  // this machine is none of it.
  Result<Vault::GenerationCount> RemoveMember(const std::string& name);
  Vault::GenerationCount generation() const;
  // Seals some rows of older generations anew; once there are none, forgets those generations.
  // How many rows it were. kStoreMoved: another member was first.
  Result<size_t> Reseal(size_t limit);

  // Of no epoch.
  std::optional<AuditMark> audit_mark() const;
  Status SetAuditMark(const AuditMark& mark);
  // A machine joins under this member's name, with a log that begins anew.
  Status ForgetAuditMark(const std::string& of_member);

  // What owners require of the enclave's build; 0: nothing. kVersionTooLow: it never falls.
  uint64_t minimum_version() const;
  Status RequireVersion(uint64_t svn);

  // Who could restore the enclave elsewhere; nullopt: nobody.
  std::optional<wire::Recovery> recovery() const;
  // Of this store (backup.h); the store must outlive them.
  std::unique_ptr<Backup> BeginBackup(UnixTime now);
  std::unique_ptr<BackupCheck> BeginBackupCheck();
  uint64_t row_count() const;
  uint64_t commits() const;  // the vault's epoch
  Status CommitRestored();   // Vault::CommitRestored

  // For an operator who looks for damage while the daemon runs. The rows above `after` (without it
  // the first ones), some at a time, so that changes do not wait for long.
  Result<RowsChecked> CheckRows(const std::optional<store::RowId>& after);
  std::vector<StoreFinding> CheckHead();  // and the witness
  // kTooLarge where changes would have to wait for long, unless `however_long`.
  Result<std::vector<StoreFinding>> CheckStructure(bool however_long);
  Result<store::Compaction> Compact();

  // The key behind an object, from the cache or unsealed; kObjectNotFound for objects that are no
  // keys.
  Result<std::shared_ptr<const mech::Key>> OpenKey(const Object& object);
  // Sealed material of an object (data a C_CopyObject needs).
  Result<SecretBytes> ReadMaterial(const Object& object);

 private:
  struct Impl;
  explicit ObjectStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace keyclave::keys
