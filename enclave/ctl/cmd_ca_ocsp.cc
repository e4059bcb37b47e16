// keyclave ca ocsp: an answer to a question about revocation (RFC 6960), out of a CA's list.
#include <openssl/ocsp.h>

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

constexpr size_t kMaxRequest = size_t{64} << 10;  // bytes

struct OcspOptions {
  TokenChoice token;
  std::string key;
  std::string request;
  std::string list;
  std::string issuer;
  std::string next = "1h";
  std::string out;
};

using Request = mech::Owned<OCSP_REQUEST, OCSP_REQUEST_free>;
using BasicResponse = mech::Owned<OCSP_BASICRESP, OCSP_BASICRESP_free>;
using Response = mech::Owned<OCSP_RESPONSE, OCSP_RESPONSE_free>;
using CertId = mech::Owned<OCSP_CERTID, OCSP_CERTID_free>;
using AsnTime = mech::Owned<ASN1_TIME, ASN1_TIME_free>;

// What is answered, and from whose list.
struct Source {
  X509* issuer = nullptr;
  X509_CRL* list = nullptr;
  AsnTime begins;
  AsnTime ends;
};

struct Counts {
  size_t good = 0;
  size_t revoked = 0;
  size_t unknown = 0;
};

Result<Request> ReadRequest(const std::string& path) {
  KC_ASSIGN(const Bytes file, ReadFile(path, kMaxRequest));
  const uint8_t* next = file.data();
  Request request(d2i_OCSP_REQUEST(nullptr, &next, static_cast<long>(file.size())));
  if (request != nullptr && next == file.data() + file.size() &&
      OCSP_request_onereq_count(request.get()) > 0)
    return request;
  return Fail(Code::kMalformed, path + ": no OCSP request (DER)");
}

// Whether the question is about a certificate of this issuer, by whatever hash it names him.
bool IsOf(const OCSP_CERTID* id, X509* issuer) {
  ASN1_OBJECT* algorithm = nullptr;
  OCSP_id_get0_info(nullptr, &algorithm, nullptr, nullptr, const_cast<OCSP_CERTID*>(id));  // NOLINT
  const EVP_MD* digest = EVP_get_digestbyobj(algorithm);
  if (digest == nullptr) return false;
  const CertId own(OCSP_cert_to_id(digest, nullptr, issuer));
  return own != nullptr && OCSP_id_issuer_cmp(own.get(), id) == 0;
}

int ReasonOf(const X509_REVOKED* entry) {
  const mech::Owned<ASN1_ENUMERATED, ASN1_ENUMERATED_free> reason(static_cast<ASN1_ENUMERATED*>(
      X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, nullptr, nullptr)));
  return reason == nullptr ? OCSP_REVOKED_STATUS_NOSTATUS
                           : static_cast<int>(ASN1_ENUMERATED_get(reason.get()));
}

Status Answer(OCSP_BASICRESP* response, OCSP_CERTID* id, const Source& source, Counts& counts) {
  int status = V_OCSP_CERTSTATUS_GOOD;
  int reason = 0;
  AsnTime since;
  X509_REVOKED* entry = nullptr;
  ASN1_INTEGER* serial = nullptr;
  OCSP_id_get0_info(nullptr, nullptr, nullptr, &serial, id);
  if (!IsOf(id, source.issuer)) {
    status = V_OCSP_CERTSTATUS_UNKNOWN;
    ++counts.unknown;
  } else if (X509_CRL_get0_by_serial(source.list, &entry, serial) == 1) {
    status = V_OCSP_CERTSTATUS_REVOKED;
    reason = ReasonOf(entry);
    since.reset(ASN1_TIME_to_generalizedtime(X509_REVOKED_get0_revocationDate(entry), nullptr));
    ++counts.revoked;
  } else {
    ++counts.good;
  }
  if (OCSP_basic_add1_status(response, id, status, reason, since.get(), source.begins.get(),
                             source.ends.get()) != nullptr)
    return Done{};
  return mech::OpensslError("an answer");
}

// An answer counts for as long as asked, and never longer than the list that it comes from.
Result<Source> SourceOf(X509* issuer, X509_CRL* list, const std::string& next, UnixTime now) {
  KC_ASSIGN(const uint64_t life, ParseDuration(next, "--next"));
  const ASN1_TIME* const list_ends = X509_CRL_get0_nextUpdate(list);
  std::tm parts{};
  if (list_ends == nullptr || ASN1_TIME_to_tm(list_ends, &parts) != 1)
    return Fail(Code::kMalformed, "the list does not say when the next one comes");
  const auto until = static_cast<UnixTime>(timegm(&parts));
  if (until <= now)
    return Fail(Code::kInvalidArgument, "the list has expired at " + FormatTime(until) +
                                            ": keyclave ca crl makes the next");
  const UnixTime end = std::min(until, now + static_cast<UnixTime>(life));
  return Source{issuer, list, AsnTime(ASN1_GENERALIZEDTIME_set(nullptr, now)),
                AsnTime(ASN1_GENERALIZEDTIME_set(nullptr, end))};
}

