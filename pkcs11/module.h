// One run of the module, from C_Initialize to C_Finalize: the client of the enclave, and what is
// known through it.
//
// What holds:
// - it is the only state of the library; Current() is the only way to it;
// - a call that has it keeps it alive: C_Finalize ends the run for new calls, and the last call
// under way destroys it;
// - in a forked child there is no run until the child calls C_Initialize: nothing of the parent's
// is touched there, as its
//   locks may be held by threads that the child does not have.
#pragma once

#include <chrono>
#include <condition_variable>

#include "pkcs11/mechanism_list.h"
#include "pkcs11/saved_states.h"
#include "pkcs11/session_table.h"

namespace keyclave::pkcs11 {

class Module {
 public:
  // kP11AlreadyInitialized; kConfig… if client.yaml is wrong. Does not speak to the enclave.
  static Status Begin();
  // Takes the run away from new calls: kP11NotInitialized if there is none.
  static Result<std::shared_ptr<Module>> End();
  static Result<std::shared_ptr<Module>> Current();  // kP11NotInitialized

  explicit Module(client::ClientConfig config);

  // Whether C_Finalize ends the run before this much time is over; waits for it.
  bool EndsWithin(std::chrono::milliseconds time);
  void NoteEnd();  // wakes those

  client::Client& client() { return client_; }
  SlotList& slots() { return slots_; }
  SessionTable& sessions() { return sessions_; }
  ObjectCache& objects() { return objects_; }
  MechanismList& mechanisms() { return mechanisms_; }
  SavedStates& saved_states() { return saved_states_; }

 private:
  std::mutex end_mutex_;
  std::condition_variable end_;
  bool ended_ = false;
  client::Client client_;
  SlotList slots_;
  SessionTable sessions_;
  ObjectCache objects_;
  MechanismList mechanisms_;
  SavedStates saved_states_;
};
using ModulePtr = std::shared_ptr<Module>;

// A call on a session: the run, the session, and its operations locked until the call ends.
struct SessionCall {
  ModulePtr module;
  SessionPtr session;
  std::unique_lock<std::mutex> lock;

  Operations& operations() const { return session->operations; }
  client::Client& client() const { return module->client(); }
};
// kP11NotInitialized, then kP11SessionHandleInvalid: before any other argument is looked at (base
// §5.1).
Result<SessionCall> EnterSession(CK_SESSION_HANDLE handle);

}  // namespace keyclave::pkcs11
