// Opening, tokens and policies.
#include "enclave/keys/object_store.h"

#include <sys/stat.h>

#include "enclave/base/hash.h"
#include "enclave/keys/key_schedule.h"
#include "enclave/keys/member_key.h"
#include "enclave/keys/object_records.h"
#include "enclave/keys/object_store_impl.h"
#include "enclave/keys/root_file.h"
#include "enclave/keys/state_files.h"

namespace keyclave::keys {
namespace {

bool IsThere(const std::string& path) {
  struct stat info {};
  return lstat(path.c_str(), &info) == 0;
}

Error NoSuchToken(const wire::TokenId& id) { return Fail(Code::kTokenNotFound, ToHex(id)); }

Status CheckPolicyText(const Document& policy) {
  if (policy.name.empty() || policy.digest != Sha256(AsBytes(policy.text)))
    return Fail(Code::kInvalidArgument, "a policy without a name or with a digest not its own");
  return Done{};
}

}  // namespace

std::string Token::Serial() const { return ToHex(id).substr(0, 16); }

const wire::Owner* Token::FindOwner(std::string_view name) const {
  if (!owners.has_value()) return nullptr;
  const auto found = std::find_if(owners->begin(), owners->end(),
                                  [&](const wire::Owner& owner) { return owner.name == name; });
  return found == owners->end() ? nullptr : &*found;
}

// Epochs of two starts over the same persisted state differ by chance (1 in 2^31), those over
// different states by their upper half.
void ObjectStore::Impl::Start() {
  const auto random = RandomArray<4>();
  for (const uint8_t byte : random) epoch_salt = epoch_salt << 8 | byte;
  epoch_salt >>= 1;
  const WriterLock lock(state_mutex);
  Moved();
}

void ObjectStore::Impl::Moved() {
  epoch = std::max(epoch + 1, (vault->epoch() << 32) + epoch_salt);
}

// What was made or changed just now is likely to be asked for next.
void ObjectStore::Impl::AddObject(const ObjectPtr& object) {
  tokens[object->token].objects.Add(objects, objects.Add(*object));
  if (object->session != 0) session_objects[object->session].insert(object->id);
  recent.Insert(object->id, object->version, object);
}

void ObjectStore::Impl::DropObject(const Object& object) {
  const auto slot = objects.Find(object.id);
  if (!slot) return;
  const auto token = tokens.find(object.token);
  if (token != tokens.end()) token->second.objects.Remove(objects, *slot);
  const auto session = session_objects.find(object.session);
  if (session != session_objects.end()) {
    session->second.erase(object.id);
    if (session->second.empty()) session_objects.erase(session);
  }
  session_material.erase(object.id);
  DropUsages(object.id);
  objects.Remove(*slot);
  recent.Erase(object.id);
}

void ObjectStore::Impl::ReplaceObject(const ObjectPtr& object) {
  ObjectIndex& index = tokens[object->token].objects;
  const Slot old = objects.Find(object->id).value();
  index.Remove(objects, old);
  objects.Remove(old);
  index.Add(objects, objects.Add(*object));
  recent.Insert(object->id, object->version, object);
}

Result<const TokenState*> ObjectStore::Impl::TokenOf(const wire::TokenId& id) const {
  const auto found = tokens.find(id);
  if (found == tokens.end()) return NoSuchToken(id);
  return &found->second;
}

ObjectStore::ObjectStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ObjectStore::~ObjectStore() = default;

Result<std::unique_ptr<ObjectStore>> ObjectStore::OpenWith(std::unique_ptr<store::Store> store,
                                                           std::unique_ptr<Witness> witness,
                                                           const RootKeyring& keyring, bool create,
                                                           const OpenOptions& options) {
  auto impl = std::make_unique<Impl>();
  impl->member = options.member;
  impl->member_key = keyring.member_key.Clone();
  if (create) {
    KC_ASSIGN(impl->vault, Vault::Create(std::move(store), std::move(witness), keyring));
  } else {
    KC_CHECK_OK(impl->Load(std::move(store), std::move(witness), keyring, options));
  }
  impl->Start();
  return std::unique_ptr<ObjectStore>(new ObjectStore(std::move(impl)));
}

Result<std::unique_ptr<ObjectStore>> ObjectStore::Open(const std::string& directory,
                                                       const RootSealer& sealer,
                                                       const WitnessChoice& choice,
                                                       const OpenOptions& given) {
  OpenOptions options = given;
  const std::string root_path = StateFiles::Root(directory);
  const std::string store_path = StateFiles::Store(directory);
  if (IsThere(store_path) && !IsThere(root_path))
    return Fail(Code::kRootSecretInvalid,
                root_path + " is missing; nothing in " + store_path +
                    " can be read without it: put it back from your backup");
  if (!IsThere(store_path) && IsThere(root_path))
    return Fail(Code::kStoreMissing,
                store_path + " is missing beside root.key: put it back from your backup");
  if (!options.share && IsThere(StateFiles::Position(directory)))
    return Fail(
        Code::kConfigMissingKey,
        store_path +
            " is a copy of a fleet's store, and keyclaved.yaml has no fleet: what is changed "
            "here alone would part it from the others");
  KC_ASSIGN(RootKeyring keyring, ReadRootSecret(root_path, sealer));
  KC_ASSIGN(auto store, store::OpenSqliteStore(store_path, false));
  if (options.share) {
    options.save_keyring = [root_path, &sealer](const RootKeyring& next) {
      return ReplaceRootSecret(root_path, sealer, next);
    };
    KC_ASSIGN(store, options.share(std::move(store), KeySchedule(keyring.first()).EnclaveId()));
    if (keyring.member_key.empty()) {
      keyring.member_key = NewMemberKey();
      KC_CHECK_OK(options.save_keyring(keyring));
    }
  }
  auto witness = MakeWitness(choice, directory, keyring, sealer.Counter());
  auto opened = OpenWith(std::move(store), std::move(witness), keyring, false, options);
  if (!opened.ok()) return opened.error().In(store_path);
  return opened;
}

std::string ObjectStore::enclave_id() const { return ToHex(impl_->vault->enclave_id()); }

bool ObjectStore::is_shared() const { return impl_->vault->is_shared(); }

Result<bool> ObjectStore::Refresh() {
  const MutexLock writing(impl_->write_mutex);
  return impl_->Refresh();
}

uint64_t ObjectStore::epoch() const {
  const ReaderLock lock(impl_->state_mutex);
  return impl_->epoch;
}

SecretBytes ObjectStore::DeriveKey(std::string_view label, size_t size) const {
  return impl_->vault->DeriveKey(label, size);
}

size_t ObjectStore::object_count() const {
  const ReaderLock lock(impl_->state_mutex);
  return impl_->objects.size();
}

std::vector<Token> ObjectStore::Tokens() const {
  std::vector<Token> all;
  {
    const ReaderLock lock(impl_->state_mutex);
    for (const auto& [id, state] : impl_->tokens) all.push_back(state.token);
  }
  std::sort(all.begin(), all.end(), [](const Token& a, const Token& b) { return a.slot < b.slot; });
  return all;
}

Result<Token> ObjectStore::FindToken(const wire::TokenId& id) const {
  const ReaderLock lock(impl_->state_mutex);
  KC_ASSIGN(const TokenState* state, impl_->TokenOf(id));
  return state->token;
}

bool ObjectStore::HasUserPin(const wire::TokenId& id) const {
  const ReaderLock lock(impl_->state_mutex);
  const auto found = impl_->tokens.find(id);
  return found != impl_->tokens.end() && !found->second.token.user_pin.salt.empty();
}

// Without a name: the only token, if there is but one.
Result<Token> ObjectStore::FindTokenByName(const std::optional<std::string>& label,
                                           const std::optional<std::string>& serial) const {
  const ReaderLock lock(impl_->state_mutex);
  const Token* found = nullptr;
  for (const auto& [id, state] : impl_->tokens) {
    const Token& token = state.token;
    if (label.has_value() && *label != token.label) continue;
    if (serial.has_value() && *serial != token.Serial()) continue;
    if (found != nullptr) return Fail(Code::kTokenNotFound, "several tokens: name one");
    found = &token;
  }
  if (found == nullptr) return Fail(Code::kTokenNotFound, label.value_or(serial.value_or("")));
  return *found;
}

Result<Token> ObjectStore::CreateToken(Token token, const Document& policy) {
  KC_CHECK_OK(CheckPolicyText(policy));
  token.id = RandomArray<16>();
  token.default_policy = policy.name;
  return impl_->Write([&]() KC_REQUIRES(impl_->write_mutex) -> Result<Token> {
    std::set<uint64_t> slots;
    for (const Token& other : Tokens()) {
      if (other.label == token.label) return Fail(Code::kTokenExists, token.label);
      if (other.Serial() == token.Serial())
        return Fail(Code::kInternal, "two tokens of one serial");
      slots.insert(other.slot);
    }
    for (token.slot = 0; slots.contains(token.slot);) ++token.slot;
    KC_CHECK_OK(impl_->vault->Commit({TokenChange(token), PolicyChange(token.id, policy)}));
    const WriterLock lock(impl_->state_mutex);
    TokenState& state = impl_->tokens[token.id];
    state.token = token;
    state.policies[policy.name] = policy;
    state.rules_generation = ++impl_->last_rules_generation;
    impl_->Moved();
    return token;
  });
}

Status ObjectStore::UpdateToken(const Token& token) {
  return impl_->Write([&]() KC_REQUIRES(impl_->write_mutex) -> Status {
    Token next = token;
    {
      const ReaderLock lock(impl_->state_mutex);
      KC_ASSIGN(const TokenState* state, impl_->TokenOf(token.id));
      if (!state->policies.contains(token.default_policy))
        return Fail(Code::kPolicyNotFound, token.default_policy);
      for (const auto& [id, other] : impl_->tokens) {
        if (id != token.id && other.token.label == token.label)
          return Fail(Code::kTokenExists, token.label);
      }
      next.slot = state->token.slot;
      next.created = state->token.created;
      next.owners = state->token.owners;
      next.quorum = state->token.quorum;
      next.sequence = state->token.sequence;
    }
    KC_CHECK_OK(impl_->vault->Commit({TokenChange(next)}));
    const WriterLock lock(impl_->state_mutex);
    impl_->tokens[next.id].token = next;
    impl_->Moved();
    return Done{};
  });
}

std::vector<Document> ObjectStore::Policies(const wire::TokenId& token) const {
  std::vector<Document> all;
  const ReaderLock lock(impl_->state_mutex);
  const auto found = impl_->tokens.find(token);
  if (found == impl_->tokens.end()) return all;
  for (const auto& [name, policy] : found->second.policies) all.push_back(policy);
  return all;
}

Result<Document> ObjectStore::FindPolicy(const wire::TokenId& token,
                                         const std::string& name) const {
  const ReaderLock lock(impl_->state_mutex);
  KC_ASSIGN(const TokenState* state, impl_->TokenOf(token));
  const auto found = state->policies.find(name);
  if (found == state->policies.end()) return Fail(Code::kPolicyNotFound, name);
  return found->second;
}

uint64_t ObjectStore::CountUnderPolicy(const wire::TokenId& token,
                                       const std::string& policy) const {
  const ReaderLock lock(impl_->state_mutex);
  const auto found = impl_->tokens.find(token);
  return found == impl_->tokens.end() ? 0 : found->second.objects.CountUnderPolicy(policy);
}

}  // namespace keyclave::keys