Result<mech::X509Cert> IssuerOf(const OcspOptions& options, const CaKey& responder) {
  if (options.issuer.empty()) {
    X509_up_ref(responder.certificate());
    return mech::X509Cert(responder.certificate());
  }
  KC_ASSIGN(const std::vector<Certificate> read, ReadCertificates(options.issuer));
  const uint8_t* next = read.front().der.data();
  mech::X509Cert issuer(d2i_X509(nullptr, &next, static_cast<long>(read.front().der.size())));
  const bool delegates = issuer != nullptr &&
                         X509_verify(responder.certificate(), X509_get0_pubkey(issuer.get())) == 1;
  const bool answers = (X509_get_extended_key_usage(responder.certificate()) & XKU_OCSP_SIGN) != 0;
  if (delegates && answers) return issuer;
  return Fail(Code::kIssuerUnfit,
              "the certificate of " + responder.label() +
                  (delegates ? " is not for ocsp-signing" : " is not issued by " + options.issuer));
}

Result<Bytes> SignedAnswer(const CaKey& responder, OCSP_REQUEST* request, const Source& source,
                           Counts& counts) {
  const BasicResponse basic(OCSP_BASICRESP_new());
  for (int i = 0; i < OCSP_request_onereq_count(request); ++i) {
    OCSP_CERTID* const id = OCSP_onereq_get0_id(OCSP_request_onereq_get0(request, i));
    KC_CHECK_OK(Answer(basic.get(), id, source, counts));
  }
  OCSP_copy_nonce(basic.get(), request);
  KC_ASSIGN(const mech::EvpMdCtx signature, responder.BeginSignature());
  if (OCSP_basic_sign_ctx(basic.get(), responder.certificate(), signature.get(), nullptr,
                          OCSP_RESPID_KEY) != 1)
    return SigningFailed("the answer");
  const Response response(OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic.get()));
  if (response == nullptr) return mech::OpensslError("the answer");
  return mech::EncodeDer<OCSP_RESPONSE>(response.get(), i2d_OCSP_RESPONSE);
}

Result<int> AnswerRequest(const OcspOptions& options, const Globals& globals) {
  KC_ASSIGN(const Request request, ReadRequest(options.request));
  KC_ASSIGN(const CaKey responder, CaKey::Open(globals, options.token, options.key));
  KC_ASSIGN(const mech::X509Cert issuer, IssuerOf(options, responder));
  KC_ASSIGN(const mech::X509Crl list, ReadCrl(options.list, issuer.get()));
  KC_ASSIGN(const Source source,
            SourceOf(issuer.get(), list.get(), options.next, SystemClock().Now()));
  Counts counts;
  KC_ASSIGN(const Bytes der, SignedAnswer(responder, request.get(), source, counts));
  KC_CHECK_OK(ReplaceFile(options.out, der, 0644));
  if (globals.json) {
    PrintJson({{"file", options.out},
               {"good", counts.good},
               {"revoked", counts.revoked},
               {"unknown", counts.unknown}});
  } else {
    Print("Wrote " + Harmless(options.out) + ": " + std::to_string(counts.good) + " good, " +
          std::to_string(counts.revoked) + " revoked, " + std::to_string(counts.unknown) +
          " unknown.\n");
  }
  return kExitOk;
}

}  // namespace

void AddCaOcsp(CLI::App& group, Invocation& invocation) {
  auto options = std::make_shared<OcspOptions>();
  CLI::App* command = group.add_subcommand(
      "ocsp-sign", "answer an OCSP request out of a list, signed by the CA or by its responder");
  AddCaKey(*command, options->key, options->token);
  command->add_option("--request", options->request, "the request (DER), as the asker sent it")
      ->required()
      ->type_name("FILE");
  command->add_option("--crl", options->list, "the CA's list (keyclave ca crl)")
      ->required()
      ->type_name("FILE");
  command
      ->add_option("--issuer", options->issuer,
                   "the CA's certificate, where KEY is that of a responder of its own, with a "
                   "certificate for ocsp-signing")
      ->type_name("FILE");
  command->add_option("--next", options->next, "for how long it counts: 15m, 1h")
      ->capture_default_str()
      ->type_name("TIME");
  command->add_option("-o,--out", options->out, "the response (DER), as nginx staples it")
      ->required()
      ->type_name("FILE");
  command->footer(
      "The policy of the key permits `sign`, with `input: x509-ocsp` if it names inputs. Example:\n"
      "  keyclave ca ocsp-sign mesh-ca --token mesh --request req.der --crl mesh.crl -o resp.der");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] {
      return AnswerRequest(*options, invocation.globals);
    };
  });
}

}  // namespace keyclave::ctl
