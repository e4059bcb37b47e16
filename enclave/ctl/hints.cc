// Which exit code an error becomes, and what a person can do about it.
#include "enclave/ctl/command.h"
#include "enclave/ctl/output.h"

namespace keyclave::ctl {

int ExitCodeOf(Code code) {
  switch (code) {
    case Code::kInvalidArgument: return kExitUsage;
    case Code::kUnreachable:
    case Code::kDeadline:
    case Code::kChannelClosed: return kExitUnreachable;
    default: return kExitRefused;
  }
}

namespace {

// What stands in the way is a policy, or its owners.
std::string_view HowToMendPolicy(Code code) {
  switch (code) {
    case Code::kOwnersOnly:
      return "this token has owners: sign the request with an owner's key (--owner NAME=KEY)";
    case Code::kQuorum:
      return "write the request to a file (--out), let the others sign it (keyclave request "
             "sign FILE), then send it (keyclave request send FILE)";
    case Code::kSequence: return "make the request anew: another one was carried out since";
    case Code::kStatementExpired: return "make the request anew, with a later --expires";
    case Code::kOwnerUnknown: return "see who they are: keyclave owner list";
    case Code::kPolicyLocked:
      return "nobody can change it, by its own word (`locked: true`); new keys can have another";
    case Code::kSetNotFound: return "see which there are: keyclave set list --token LABEL";
    case Code::kRevoked: return "see what was revoked: keyclave revoke list --token LABEL";
    case Code::kApprovalMissing: return "owners give one with: keyclave approve KEY";
    case Code::kDenied:
    case Code::kMechanismDenied:
    case Code::kLimitReached:
    case Code::kInputRefused:
    case Code::kIssueRefused:
      return "those who administer the key can ask why: keyclave explain KEY";
    case Code::kWrapRefused:
      return "the key's policy must permit this form, and this process's evidence must name the "
             "recipient: release_keys in client.yaml, or --recipient";
    case Code::kPolicyNotFound: return "see which there are: keyclave policy list --token LABEL";
    case Code::kPolicyDigest:
      return "the key's policy has changed, or is another: compare the pin with keyclave policy "
             "list";
    case Code::kPolicyVersion: return "raise `version:` in the policy's text, then apply it again";
    case Code::kPolicyUnattested:
      return "add a term over attested claims (measurement, signer …), or say allow_unattested: "
             "true in that permit";
    default: return "";
  }
}

}  // namespace

std::string_view HowToMend(Code code) {
  switch (code) {
    case Code::kUnreachable:
      return "start it (keyclaved --config /etc/keyclave/keyclaved.yaml), or ask `keyclave doctor` "
             "what is wrong";
    case Code::kDeadline:
      return "keyclaved may be stopped or overloaded: see its log; `deadline:` in client.yaml sets "
             "how long to wait";
    case Code::kConfigNotFound:
      return "make one with `keyclave init --simulated`, or name yours with --config or "
             "KEYCLAVE_CONFIG";
    case Code::kSocketOwner:
      return "another user listens there: stop that program, or set socket_owner in client.yaml to "
             "the user that runs keyclaved";
    case Code::kEnclaveRefused:
      return "this is not the enclave that client.yaml expects: see `expect:` there, and `keyclave "
             "doctor`";
    case Code::kEvidenceUnavailable:
      return "see `evidence:` in client.yaml; `keyclave doctor` says what is missing";
    case Code::kOperatorOnly:
      return "do this over the unix socket as a user in `operators:` of keyclaved.yaml (root, by "
             "default)";
    case Code::kTokenNotFound: return "see which there are: keyclave token list";
    case Code::kTokenExists: return "choose another label, or delete it: keyclave token delete";
    case Code::kObjectNotFound: return "see which there are: keyclave key list --token LABEL";
    case Code::kObjectAmbiguous:
      return "name it by its id: pkcs11:token=LABEL;id=%01%02;type=private (keyclave key list "
             "shows "
             "ids)";
    case Code::kPinLocked:
      return "the security officer can set a new PIN (C_InitPIN, pkcs11-tool --init-pin)";
    case Code::kKeyFileInvalid:
      return "it must be one whole private key, PEM or DER: PKCS#8, PKCS#1 (RSA) or SEC1 (EC)";
    case Code::kCertificateMismatch:
      return "import the certificate of a key that is in this token, or say --no-key for one whose "
             "key is elsewhere";
    case Code::kAuditUnavailable:
      return "make room on the disk of the state directory; keys stay usable meanwhile";
    case Code::kStoreExists: return "nothing was changed: move the old files away first";
    default: return HowToMendPolicy(code);
  }
}

}  // namespace keyclave::ctl
