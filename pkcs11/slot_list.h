// Slots: one per token of the enclave, and an empty one for C_InitToken where this caller may make
// tokens.
//
// What holds for one run of the module:
// - a slot keeps its id and, once it has one, its token: slots are added and never renumbered;
// - a slot whose token is gone, or whose enclave does not answer, stays and reports no token.
#pragma once

#include <atomic>
#include <map>
#include <memory>

#include "enclave/base/mutex.h"
#include "enclave/client/client.h"
#include "pkcs11/cryptoki3.h"

namespace keyclave::pkcs11 {

class Slot {
 public:
  explicit Slot(CK_SLOT_ID id) : id_(id) {}
  CK_SLOT_ID id() const { return id_; }

  // What is in the slot, as of the latest answer of the enclave.
  struct Content {
    bool present =
        false;  // the enclave answered, and a token is there (maybe an uninitialised one)
    std::optional<wire::TokenInfo> token;  // nullopt: an uninitialised token, or none was ever here
  };
  Content content() const;
  // The initialised token in the slot: kP11TokenNotPresent, kTokenNotInitialized.
  Result<wire::TokenInfo> Token() const;

  // One login state for all sessions of this process with the token (base §2.4).
  wire::LoginState login() const { return login_.load(); }

  // Sessions and login of one slot change together, under this mutex; it is held while the enclave
  // is asked.
  Mutex login_mutex;
  CK_ULONG sessions KC_GUARDED_BY(login_mutex) = 0;
  CK_ULONG read_write_sessions KC_GUARDED_BY(login_mutex) = 0;
  // The enclave was not told of the last logout, because it could not be reached.
  bool owes_logout KC_GUARDED_BY(login_mutex) = false;
  void SetLogin(wire::LoginState state) KC_REQUIRES(login_mutex) { login_.store(state); }

 private:
  friend class SlotList;
  const CK_SLOT_ID id_;
  std::atomic<wire::LoginState> login_{wire::LoginState::kNone};
  mutable Mutex content_mutex_;
  Content content_ KC_GUARDED_BY(content_mutex_);
  // For slot events; guarded by the list's mutex.
  bool shown_ = false;  // a token was there after the last answer of the enclave
  bool event_ = false;  // that changed since TakeEvent last looked
};
using SlotPtr = std::shared_ptr<Slot>;

class SlotList {
 public:
  explicit SlotList(client::Client& client) : client_(client) {}

  // Asks the enclave which tokens there are. After an error every slot reports no token.
  Status Refresh();
  // Refresh, unless the latest one succeeded.
  void RefreshIfUnknown();
  std::vector<SlotPtr> All() const;  // by id
  Result<SlotPtr> Find(CK_SLOT_ID id) const;
  // A slot whose token came or went since the first answer of the enclave, each time once.
  std::optional<CK_SLOT_ID> TakeEvent();
  // After C_InitToken: this token is in this slot.
  void Adopt(const SlotPtr& slot, const wire::TokenInfo& token);

 private:
  void Place(const wire::TokenInfo& token) KC_REQUIRES(mutex_);
  SlotPtr Add(CK_SLOT_ID id) KC_REQUIRES(mutex_);
  CK_SLOT_ID NextId() const KC_REQUIRES(mutex_);
  void Show(bool spare) KC_REQUIRES(mutex_);
  void NoteEvents() KC_REQUIRES(mutex_);

  client::Client& client_;
  mutable Mutex mutex_;
  std::map<CK_SLOT_ID, SlotPtr> slots_ KC_GUARDED_BY(mutex_);
  bool known_ KC_GUARDED_BY(mutex_) = false;
  bool asked_ KC_GUARDED_BY(mutex_) = false;  // the enclave, at least once: answered or not
};

}  // namespace keyclave::pkcs11
