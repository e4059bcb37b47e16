// A session: its slot, its mode, the operations under way, and the session objects that end with
// it.
#pragma once

#include <mutex>
#include <set>

#include "pkcs11/operation.h"
#include "pkcs11/slot_list.h"

namespace keyclave::pkcs11 {

class Session {
 public:
  Session(CK_SESSION_HANDLE handle, SlotPtr slot, const wire::TokenId& token, bool read_write)
      : handle_(handle), slot_(std::move(slot)), token_(token), read_write_(read_write) {}

  CK_SESSION_HANDLE handle() const { return handle_; }
  const SlotPtr& slot() const { return slot_; }
  const wire::TokenId& token() const { return token_; }
  bool read_write() const { return read_write_; }
  // CKS_RO_PUBLIC_SESSION …, from the mode and the token's login state.
  CK_STATE State() const;

  // One call at a time works on what follows.
  std::mutex& mutex() { return mutex_; }
  Operations operations;
  std::set<wire::ObjectId> session_objects;
  // The last output of C_WrapKey that did not fit, with the vector and tag that it was made with
  // where they lie beside it, and the request that it answers.
  struct Wrapped {
    Bytes request;
    std::optional<Bytes> output;
    Bytes iv;
    Bytes tag;
  } wrapped;

 private:
  const CK_SESSION_HANDLE handle_;
  const SlotPtr slot_;
  const wire::TokenId token_;
  const bool read_write_;
  std::mutex mutex_;
};
using SessionPtr = std::shared_ptr<Session>;

}  // namespace keyclave::pkcs11
