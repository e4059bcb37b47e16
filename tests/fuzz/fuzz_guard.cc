// Messages that a key is asked to sign: whatever comes in, an answer; never one for two roles; and
// nothing behind the end of what was accepted.

#include <cstdlib>

#include "enclave/guard/check.h"
#include "enclave/guard/der.h"

using keyclave::Bytes;
using keyclave::ByteSpan;
using keyclave::authz::InputForm;
using keyclave::authz::InputRule;

namespace {

// The key of the requests in the corpus.
constexpr std::string_view kPublicKey =
    "3059301306072a8648ce3d020106082a8648ce3d0301070342000471b534009b5a511ea67af67bdc04fb14a9b6db3b"
    "1e29f051cdcebd7b23182f6dd1b6abf12d734a63f7a045122fa577b9094e84b998786691fb7bb01fa1bf8ec4";

void Require(bool holds) {
  if (!holds) std::abort();
}

bool Accepts(const InputRule& rule, ByteSpan message) {
  static const auto& public_key = *new Bytes(keyclave::FromHex(kPublicKey).value());
  static const auto entry = keyclave::mech::FindMechanism(CKM_ECDSA_SHA256).value();
  keyclave::wire::Mechanism mechanism;
  mechanism.type = CKM_ECDSA_SHA256;
  return keyclave::guard::CheckInput(rule, message,
                                     {.row = *entry.row,
                                      .mechanism = mechanism,
                                      .public_key_info = public_key,
                                      .now = 1'790'000'000})
      .ok();
}

const std::vector<InputRule>& Rules() {
  static const auto* const rules = new std::vector<InputRule>{
      {.forms = {InputForm::kTlsServer}},
      {.forms = {InputForm::kTlsClient}},
      {.forms = {InputForm::kX509Csr}},
      {.forms = {InputForm::kX509Crl}},
      {.forms = {InputForm::kX509Ocsp}},
      {.forms = {InputForm::kX509Tbs},
       .x509 = keyclave::authz::X509Constraints{.dns = {"www.example.com"},
                                                .ip = {{{10, 0, 0, 0}, 8}},
                                                .email = {"example.com"},
                                                .uri = {"example.com"},
                                                .ca = true}}};
  return *rules;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteSpan message = keyclave::FromC(data, size);
  int roles = 0;
  for (const InputRule& rule : Rules()) {
    if (!Accepts(rule, message)) continue;
    ++roles;
    Bytes longer = keyclave::ToBytes(message);
    longer.push_back(0);
    Require(!Accepts(rule, longer));
    Require(!Accepts(rule, message.first(size - 1)));
    const bool x509 = rule.Has(InputForm::kX509Csr) || rule.Has(InputForm::kX509Tbs) ||
                      rule.Has(InputForm::kX509Crl) || rule.Has(InputForm::kX509Ocsp);
    // Elements that nothing signs as they are (of an application's own class) are chance.
    Require(x509 ? keyclave::guard::IsDer(message) : !keyclave::guard::LooksLikeSignedBer(message));
  }
  Require(roles <= 1);
  return 0;
}
