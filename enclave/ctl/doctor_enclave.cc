// The doctor's checks of the way to the enclave: configuration, socket, channel, evidence, clock.
#include <sys/stat.h>
#include <unistd.h>

#include <map>

#include "attest/evidence.h"
#include "enclave/base/file.h"
#include "enclave/base/hash.h"
#include "enclave/ctl/doctor.h"
#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/output.h"

namespace keyclave::ctl {
namespace {

constexpr mode_t kOthersWrite = S_IWGRP | S_IWOTH;
// Evidence and certificates cannot be judged by a clock that stands before this version was made.
constexpr UnixTime kEarliestNow = 1'767'225'600;  // 2026-01-01
constexpr UnixTime kClockSlack = 60;              // seconds

std::string MendOf(const Error& error) {
  const std::string_view mend = HowToMend(error.code());
  return mend.empty() ? "mend what the message names" : std::string(mend);
}

// Whether the socket could be the daemon's; findings say what is wrong.
bool CheckSocket(const client::ClientConfig& config, Findings& findings) {
  const std::string& path = config.endpoints.front().path;
  struct stat found {};
  if (lstat(path.c_str(), &found) != 0) {
    findings.push_back(
        {200, Severity::kProblem, ErrnoError(path).Text(), MendOf(Fail(Code::kUnreachable))});
    return false;
  }
  if (!S_ISSOCK(found.st_mode)) {
    findings.push_back({201, Severity::kProblem, path + " is not a socket",
                        "let " + config.source + " name the daemon's listen: address"});
    return false;
  }
  const bool owned = config.socket_owner ? found.st_uid == *config.socket_owner
                                         : found.st_uid == 0 || found.st_uid == geteuid();
  if (!owned) {
    findings.push_back({202, Severity::kProblem,
                        path + " belongs to uid " + std::to_string(found.st_uid) +
                            ", which is not the expected owner",
                        MendOf(Fail(Code::kSocketOwner))});
    return false;
  }
  findings.push_back({200, Severity::kOk, "socket " + path, ""});
  return true;
}

void CheckClock(UnixTime now, UnixTime daemon_started, Findings& findings) {
  if (now < kEarliestNow) {
    findings.push_back({400, Severity::kProblem, "the clock says " + FormatTime(now),
                        "set the clock: evidence and certificates are judged by it"});
  } else if (daemon_started > now + kClockSlack) {
    findings.push_back(
        {401, Severity::kProblem,
         "by its clock the daemon started in the future: " + FormatTime(daemon_started),
         "the clock was set back, or the daemon's machine has another: set them right"});
  } else {
    findings.push_back({400, Severity::kOk, "clock " + FormatTime(now), ""});
  }
}

// Only a token's birth gives it owners, so this is for the next one.
void CheckOwners(Enclave& enclave, Findings& findings) {
  const auto reply = enclave.Call<wire::Op::kListTokens>({});
  if (!reply.ok()) return;
  std::string labels;
  for (const wire::TokenInfo& token : reply->tokens) {
    if (token.initialized && !token.owners)
      labels.append(labels.empty() ? "" : ", ").append(token.label);
  }
  if (labels.empty()) return;
  findings.push_back(
      {208, Severity::kWarning,
       "tokens without owners: " + labels + ": this machine's operators decide over their keys",
       "make tokens with `keyclave token create --owner NAME=KEY` and move the keys "
       "there"});
}

// One endpoint; what its daemon says of itself, if it is the one that is wanted.
std::optional<wire::StatusReply> CheckMember(const client::ClientConfig& config,
                                             Findings& findings) {
  const client::Endpoint& endpoint = config.endpoints.front();
  if (endpoint.kind == client::Endpoint::Kind::kUnix && !CheckSocket(config, findings))
    return std::nullopt;
  const auto enclave = Enclave::Open(config, {});
  if (!enclave.ok()) return std::nullopt;  // CheckClientConfig has told it
  const auto claims = (*enclave)->client().EnclaveClaims();
  if (!claims.ok()) {
    const bool evidence = ExitCodeOf(claims.code()) != kExitUnreachable;
    findings.push_back(
        {evidence ? 204 : 203, Severity::kProblem, claims.error().Text(), MendOf(claims.error())});
    return std::nullopt;
  }
  findings.push_back({204, Severity::kOk,
                      "the enclave at " + endpoint.Text() + " proved what `expect` wants", ""});
  const auto status = (*enclave)->Call<wire::Op::kStatus>({});
  if (!status.ok()) {
    findings.push_back({205, Severity::kProblem, status.error().Text(), MendOf(status.error())});
    return std::nullopt;
  }
  if (status->simulated) {
    findings.push_back({206, Severity::kWarning,
                        "SIMULATED enclave: it protects no key from root on its machine",
                        "for trying Keyclave out only"});
  } else {
    CheckOwners(**enclave, findings);
  }
  for (const std::string& warning : status->warnings) {
    findings.push_back({207, Severity::kNote, "the daemon warns: " + warning, ""});
  }
  if (status->draining.has_value()) {
    findings.push_back({210, Severity::kNote, endpoint.Text() + " is being drained",
                        "keyclave drain --off lets it take callers again"});
  }
  return *status;
}

}  // namespace

std::optional<client::ClientConfig> CheckClientConfig(const std::string& path, Findings& findings) {
  auto config = client::LoadClientConfig(path);
  if (!config.ok()) {
    findings.push_back({100, Severity::kProblem, config.error().Text(), MendOf(config.error())});
    return std::nullopt;
  }
  findings.push_back({100, Severity::kOk, "client configuration " + path, ""});
  struct stat found {};
  if (stat(path.c_str(), &found) == 0 && (found.st_mode & kOthersWrite) != 0) {
    findings.push_back({101, Severity::kProblem,
                        path + " can be written by others: they could send callers to their own "
                               "enclave",
                        "chmod go-w " + path});
  }
  return std::move(config).value();
}

void CheckEnclave(const client::ClientConfig& config, Findings& findings) {
  UnixTime started = 0;
  std::map<std::string, std::string> enclaves;  // endpoints by id
  for (const client::Endpoint& endpoint : config.endpoints) {
    const auto status = CheckMember(config.At(endpoint), findings);
    if (!status.has_value()) continue;
    started = std::max(started, status->started);
    std::string& where = enclaves[status->enclave_id];
    where.append(where.empty() ? "" : ", ").append(endpoint.Text());
  }
  if (enclaves.size() > 1) {
    std::string all;
    for (const auto& [id, where] : enclaves)
      all.append(all.empty() ? "" : "; ").append(id + " at " + where);
    findings.push_back({209, Severity::kProblem, "the endpoints are different enclaves: " + all,
                        "name one fleet's members: daemons that share a root secret and a store"});
  }
  CheckClock(SystemClock().Now(), started, findings);
}

void CheckOwnEvidence(const client::ClientConfig& config, Findings& findings) {
  if (config.evidence_type.empty()) {
    findings.push_back(
        {300, Severity::kNote, "programs here show no evidence (evidence: none)",
         "set evidence: in " + config.source + " if they are to use keys whose policies want it"});
    return;
  }
  const attest::TeeType* type = attest::FindTeeType(config.evidence_type);
  if (type == nullptr) return;  // LoadClientConfig refuses this
  const UnixTime now = SystemClock().Now();
  const attest::ReportData report_data = RandomArray<64>();
  const auto evidence = type->produce(report_data, config.producer, now);
  if (!evidence.ok()) {
    findings.push_back({301, Severity::kProblem,
                        "this user cannot make evidence: " + evidence.error().Text(),
                        "let the user read the files that " + config.source +
                            " names (keyclave init --caller-group)"});
    return;
  }
  findings.push_back({301, Severity::kOk,
                      "this user's programs can make " + config.evidence_type + " evidence", ""});
  struct stat found {};
  const std::string& key = config.producer.simulated_key_file;
  if (!key.empty() && stat(key.c_str(), &found) == 0 && (found.st_mode & S_IROTH) != 0) {
    findings.push_back({302, Severity::kNote,
                        "every local user can read " + key + " and so claim to be any program",
                        "chgrp it to the group of the programs that use keys, and chmod 0640"});
  }
}

}  // namespace keyclave::ctl
