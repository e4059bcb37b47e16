#include "ossl_provider/err_map.h"

namespace keyclave::ossl {

// The reason number is the Code itself, so nothing can be mapped wrongly or forgotten here; the
// switch only adds what a sentence cannot know.
std::string_view Hint(Code code) {
  switch (code) {
    case Code::kUnreachable:
    case Code::kDeadline:
    case Code::kChannelClosed: return "is keyclaved running? try: keyclave doctor";
    case Code::kConfigNotFound:
      return "set KEYCLAVE_CONFIG, or keyclave-config in the provider's section of openssl.cnf";
    case Code::kSocketOwner:
      return "set socket_owner in client.yaml if that user really runs keyclaved";
    case Code::kEnclaveRefused:
      return "compare the expect policy in client.yaml with: keyclave status";
    case Code::kEvidenceRefused:
    case Code::kEvidenceExpired:
    case Code::kNotAttested: return "this process could not prove what it is; try: keyclave doctor";
    case Code::kDenied:
    case Code::kMechanismDenied:
    case Code::kApprovalMissing:
    case Code::kRevoked: return "the key's owners see the failing term with: keyclave explain";
    case Code::kLimitReached:
      return "a rate allows it again in a moment; uses that are spent come back only with a new "
             "version of the policy";
    case Code::kInputRefused:
      return "its policy's input names what it signs; it has to see the message, not a digest of "
             "it";
    case Code::kPolicyDigest:
      return "the key's policy is not the one that the URI or client.yaml pins: compare with "
             "keyclave policy list";
    case Code::kObjectNotFound:
      return "compare the URI with: keyclave key list; a key whose policy does not name this "
             "program is not found by it";
    case Code::kTokenNotFound: return "compare the URI with: keyclave token list";
    case Code::kObjectAmbiguous: return "add id= to the URI";
    case Code::kNotLoggedIn: return "add pin-source=file:/path to the URI";
    default: return {};
  }
}

const OSSL_ITEM* ReasonStrings() {
  static const OSSL_ITEM items[] = {
#define KC_CODE(number, name, sentence) {number, const_cast<char*>(sentence)},
#include "enclave/base/error_codes.inc"
#undef KC_CODE
      {0, nullptr}};
  return items;
}

}  // namespace keyclave::ossl
