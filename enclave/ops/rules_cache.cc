#include "enclave/ops/rules_cache.h"

#include "enclave/authz/set_document.h"
#include "enclave/base/log.h"

namespace keyclave::ops {
namespace {

using authz::TokenRules;

void AddSet(const keys::TokenRecord& record, TokenRules& rules) {
  const auto document = wire::Decode<keys::Document>(record.body);
  const auto set = document.ok() ? authz::SetDocument::Parse(document->text, document->name)
                                 : Result<authz::SetDocument>(document.error());
  if (set.ok()) {
    rules.sets.insert_or_assign(set->name(),
                                std::make_shared<const attest::ReferenceSet>(set->Values()));
  } else {
    Log(LogLevel::kError, "a reference-value set cannot be read: " + set.error().Text());
  }
}

// Everybody: what becomes of callers when a revocation cannot be read.
Result<attest::Expression> Anybody() {
  KC_ASSIGN(const YamlValue yaml,
            ParseYaml("any: [{tls.key: {exists: true}}, {tee: {exists: true}}]", "revocation"));
  return attest::Expression::Parse(yaml);
}

Status AddRevocation(const keys::TokenRecord& record, TokenRules& rules,
                     std::map<wire::ObjectId, std::string>& objects) {
  KC_ASSIGN(const StoredRevocation stored, wire::Decode<StoredRevocation>(record.body));
  if (stored.revocation.object) objects[*stored.revocation.object] = stored.revocation.reason;
  if (!stored.revocation.whom) return Done{};
  KC_ASSIGN(const YamlValue yaml, ParseYaml(*stored.revocation.whom, "revocation"));
  KC_ASSIGN(attest::Expression whom, attest::Expression::Parse(yaml));
  rules.revocations.push_back({std::move(whom), stored.revocation.reason, stored.at});
  return Done{};
}

RulesCache::RulesPtr Read(const keys::ObjectStore& store, const wire::TokenId& token,
                          uint64_t generation) {
  TokenRules rules;
  rules.token = token;
  rules.generation = generation;
  auto read = std::make_shared<RulesCache::Rules>();
  for (const auto& record : store.TokenRecords(token, keys::RecordType::kSet))
    AddSet(record, rules);
  for (const auto& record : store.TokenRecords(token, keys::RecordType::kRevocation)) {
    const Status added = AddRevocation(record, rules, read->objects);
    if (added.ok()) continue;
    Log(LogLevel::kError, "a revocation cannot be read: " + added.error().Text());
    if (auto anybody = Anybody(); anybody.ok())
      rules.revocations.push_back({*std::move(anybody), "a revocation cannot be read", 0});
  }
  read->callers = std::make_shared<const TokenRules>(std::move(rules));
  return read;
}

}  // namespace

RulesCache::RulesPtr RulesCache::Of(const keys::ObjectStore& store, const wire::TokenId& token) {
  const uint64_t generation = store.RulesGeneration(token);
  {
    const ReaderLock lock(mutex_);
    const auto found = by_token_.find(token);
    if (found != by_token_.end() && found->second->callers->generation == generation)
      return found->second;
  }
  RulesPtr rules = Read(store, token, generation);
  const WriterLock lock(mutex_);
  by_token_.insert_or_assign(token, rules);
  return rules;
}

}  // namespace keyclave::ops
