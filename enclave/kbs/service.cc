#include "enclave/kbs/service.h"

#include "enclave/base/hash.h"
#include "enclave/base/log.h"

namespace keyclave::kbs {
namespace {

constexpr std::string_view kApi = "/kbs/v0/";

HttpResponse Problem(unsigned status, std::string_view type, std::string_view detail) {
  return {.status = status, .body = ProblemText(type, detail)};
}

// Who is not attested hears that it is not, and no reason: the log has it.
HttpResponse Refused(std::string_view what, const Error& error) {
  Log(LogLevel::kWarning, std::string(what) + " refused: " + error.Text());
  return Problem(401, "AttestationError", std::string(what) + " was refused");
}

HttpResponse NoSession() {
  return Problem(401, "TokenNotFound", "there is no attested session: auth and attest come first");
}

HttpResponse Unavailable(const Error& error) {
  Log(LogLevel::kError, "the enclave: " + error.Text());
  return Problem(503, "PluginInternalError", "the enclave cannot be reached");
}

// What lies with the connection to the enclave, and not with the client.
bool IsOutage(Code code) {
  switch (code) {
    case Code::kUnreachable:
    case Code::kDeadline:
    case Code::kChannelClosed:
    case Code::kTlsFailed:
    case Code::kNoExporter:
    case Code::kEnclaveRefused:
    case Code::kSocketOwner:
    case Code::kTooManyConnections:
    case Code::kTooManyRequests: return true;
    default: return false;
  }
}

HttpResponse NotReleased(const std::string& label, const Error& error) {
  if (IsOutage(error.code())) return Unavailable(error);
  Log(LogLevel::kWarning, label + " was not released: " + error.Text());
  switch (error.code()) {
    case Code::kNotAttested:
    case Code::kEvidenceExpired: return NoSession();
    case Code::kObjectNotFound:
    case Code::kTokenNotFound:
      return Problem(404, "InvalidRequestPath", "there is no such resource");
    default: return Problem(403, "PolicyDeny", "access is denied by the policy");
  }
}

}  // namespace

// RFC 6265 §4.1.1, RFC 7231 §7.1.1.1.
std::string Service::CookieOf(const Session& session) const {
  const std::time_t ends = session.opened + kSessionSeconds.count();
  std::tm parts{};
  gmtime_r(&ends, &parts);
  constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::array<char, 64> date{};
  std::snprintf(date.data(), date.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                kDays[parts.tm_wday % 7], parts.tm_mday, kMonths[parts.tm_mon % 12],
                1900 + parts.tm_year, parts.tm_hour, parts.tm_min, parts.tm_sec);
  return "kbs-session-id=" + session.id + "; Path=/kbs/v0; HttpOnly; Expires=" + date.data();
}

HttpResponse Service::Handle(const HttpRequest& request) {
  if (request.path == "/healthz" && request.method == "GET") return {};
  if (!request.path.starts_with(kApi))
    return Problem(404, "InvalidRequestPath", "requests go to /kbs/v0/…");
  const bool is_post = request.method == "POST";
  if (request.path == "/kbs/v0/auth" && is_post) return Auth(request);
  if (request.path == "/kbs/v0/attest" && is_post) return Attest(request);
  if (request.path.starts_with("/kbs/v0/resource/")) {
    if (request.method == "GET") return Resource(request);
    return Problem(401, "AdminAuth",
                   "resources are objects of a token: `keyclave` makes them, with their policy");
  }
  return Problem(404, "PluginNotFound", "auth, attest and resource are served, and nothing else");
}

HttpResponse Service::Auth(const HttpRequest& request) {
  const auto auth = ParseAuthRequest(request.body);
  if (!auth.ok()) return Problem(401, "AttestationError", "auth: " + auth.error().detail());
  Sweep();
  {
    const MutexLock lock(mutex_);
    if (sessions_.size() + opening_ >= kMaxSessions)
      return Problem(503, "PluginInternalError", "too many sessions: try again in a minute");
    ++opening_;
  }
  auto upstream = link_.Connect();
  auto session = std::make_shared<Session>();
  session->id = ToHex(RandomArray<16>());
  session->tee = auth->tee;
  session->opened = clock_.Now();
  session->until = clock_.Steady() + kAuthSeconds;
  HttpResponse response;
  if (upstream.ok()) {
    response.body = ChallengeText((*upstream)->nonce());
    response.cookie = CookieOf(*session);
    const MutexLock lock(session->mutex);
    session->upstream = std::move(upstream).value();
  }
  const MutexLock lock(mutex_);
  --opening_;
  if (response.body.empty()) return Unavailable(upstream.error());
  sessions_.emplace(session->id, std::move(session));
  return response;
}

HttpResponse Service::Attest(const HttpRequest& request) {
  const SessionPtr session = Find(request.cookie);
  if (session == nullptr)
    return Problem(401, "AttestationError", "there is no such session: auth comes first");
  auto attest = ParseAttestRequest(session->tee, request.body);
  if (!attest.ok()) return Problem(401, "AttestationError", "attest: " + attest.error().detail());
  const MutexLock lock(session->mutex);
  if (session->upstream == nullptr) return NoSession();
  // As there: who has attested is told so again.
  if (session->attested) return {.body = session->token, .cookie = CookieOf(*session)};
  const Status verified = session->upstream->Attest(attest->evidence, attest->runtime_data);
  if (!verified.ok()) {
    // The nonce is used up.
    session->upstream.reset();
    End(session->id);
    return IsOutage(verified.code()) ? Unavailable(verified.error())
                                     : Refused("the evidence", verified.error());
  }
  session->attested = true;
  session->until = clock_.Steady() + kSessionSeconds;
  session->recipient = {.label = {}, .recipient = attest->recipient, .is_rsa = attest->is_rsa};
  session->token = TokenText({.session = session->id,
                              .issued = session->opened,
                              .expires = session->opened + kSessionSeconds.count(),
                              .tee_public_key = std::move(attest->tee_public_key)});
  return {.body = session->token, .cookie = CookieOf(*session)};
}

HttpResponse Service::Resource(const HttpRequest& request) {
  const auto label = LabelOf(request.path);
  if (!label || request.has_query)
    return Problem(404, "InvalidRequestPath",
                   "/kbs/v0/resource/<repository>/<type>/<tag> is wanted, of letters, digits, - _ "
                   "and .");
  const SessionPtr session =
      Find(request.bearer.empty() ? request.cookie : SessionOfToken(request.bearer));
  if (session == nullptr) return NoSession();
  const MutexLock lock(session->mutex);
  if (session->upstream == nullptr || !session->attested) return NoSession();
  Upstream::Wanted wanted = session->recipient;
  wanted.label = *label;
  const auto jwe = session->upstream->Release(wanted);
  if (!jwe.ok()) {
    if (IsOutage(jwe.code())) {
      session->upstream.reset();
      End(session->id);
    }
    return NotReleased(*label, jwe.error());
  }
  auto flattened = FlattenedJwe(*jwe);
  if (!flattened.ok()) return Unavailable(flattened.error());
  return {.body = std::move(flattened).value(), .cookie = CookieOf(*session)};
}

Service::SessionPtr Service::Find(const std::string& id) {
  SessionPtr session;
  {
    const MutexLock lock(mutex_);
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) return nullptr;
    session = found->second;
  }
  if (!IsOver(*session)) return session;
  End(id);
  return nullptr;
}

void Service::End(const std::string& id) {
  const MutexLock lock(mutex_);
  sessions_.erase(id);
}

void Service::Sweep() {
  std::vector<SessionPtr> ended;  // outlives the lock: who ends says goodbye to the enclave
  const MutexLock lock(mutex_);
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    if (IsOver(*at->second)) {
      ended.push_back(std::move(at->second));
      at = sessions_.erase(at);
    } else {
      ++at;
    }
  }
}

size_t Service::sessions() const {
  const MutexLock lock(mutex_);
  return sessions_.size();
}

}  // namespace keyclave::kbs
