#include "enclave/guard/check.h"

#include "enclave/guard/digest.h"
#include "enclave/guard/tls.h"
#include "enclave/guard/x509.h"

namespace keyclave::guard {
namespace {

using authz::InputForm;

// TLS 1.3's form has a label, so that a message is of one version only; which of the two errors is
// told follows from how the message begins.
Status CheckTls(TlsRole role, ByteSpan message) {
  if (BeginsLikeTls13(message)) return CheckTls13(role, message);
  return role == TlsRole::kServer ? CheckTls12Server(message) : CheckTls12Client(message);
}

// Two messages of one SHA-1 can be made for money: the one that has the form, and another.
bool HashesWithSha1(uint64_t type) {
  return type == CKM_ECDSA_SHA1 || type == CKM_SHA1_RSA_PKCS || type == CKM_SHA1_RSA_PKCS_PSS;
}

Status CheckForm(InputForm form, const authz::InputRule& rule, ByteSpan message,
                 const Context& context) {
  if (form == InputForm::kAny) return Done{};
  if (form == InputForm::kDigest) return CheckDigest(message, context);
  if (context.row.input != mech::SignInput::kMessage) {
    return Fail(Code::kInputRefused,
                "the application gave a digest; the enclave has to see the message (use a "
                "mechanism that hashes, such as CKM_ECDSA_SHA256 for CKM_ECDSA)");
  }
  if (HashesWithSha1(context.row.type))
    return Fail(Code::kInputRefused, "SHA-1 does not tell one message from another");
  switch (form) {
    case InputForm::kTlsServer: return CheckTls(TlsRole::kServer, message);
    case InputForm::kTlsClient: return CheckTls(TlsRole::kClient, message);
    case InputForm::kX509Csr: return CheckCsr(message, context);
    case InputForm::kX509Tbs:
      if (rule.x509) return CheckTbs(*rule.x509, message, context);
      break;
    case InputForm::kX509Crl: return CheckCrl(message, context);
    case InputForm::kX509Ocsp: return CheckOcsp(message, context);
    case InputForm::kDigest:
    case InputForm::kAny: break;
  }
  return Fail(Code::kInputRefused, "the rule has no constraints");
}

}  // namespace

Status CheckInput(const authz::InputRule& rule, ByteSpan message, const Context& context) {
  std::string why;
  for (const InputForm form : rule.forms) {
    const Status checked = CheckForm(form, rule, message, context);
    if (checked.ok()) return Done{};
    why.append(why.empty() ? "" : "; ")
        .append("not ")
        .append(authz::InputFormName(form))
        .append(": ")
        .append(checked.error().detail());
  }
  return Fail(Code::kInputRefused, why.empty() ? "the rule names no form" : why);
}

}  // namespace keyclave::guard
