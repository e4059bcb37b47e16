#include "pkcs11/slot_list.h"

#include <algorithm>

namespace keyclave::pkcs11 {

Slot::Content Slot::content() const {
  const MutexLock lock(content_mutex_);
  return content_;
}

Result<wire::TokenInfo> Slot::Token() const {
  Content now = content();
  if (!now.present) return Fail(Code::kP11TokenNotPresent);
  if (!now.token.has_value()) return Fail(Code::kTokenNotInitialized);
  return *std::move(now.token);
}

Status SlotList::Refresh() {
  // No lock is held while the enclave is asked. Of two answers that come at once, either may be the
  // last to be taken in.
  const auto reply = client_.Call<wire::Op::kListTokens>({});
  const MutexLock lock(mutex_);
  known_ = reply.ok();
  for (const auto& [id, slot] : slots_) {
    const MutexLock content(slot->content_mutex_);
    slot->content_.present = false;
  }
  if (!reply.ok()) {
    // A place for the token that will come, so that programs see that there is a reader without a
    // card.
    if (slots_.empty()) Add(0);
    NoteEvents();
    return reply.error();
  }
  for (const wire::TokenInfo& token : reply->tokens) Place(token);
  Show(reply->can_create);
  NoteEvents();
  return Done{};
}

// v3.2 §5.5.5: tokens that were there at C_Initialize are no events.
void SlotList::NoteEvents() {
  for (const auto& [id, slot] : slots_) {
    const bool present = slot->content().present;
    if (asked_ && present != slot->shown_) slot->event_ = true;
    slot->shown_ = present;
  }
  asked_ = true;
}

std::optional<CK_SLOT_ID> SlotList::TakeEvent() {
  const MutexLock lock(mutex_);
  for (const auto& [id, slot] : slots_) {
    if (std::exchange(slot->event_, false)) return id;
  }
  return std::nullopt;
}

void SlotList::RefreshIfUnknown() {
  bool known = false;
  {
    const MutexLock lock(mutex_);
    known = known_;
  }
  if (!known && !Refresh().ok()) return;  // the slots say that there is no token
}

std::vector<SlotPtr> SlotList::All() const {
  const MutexLock lock(mutex_);
  std::vector<SlotPtr> all;
  for (const auto& [id, slot] : slots_) all.push_back(slot);
  return all;
}

Result<SlotPtr> SlotList::Find(CK_SLOT_ID id) const {
  const MutexLock lock(mutex_);
  const auto found = slots_.find(id);
  if (found == slots_.end()) return Fail(Code::kP11SlotInvalid);
  return found->second;
}

void SlotList::Adopt(const SlotPtr& slot, const wire::TokenInfo& token) {
  const MutexLock lock(slot->content_mutex_);
  slot->content_ = {true, token};
}

// The slot that has this token; else the slot of the number that the enclave suggests, if it never
// had a token; else a new one.
void SlotList::Place(const wire::TokenInfo& token) {
  SlotPtr place;
  for (const auto& [id, slot] : slots_) {
    const MutexLock content(slot->content_mutex_);
    if (slot->content_.token.has_value() && slot->content_.token->id == token.id) place = slot;
  }
  if (place == nullptr) {
    const auto suggested = slots_.find(token.slot);
    if (suggested == slots_.end()) {
      place = Add(token.slot);
    } else {
      place = suggested->second->content().token.has_value() ? Add(NextId()) : suggested->second;
    }
  }
  const MutexLock content(place->content_mutex_);
  place->content_ = {true, token};
}

// The slots that never had a token are there for C_InitToken or not at all.
void SlotList::Show(bool spare) {
  bool found = false;
  for (const auto& [id, slot] : slots_) {
    const MutexLock content(slot->content_mutex_);
    if (slot->content_.token.has_value()) continue;
    slot->content_.present = spare && !found;
    found = true;
  }
  if (!spare || found) return;
  const SlotPtr added = Add(NextId());
  const MutexLock content(added->content_mutex_);
  added->content_.present = true;
}

SlotPtr SlotList::Add(CK_SLOT_ID id) {
  return slots_.insert_or_assign(id, std::make_shared<Slot>(id)).first->second;
}

// The lowest free number, as the enclave counts: a token made in a spare slot is found there by the
// next process too.
CK_SLOT_ID SlotList::NextId() const {
  CK_SLOT_ID id = 0;
  while (slots_.contains(id)) ++id;
  return id;
}

}  // namespace keyclave::pkcs11
