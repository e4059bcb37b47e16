// What a permit asks of the request itself: who made the object, what is signed, in which form a
// key leaves, who approved, how often it was done.
#pragma once

#include "enclave/ops/access.h"

namespace keyclave::ops {

class UseConditions final : public authz::Conditions {
 public:
  using Identity = std::shared_ptr<const session::Session::Identity>;
  // For one use under one policy of the object, by whoever has this identity; without one, by the
  // calling session.
  UseConditions(Call& call, const keys::Object& object, const UseOf& use, std::string_view policy,
                Identity identity = nullptr)
      : call_(call), object_(object), use_(use), policy_(policy), identity_(std::move(identity)) {}
  // For explaining: what is signed or issued and how a key leaves is not known, and not asked.
  void IgnoreInput() { ignore_input_ = true; }
  // For asking whether a use would be allowed.
  void CountNothing() { count_nothing_ = true; }

  Status CheckBinding() override;
  Status CheckInput(const authz::InputRule& rule) override;
  Status CheckWrap(const authz::WrapForms& forms) override;
  Status CheckIssue(const authz::IssueRule& rule) override;
  Status CheckApprovals(const authz::Quorum& quorum) override;
  Status TakeLimit(size_t permit, const authz::LimitRule& limit) override;

 private:
  // A claim that evidence (not the channel) tells of the caller; empty if there is none.
  std::string AttestedText(std::string_view name);
  const session::Session::Identity& Who();

  Call& call_;
  const keys::Object& object_;
  const UseOf& use_;
  const std::string_view policy_;
  Identity identity_;
  bool ignore_input_ = false;
  bool count_nothing_ = false;
};

}  // namespace keyclave::ops
