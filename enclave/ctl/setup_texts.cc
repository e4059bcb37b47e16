// The commented configuration files of a new simulated enclave.
#include "enclave/ctl/setup.h"

namespace keyclave::ctl {
namespace {

// A YAML text in double quotes.
std::string Quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

std::string RecoveryText(const SetupPlan& plan) {
  if (plan.recovery_threshold == 0) return "recovery: none\n";
  std::string text =
      "recovery:\n  threshold: " + std::to_string(plan.recovery_threshold) + "\n  keys:\n";
  for (const auto& [name, file] : plan.recovery_keys)
    text += "    " + Quoted(name) + ": " + Quoted(file) + "\n";
  return text;
}

constexpr const char* kSimulatedWarning =
    "# SIMULATED: this enclave is an ordinary process. It protects no key from root on this "
    "machine,\n"
    "# nor from anybody who can read simulated-root.key. It is for trying Keyclave out.\n";

}  // namespace

std::string DaemonConfigText(const SetupPlan& plan, uid_t owner) {
  const Places& places = plan.places;
  std::string text =
      "# keyclaved: the enclave daemon. Start it with: keyclaved --config THIS_FILE\n";
  text += kSimulatedWarning;
  text += "\n# Root secret, sealed store, rollback witness and audit log; mode 0700.\n";
  text += "state: " + Quoted(places.state_dir) + "\n";
  text += "\n# Where callers connect. Administration works over the unix socket only.\n";
  text += "listen:\n  - " + Quoted("unix:" + places.socket) + "\n";
  for (const std::string& address : plan.listen) text += "  - " + Quoted(address) + "\n";
  text +=
      "\n# Everybody may connect: it is evidence, not the socket, that decides what a caller may "
      "do.\n"
      "socket_mode: \"0666\"\n"
      "\n# What this enclave is, and whose evidence it believes (default: its own type).\n"
      "tee: simulated\naccept: [simulated]\nsimulated:\n";
  text += "  key: " + Quoted(places.SimulatedKey()) + "\n";
  text += "  root: " + Quoted(places.SimulatedRoot()) + "\n";
  text +=
      "\n# Users (uids of unix socket peers) who may create tokens, make and delete keys, apply\n"
      "# policies and read the audit log.\n";
  text += "operators: [0" + (owner == 0 ? std::string() : ", " + std::to_string(owner)) + "]\n";
  text +=
      "\n# Who can bring the keys back from a backup where this platform is lost. Read when the "
      "state is\n"
      "# made, and fixed from then on.\n";
  text += RecoveryText(plan);
  text += "\n# The policy of tokens that C_InitToken makes, or that are created without one.\n";
  text += "default_policy: " + Quoted(places.DefaultPolicy()) + "\n";
  text +=
      "\n# Attestation evidence must be renewed after this time, whatever policies allow.\n"
      "evidence_max_age: 24h\n";
  text +=
      "\n# Whether to start where memory cannot be locked (RLIMIT_MEMLOCK): keys may then be "
      "swapped"
      " out.\n";
  text += std::string("allow_unlocked_memory: ") + (plan.development ? "true" : "false") + "\n";
  return text;
}

std::string ClientConfigText(const SetupPlan& plan, uid_t owner) {
  const Places& places = plan.places;
  std::string text =
      "# Read by keyclave, by the PKCS#11 module and by the OpenSSL provider (KEYCLAVE_CONFIG "
      "names\n"
      "# another file).\n";
  text += kSimulatedWarning;
  text += "\n# Where the enclave is, and which user must own that socket.\n";
  text += "endpoint: " + Quoted("unix:" + places.socket) + "\n";
  text += "socket_owner: " + std::to_string(owner) + "\n";
  text +=
      "\n# What the enclave must prove before anything is sent to it.\n"
      "expect:\n  tee: {is: simulated}\n"
      "\n# How programs here prove what they are. Simulated evidence says: I am the executable "
      "with\n"
      "# this SHA-256 (keyclave evidence measure PROGRAM), signed with the development root's "
      "key.\n"
      "# Programs that cannot read that file cannot be callers.\n"
      "evidence: simulated\nsimulated:\n";
  text += "  key: " + Quoted(places.SimulatedKey()) + "\n";
  text += "  root: " + Quoted(places.SimulatedRoot()) + "\n";
  text += "\n# No call takes longer than this, even if the daemon is dead.\ndeadline: 5s\n";
  return text;
}

std::string DefaultPolicyText(uid_t owner) {
  return "# The policy of tokens that were made without one of their own (C_InitToken, keyclave "
         "token\n"
         "# create without --policy): any program of one user of this machine. For real use name "
         "the\n"
         "# program by its measurement: keyclave evidence measure /usr/sbin/nginx\n"
         "policy: default\n"
         "version: 1\n"
         "permit:\n"
         "  - operations: [sign, verify, encrypt, decrypt, wrap, unwrap, derive, encapsulate, "
         "decapsulate, read, manage]\n"
         "    when:\n"
         "      all:\n"
         "        - tee: {is: simulated}\n"
         "        - peer.uid: {is: " +
         std::to_string(owner) +
         "}\n"
         "    allow_unattested: true    # simulated evidence protects nothing\n";
}

std::string DevelopmentPolicyText() {
  return "# The policy of `keyclave dev`: every caller on this machine may do everything. Never "
         "use it\n"
         "# for keys that matter.\n"
         "policy: development\n"
         "version: 1\n"
         "permit:\n"
         "  - operations: [sign, verify, encrypt, decrypt, wrap, unwrap, derive, encapsulate, "
         "decapsulate, release, read, "
         "manage, create]\n"
         "    wrap: [rsa-aes-key-wrap-sha256, rsa-aes-key-wrap-sha384, rsa-oaep-sha256, "
         "rsa-oaep-sha384, hpke,\n"
         "           token-key]\n"
         "    when:\n"
         "      tee: {is: simulated}\n"
         "    allow_unattested: true\n";
}

}  // namespace keyclave::ctl
