// keyclave ca crl: the list of certificates that a CA has revoked.
#include <openssl/pem.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "enclave/base/file.h"
#include "enclave/ctl/ca_key.h"
#include "enclave/ctl/cmd_ca.h"
#include "enclave/ctl/output.h"
#include "enclave/mech/evp.h"

namespace keyclave::ctl {
namespace {

struct CrlOptions {
  TokenChoice token;
  std::string key;
  std::string before;
  std::vector<std::string> revoke;
  std::string next = "7d";
  std::string out;
};

using AsnTime = mech::Owned<ASN1_TIME, ASN1_TIME_free>;
using AsnInteger = mech::Owned<ASN1_INTEGER, ASN1_INTEGER_free>;
using AsnEnumerated = mech::Owned<ASN1_ENUMERATED, ASN1_ENUMERATED_free>;
using Revoked = mech::Owned<X509_REVOKED, X509_REVOKED_free>;

struct Reason {
  std::string_view name;
  int code;
};
// RFC 5280 §5.3.1, but for what only delta lists take back.
constexpr Reason kReasons[] = {{"unspecified", CRL_REASON_UNSPECIFIED},
                               {"key-compromise", CRL_REASON_KEY_COMPROMISE},
                               {"ca-compromise", CRL_REASON_CA_COMPROMISE},
                               {"affiliation-changed", CRL_REASON_AFFILIATION_CHANGED},
                               {"superseded", CRL_REASON_SUPERSEDED},
                               {"cessation", CRL_REASON_CESSATION_OF_OPERATION},
                               {"privilege-withdrawn", CRL_REASON_PRIVILEGE_WITHDRAWN}};

Result<int> ParseReason(std::string_view name) {
  const auto* const found = std::find_if(std::begin(kReasons), std::end(kReasons),
                                         [&](const Reason& one) { return one.name == name; });
  if (found != std::end(kReasons)) return found->code;
  std::string known;
  for (const Reason& one : kReasons) known.append(known.empty() ? "" : ", ").append(one.name);
  return Fail(Code::kInvalidArgument,
              "--revoke: no such reason: " + std::string(name) + " (known: " + known + ")");
}

// SERIAL or SERIAL:REASON, the serial number in hexadecimal.
Result<Revoked> ParseRevoked(const std::string& text, UnixTime now) {
  const size_t colon = text.find(':');
  const std::string serial = text.substr(0, colon);
  BIGNUM* number = nullptr;
  const bool is_number = !serial.empty() && serial.size() <= 40 &&
                         serial.find_first_not_of("0123456789abcdefABCDEF") == serial.npos &&
                         BN_hex2bn(&number, serial.c_str()) != 0;
  const mech::BigNum owned(number);
  if (!is_number)
    return Fail(Code::kInvalidArgument,
                "--revoke: " + serial +
                    ": a serial number is up to 40 hexadecimal digits (openssl x509 -serial)");
  Revoked entry(X509_REVOKED_new());
  const AsnInteger value(BN_to_ASN1_INTEGER(number, nullptr));
  const AsnTime time(ASN1_TIME_set(nullptr, now));
  bool made = entry != nullptr && X509_REVOKED_set_serialNumber(entry.get(), value.get()) == 1 &&
              X509_REVOKED_set_revocationDate(entry.get(), time.get()) == 1;
  if (colon != text.npos) {
    KC_ASSIGN(const int code, ParseReason(std::string_view(text).substr(colon + 1)));
    const AsnEnumerated reason(ASN1_ENUMERATED_new());
    made = made && ASN1_ENUMERATED_set(reason.get(), code) == 1 &&
           (code == CRL_REASON_UNSPECIFIED ||  // RFC 5280: left out then
            X509_REVOKED_add1_ext_i2d(entry.get(), NID_crl_reason, reason.get(), 0, 0) == 1);
  }
  if (!made) return mech::OpensslError("an entry of the list");
  return entry;
}

// What the list before this one has, and this one too.
struct Before {
  mech::X509Crl list;
  UnixTime number = 0;
};

Result<Before> ReadBefore(const std::string& path, X509* issuer) {
  Before before;
  KC_ASSIGN(before.list, ReadCrl(path, issuer));
  const AsnInteger number(static_cast<ASN1_INTEGER*>(
      X509_CRL_get_ext_d2i(before.list.get(), NID_crl_number, nullptr, nullptr)));
  int64_t value = 0;
  if (number != nullptr && ASN1_INTEGER_get_int64(&value, number.get()) == 1) before.number = value;
  return before;
}

Status AddEntries(X509_CRL* list, const Before& before, const CrlOptions& options, UnixTime now) {
  if (before.list != nullptr) {
    const STACK_OF(X509_REVOKED)* entries = X509_CRL_get_REVOKED(before.list.get());
    for (int i = 0; i < sk_X509_REVOKED_num(entries); ++i) {
      Revoked copy(X509_REVOKED_dup(sk_X509_REVOKED_value(entries, i)));
      if (copy == nullptr || X509_CRL_add0_revoked(list, copy.get()) != 1)
        return mech::OpensslError("an entry of the list");
      static_cast<void>(copy.release());
    }
  }
  for (const std::string& text : options.revoke) {
    KC_ASSIGN(Revoked entry, ParseRevoked(text, now));
    X509_REVOKED* present = nullptr;
    const ASN1_INTEGER* serial = X509_REVOKED_get0_serialNumber(entry.get());
    const AsnInteger wanted(ASN1_INTEGER_dup(serial));
    if (X509_CRL_get0_by_serial(list, &present, wanted.get()) != 0)
      return Fail(Code::kInvalidArgument, "--revoke: " + text + ": it is in the list already");
    if (X509_CRL_add0_revoked(list, entry.get()) != 1)
      return mech::OpensslError("an entry of the list");
    static_cast<void>(entry.release());
  }
  return Done{};
}

// Numbers rise, also where the list before is lost: they are the time.
Status AddExtensions(X509_CRL* list, X509* issuer, UnixTime number) {
  const AsnInteger value(ASN1_INTEGER_new());
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, nullptr, nullptr, list, 0);
  const mech::Owned<X509_EXTENSION, X509_EXTENSION_free> authority(
      X509V3_EXT_conf_nid(nullptr, &context, NID_authority_key_identifier, "keyid:always"));
  if (ASN1_INTEGER_set_int64(value.get(), number) != 1 || authority == nullptr ||
      X509_CRL_add_ext(list, authority.get(), -1) != 1 ||
      X509_CRL_add1_ext_i2d(list, NID_crl_number, value.get(), 0, 0) != 1)
    return mech::OpensslError("the list's extensions");
  return Done{};
}

Result<mech::X509Crl> MakeList(const CaKey& ca, const Before& before, const CrlOptions& options,
                               UnixTime now) {
  KC_ASSIGN(const uint64_t life, ParseDuration(options.next, "--next"));
  mech::X509Crl list(X509_CRL_new());
  const AsnTime begins(ASN1_TIME_set(nullptr, now));
  const AsnTime ends(ASN1_TIME_set(nullptr, now + static_cast<UnixTime>(life)));
  if (list == nullptr || X509_CRL_set_version(list.get(), X509_CRL_VERSION_2) != 1 ||
      X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(ca.certificate())) != 1 ||
      X509_CRL_set1_lastUpdate(list.get(), begins.get()) != 1 ||
      X509_CRL_set1_nextUpdate(list.get(), ends.get()) != 1)
    return mech::OpensslError("the list");
  KC_CHECK_OK(AddEntries(list.get(), before, options, now));
  KC_CHECK_OK(AddExtensions(list.get(), ca.certificate(), std::max(now, before.number + 1)));
  X509_CRL_sort(list.get());
  KC_ASSIGN(const mech::EvpMdCtx signature, ca.BeginSignature());
  if (X509_CRL_sign_ctx(list.get(), signature.get()) <= 0) return SigningFailed("the list");
  return list;
}

