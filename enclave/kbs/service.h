// What the gateway answers, whoever speaks HTTP for it: RCAR's three requests, with Trustee's
// paths, cookie and errors.
//
// A session lasts from the auth request that opens it to five minutes later; if nothing was
// attested by then, no longer than the enclave's nonce is good. There are kMaxSessions at most, and
// each is one connection to the enclave.
#pragma once

#include <atomic>
#include <map>

#include "enclave/kbs/enclave_link.h"
#include "enclave/kbs/messages.h"

namespace keyclave::kbs {

inline constexpr size_t kMaxSessions = 256;
inline constexpr std::chrono::seconds kAuthSeconds{60};
inline constexpr std::chrono::seconds kSessionSeconds{300};

struct HttpRequest {
  std::string method;
  std::string path;
  bool has_query = false;
  std::string cookie;  // kbs-session-id
  std::string bearer;  // of the header Authorization
  Bytes body = {};
};

struct HttpResponse {
  unsigned status = 200;
  std::string body = {};
  std::string cookie = {};  // for Set-Cookie; empty: none
};

class Service {
 public:
  // Both outlive the service.
  Service(EnclaveLink& link, const Clock& clock) : link_(link), clock_(clock) {}
  HttpResponse Handle(const HttpRequest& request);  // by any thread
  // Ends the sessions whose time is over.
  void Sweep();
  size_t sessions() const;

 private:
  struct Session {
    Mutex mutex;
    std::string id;
    std::string tee;
    UnixTime opened = 0;
    std::atomic<std::chrono::steady_clock::time_point> until{};
    std::unique_ptr<Upstream> upstream KC_GUARDED_BY(mutex);  // null: it has ended
    bool attested KC_GUARDED_BY(mutex) = false;
    Upstream::Wanted recipient KC_GUARDED_BY(mutex);
    std::string token KC_GUARDED_BY(mutex);  // the reply to its attest
  };
  using SessionPtr = std::shared_ptr<Session>;

  HttpResponse Auth(const HttpRequest& request);
  HttpResponse Attest(const HttpRequest& request);
  HttpResponse Resource(const HttpRequest& request);
  // nullptr: there is none, or its time is over.
  SessionPtr Find(const std::string& id);
  bool IsOver(const Session& session) const { return clock_.Steady() >= session.until.load(); }
  void End(const std::string& id);
  std::string CookieOf(const Session& session) const;

  EnclaveLink& link_;
  const Clock& clock_;
  mutable Mutex mutex_;
  std::map<std::string, SessionPtr, std::less<>> sessions_ KC_GUARDED_BY(mutex_);
  size_t opening_ KC_GUARDED_BY(mutex_) = 0;  // places taken by sessions that are being opened
};

}  // namespace keyclave::kbs
