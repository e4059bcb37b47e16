// Owners, sequence numbers, and the records of a token that the store keeps without reading them.
#include "enclave/keys/object_records.h"
#include "enclave/keys/object_store_impl.h"

namespace keyclave::keys {
namespace {

// Whether what grants say depends on records of this type.
bool MakesRules(RecordType type) {
  return type == RecordType::kSet || type == RecordType::kRevocation;
}

}  // namespace

Status ObjectStore::SetOwners(const wire::TokenId& id, std::vector<wire::Owner> owners) {
  return impl_->Write([&]() KC_REQUIRES(impl_->write_mutex) -> Status {
    KC_ASSIGN(Token next, FindToken(id));
    next.owners = owners;
    KC_CHECK_OK(impl_->vault->Commit({TokenChange(next)}));
    const WriterLock lock(impl_->state_mutex);
    impl_->tokens[id].token = std::move(next);
    impl_->Moved();
    return Done{};
  });
}

Status ObjectStore::AdvanceSequence(const wire::TokenId& id, uint64_t sequence) {
  return impl_->Write([&]() KC_REQUIRES(impl_->write_mutex) -> Status {
    KC_ASSIGN(Token next, FindToken(id));
    if (sequence <= next.sequence.value_or(0))
      return Fail(Code::kSequence, "sequence " + std::to_string(sequence) + " after " +
                                       std::to_string(next.sequence.value_or(0)));
    next.sequence = sequence;
    KC_CHECK_OK(impl_->vault->Commit({TokenChange(next)}));
    const WriterLock lock(impl_->state_mutex);
    impl_->tokens[id].token = std::move(next);
    return Done{};
  });
}

std::vector<TokenRecord> ObjectStore::TokenRecords(const wire::TokenId& token,
                                                   RecordType type) const {
  std::vector<TokenRecord> found;
  const ReaderLock lock(impl_->state_mutex);
  const auto state = impl_->tokens.find(token);
  if (state == impl_->tokens.end()) return found;
  const auto& records = state->second.records;
  for (auto it = records.lower_bound({type, {}}); it != records.end() && it->first.first == type;
       ++it) {
    found.push_back({type, it->first.second, it->second});
  }
  return found;
}

Status ObjectStore::ChangeTokenRecords(const wire::TokenId& token, std::vector<TokenRecord> put,
                                       const std::vector<TokenRecord>& removed) {
  return impl_->Write([&]() KC_REQUIRES(impl_->write_mutex) -> Status {
    std::vector<RecordChange> changes;
    for (const TokenRecord& record : put) changes.push_back(TokenRecordChange(token, record));
    {
      const ReaderLock lock(impl_->state_mutex);
      KC_ASSIGN(const TokenState* state, impl_->TokenOf(token));
      for (const TokenRecord& record : removed) {
        if (state->records.contains({record.type, record.id}))
          changes.push_back(Removal({record.type, token, record.id}));
      }
    }
    if (changes.empty()) return Done{};
    KC_CHECK_OK(impl_->vault->Commit(std::move(changes)));
    const WriterLock lock(impl_->state_mutex);
    impl_->ApplyRecords(token, put, removed);
    impl_->Moved();
    return Done{};
  });
}

void ObjectStore::Impl::ApplyRecords(const wire::TokenId& id, const std::vector<TokenRecord>& put,
                                     const std::vector<TokenRecord>& removed) {
  TokenState& state = tokens[id];
  bool rules = false;
  for (const TokenRecord& record : removed) {
    rules = rules || MakesRules(record.type);
    state.records.erase({record.type, record.id});
  }
  for (const TokenRecord& record : put) {
    rules = rules || MakesRules(record.type);
    state.records[{record.type, record.id}] = record.body;
  }
  if (rules) state.rules_generation = ++last_rules_generation;
}

std::vector<RecordChange> ObjectStore::Impl::RecordRemovals(const wire::TokenId& id,
                                                            const TokenState& state) {
  std::vector<RecordChange> removals;
  for (const auto& [key, body] : state.records)
    removals.push_back(Removal({key.first, id, key.second}));
  return removals;
}

uint64_t ObjectStore::RulesGeneration(const wire::TokenId& token) const {
  const ReaderLock lock(impl_->state_mutex);
  const auto state = impl_->tokens.find(token);
  return state == impl_->tokens.end() ? 0 : state->second.rules_generation;
}

}  // namespace keyclave::keys