Result<int> MakeCrl(const CrlOptions& options, const Globals& globals) {
  KC_ASSIGN(const CaKey ca, CaKey::Open(globals, options.token, options.key));
  if ((X509_get_key_usage(ca.certificate()) & KU_CRL_SIGN) == 0)
    return Fail(Code::kIssuerUnfit, "the certificate of " + ca.label() + " does not sign lists");
  Before before;
  if (!options.before.empty()) {
    KC_ASSIGN(before, ReadBefore(options.before, ca.certificate()));
  }
  KC_ASSIGN(const mech::X509Crl list, MakeList(ca, before, options, SystemClock().Now()));
  KC_ASSIGN(const Bytes der, mech::EncodeDer<X509_CRL>(list.get(), i2d_X509_CRL));
  const std::string pem = ToPem("X509 CRL", der);
  const int count = sk_X509_REVOKED_num(X509_CRL_get_REVOKED(list.get()));
  if (!options.out.empty()) KC_CHECK_OK(ReplaceFile(options.out, AsBytes(pem), 0644));
  if (globals.json) {
    PrintJson({{"pem", pem}, {"revoked", std::max(count, 0)}, {"file", options.out}});
  } else if (options.out.empty()) {
    Print(pem);
  } else {
    Print("Wrote " + Harmless(options.out) + ": " + std::to_string(std::max(count, 0)) +
          (count == 1 ? " certificate is" : " certificates are") + " revoked.\n");
  }
  return kExitOk;
}

}  // namespace

void AddCaCrl(CLI::App& group, Invocation& invocation) {
  auto options = std::make_shared<CrlOptions>();
  CLI::App* command =
      group.add_subcommand("crl", "have a list of revoked certificates signed by a CA");
  AddCaKey(*command, options->key, options->token);
  command
      ->add_option("--from", options->before,
                   "the CA's list before this one: what it names stays revoked")
      ->type_name("FILE");
  command
      ->add_option("--revoke", options->revoke,
                   "serial numbers (hexadecimal), each with a reason or without: "
                   "4f2a…:key-compromise")
      ->delimiter(',')
      ->type_name("SERIAL[:REASON],…");
  command->add_option("--next", options->next, "for how long it counts: 12h, 7d")
      ->capture_default_str()
      ->type_name("TIME");
  command->add_option("-o,--out", options->out, "the PEM file (default: standard output)")
      ->type_name("FILE");
  command->footer(
      "The policy of the CA's key permits `sign`, with `input: x509-crl` if it names inputs.\n"
      "Example:\n"
      "  keyclave ca crl mesh-ca --token mesh --from mesh.crl --revoke 4f2a91:key-compromise -o "
      "mesh.crl");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return MakeCrl(*options, invocation.globals); };
  });
}

}  // namespace keyclave::ctl
