#include "enclave/ops/policy_cache.h"

namespace keyclave::ops {

Result<PolicyCache::PolicyPtr> PolicyCache::OfObject(const keys::ObjectStore& store,
                                                     const keys::Object& object) {
  const Bytes* digest = object.attributes.Find(kCkaPolicyDigest);
  if (digest != nullptr && digest->size() == 32) {
    ByteArray<32> key{};
    std::copy(digest->begin(), digest->end(), key.begin());
    const ReaderLock lock(mutex_);
    if (const auto found = by_digest_.find(key); found != by_digest_.end()) return found->second;
  }
  return Named(store, object.token, object.policy);
}

Result<PolicyCache::PolicyPtr> PolicyCache::Named(const keys::ObjectStore& store,
                                                  const wire::TokenId& token,
                                                  const std::string& name) {
  KC_ASSIGN(const keys::Document text, store.FindPolicy(token, name));
  return Parsed(text);
}

uint64_t PolicyCache::MostCollateralGrace(const keys::ObjectStore& store) {
  const uint64_t epoch = store.epoch();
  {
    const ReaderLock lock(mutex_);
    if (grace_.epoch == epoch) return grace_.seconds;
  }
  Grace found{.epoch = epoch, .seconds = 0};
  for (const keys::Token& token : store.Tokens()) {
    for (const keys::Document& text : store.Policies(token.id)) {
      const auto policy = Parsed(text);
      if (policy.ok()) found.seconds = std::max(found.seconds, (*policy)->collateral_grace());
    }
  }
  const WriterLock lock(mutex_);
  grace_ = found;
  return found.seconds;
}

Result<PolicyCache::PolicyPtr> PolicyCache::Parsed(const keys::Document& text) {
  {
    const ReaderLock lock(mutex_);
    if (const auto found = by_digest_.find(text.digest); found != by_digest_.end())
      return found->second;
  }
  KC_ASSIGN(authz::Policy policy, authz::Policy::Parse(text.text, text.name));
  auto shared = std::make_shared<const authz::Policy>(std::move(policy));
  const WriterLock lock(mutex_);
  // Policies change rarely; what piles up from old versions is dropped now and then.
  if (by_digest_.size() >= 4096) by_digest_.clear();
  by_digest_.emplace(text.digest, shared);
  return shared;
}

}  // namespace keyclave::ops
