// keyclave cert: certificates and requests for keys of the enclave.
#include "enclave/ctl/cmd_cert.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "enclave/base/file.h"
#include "enclave/ctl/cmd_key.h"
#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/key_file.h"
#include "enclave/ctl/key_text.h"

namespace keyclave::ctl {
namespace {

struct CertifyOptions {
  wire::CertifyKind kind = wire::CertifyKind::kRequest;
  TokenChoice token;
  std::string key;
  std::string subject;
  std::vector<std::string> names;
  uint64_t days = 365;
  std::string out;
  bool import = false;
  bool ca = false;
  bool attest = false;
  std::string nonce;
};

struct ImportOptions {
  TokenChoice token;
  std::string file;
  std::string label;
  std::string id;
  bool no_key = false;
};

// The private key in the token whose public key the certificate certifies.
Result<wire::ObjectInfo> FindCertifiedKey(Enclave& enclave, const wire::TokenInfo& token,
                                          const Certificate& certificate) {
  wire::AttributeList match;
  match.SetUlong(CKA_CLASS, CKO_PRIVATE_KEY);
  match.Set(CKA_PUBLIC_KEY_INFO, certificate.public_key_info);
  KC_ASSIGN(const auto keys, enclave.Objects(token.id, match));
  if (!keys.empty()) return keys.front();
  return Fail(Code::kCertificateMismatch, "no private key in token " + token.label +
                                              " belongs to the certificate of " +
                                              certificate.subject_text);
}

// Stores a certificate beside its key (or alone, where `options.no_key`), under the key's label, id
// and policy unless the options name others.
// nullopt: it waits for signatures (--out).
Result<std::optional<wire::ObjectInfo>> Store(Enclave& enclave, const wire::TokenInfo& token,
                                              const Certificate& certificate,
                                              const ImportOptions& options) {
  wire::AttributeList attributes = CertificateAttributes(certificate);
  std::string label = options.label;
  Bytes id;
  if (!options.id.empty()) {
    KC_ASSIGN(id, ParseId(options.id));
  }
  if (options.no_key) {
    if (label.empty()) label = certificate.subject_text;
  } else {
    KC_ASSIGN(const wire::ObjectInfo key, FindCertifiedKey(enclave, token, certificate));
    if (label.empty()) label = key.attributes.Text(CKA_LABEL);
    const Bytes* key_id = key.attributes.Find(CKA_ID);
    if (id.empty() && key_id != nullptr) id = *key_id;
    if (const auto version = key.attributes.Ulong(kCkaVersion))
      attributes.SetUlong(kCkaVersion, *version);
    const std::string policy = key.attributes.Text(kCkaPolicy);
    if (!policy.empty()) attributes.SetText(kCkaPolicy, policy);
  }
  attributes.SetText(CKA_LABEL, label);
  if (!id.empty()) attributes.Set(CKA_ID, id);

  wire::AttributeList same;
  same.SetUlong(CKA_CLASS, CKO_CERTIFICATE);
  same.Set(CKA_VALUE, certificate.der);
  KC_ASSIGN(const auto present, enclave.Objects(token.id, same));
  if (!present.empty()) {
    return Fail(Code::kTemplateInconsistent, "token " + token.label +
                                                 " holds this certificate already, as " +
                                                 present.front().attributes.Text(CKA_LABEL));
  }
  KC_ASSIGN(const auto reply, enclave.Change<wire::Op::kCreateObject>({token.id, attributes}));
  if (!reply) return std::optional<wire::ObjectInfo>();
  return std::optional<wire::ObjectInfo>(reply->object);
}

Result<wire::TokenInfo> TokenOf(Enclave& enclave, const wire::ObjectInfo& object) {
  KC_ASSIGN(const wire::ListTokensReply reply, enclave.Call<wire::Op::kListTokens>({}));
  for (const wire::TokenInfo& token : reply.tokens) {
    if (token.id == object.token) return token;
  }
  return Fail(Code::kTokenNotFound);
}

Result<int> Certify(const CertifyOptions& options, const Globals& globals) {
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const wire::ObjectInfo key, enclave->Object(options.key, options.token.label));
  wire::CertifyRequest request;
  request.key = RefTo(key);
  request.kind = options.ca ? wire::CertifyKind::kSelfSignedCa : options.kind;
  request.subject = options.subject;
  request.names = options.names;
  const bool self_signed = options.kind == wire::CertifyKind::kSelfSigned;
  if (self_signed) request.days = options.days;
  if (options.attest) {
    KC_ASSIGN(request.attest, ParseNonce(options.nonce));
  }
  KC_ASSIGN(const auto made, enclave->Change<wire::Op::kCertify>(request));
  if (!made)
    return Fail(Code::kInvalidArgument,
                "certifying needs the reply at once: sign it with --owner, and leave --out away");
  const wire::CertifyReply& reply = *made;
  const std::string pem = ToPem(self_signed ? "CERTIFICATE" : "CERTIFICATE REQUEST", reply.der);
  if (!options.out.empty()) KC_CHECK_OK(ReplaceFile(options.out, AsBytes(pem), 0644));
  if (options.import) {
    KC_ASSIGN(const Certificate certificate, ParseCertificate(reply.der));
    KC_ASSIGN(const wire::TokenInfo token, TokenOf(*enclave, key));
    KC_ASSIGN(const auto stored, Store(*enclave, token, certificate, {}));
    static_cast<void>(stored);
  }
  if (globals.json) {
    PrintJson({{"pem", pem}, {"file", options.out}, {"imported", options.import}});
  } else if (options.out.empty()) {
    Print(pem);
  } else {
    Print("Wrote " + Harmless(options.out) + ".\n");
  }
  return kExitOk;
}

Result<int> Import(const ImportOptions& options, const Globals& globals) {
  KC_ASSIGN(const std::vector<Certificate> certificates, ReadCertificates(options.file));
  const Certificate& certificate = certificates.front();
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const wire::TokenInfo token, enclave->Token(options.token.label));
  KC_ASSIGN(const auto kept, Store(*enclave, token, certificate, options));
  if (!kept) return enclave->WriteRequests(globals.json);
  const wire::ObjectInfo& stored = *kept;
  if (globals.json) {
    PrintJson(ObjectJson(stored));
    return kExitOk;
  }
  Print("Imported the certificate of " + Harmless(certificate.subject_text) + " (until " +
        certificate.not_after + ") into token " + Harmless(token.label) + " as " +
        Harmless(stored.attributes.Text(CKA_LABEL)) + ".\n");
  if (certificates.size() > 1) {
    Print("Only the first of the file's " + std::to_string(certificates.size()) +
          " certificates was imported; the others belong to its issuers (import them with "
          "--no-key).\n");
  }
  return kExitOk;
}

void AddCertify(CLI::App& group, Invocation& invocation, wire::CertifyKind kind) {
  auto options = std::make_shared<CertifyOptions>();
  options->kind = kind;
  const bool self_signed = kind == wire::CertifyKind::kSelfSigned;
  CLI::App* command =
      self_signed ? group.add_subcommand("self-sign", "make a self-signed certificate for a key")
                  : group.add_subcommand("csr", "make a certificate request for a CA");
  command->add_option("key,--key", options->key, "a label, or a URI: pkcs11:token=edge;object=www")
      ->required()
      ->type_name("KEY");
  AddTokenOptions(*command, options->token);
  command->add_option("--subject", options->subject, "RFC 4514: CN=www.example.org,O=Example")
      ->required()
      ->type_name("NAME");
  command
      ->add_option("--san", options->names,
                   "DNS names, IP addresses, mail addresses and URIs it is for")
      ->delimiter(',')
      ->type_name("NAME,…");
  command->add_option("--out", options->out, "the PEM file (default: standard output)")
      ->type_name("FILE");
  if (self_signed) {
    command->add_option("--days", options->days, "how long it is valid")
        ->check(CLI::Range(1, 3650))
        ->capture_default_str();
    command->add_flag("--ca", options->ca,
                      "a CA's, which signs certificates of others (keyclave ca issue)");
    command->add_flag("--import", options->import, "store it in the token beside its key, too");
  } else {
    CLI::Option* attest = command->add_flag("--attest", options->attest,
                                            "with the enclave's evidence about the key as an "
                                            "extension (keyclave evidence verify --csr)");
    command->add_option("--nonce", options->nonce, "of the CA, for that evidence")
        ->needs(attest)
        ->type_name("HEX");
  }
  command->footer(std::string("Example: keyclave cert ") + (self_signed ? "self-sign" : "csr") +
                  " --token edge www --subject CN=www.example.org --san www.example.org --out " +
                  (self_signed ? "www.crt" : "www.csr"));
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Certify(*options, invocation.globals); };
  });
}

}  // namespace

wire::AttributeList CertificateAttributes(const Certificate& certificate, bool persistent) {
  wire::AttributeList attributes;
  attributes.SetUlong(CKA_CLASS, CKO_CERTIFICATE);
  attributes.SetUlong(CKA_CERTIFICATE_TYPE, CKC_X_509);
  attributes.SetBool(CKA_TOKEN, persistent);
  attributes.SetBool(CKA_PRIVATE, false);
  attributes.Set(CKA_SUBJECT, certificate.subject);
  attributes.Set(CKA_ISSUER, certificate.issuer);
  attributes.Set(CKA_SERIAL_NUMBER, certificate.serial);
  attributes.Set(CKA_VALUE, certificate.der);
  return attributes;
}

Status KeepCertificate(Enclave& enclave, const wire::TokenInfo& token,
                       const Certificate& certificate) {
  wire::AttributeList same;
  same.SetUlong(CKA_CLASS, CKO_CERTIFICATE);
  same.Set(CKA_VALUE, certificate.der);
  KC_ASSIGN(const auto present, enclave.Objects(token.id, same));
  if (!present.empty()) return Done{};
  KC_ASSIGN(const auto stored, Store(enclave, token, certificate, {}));
  static_cast<void>(stored);
  return Done{};
}

void AddCert(CLI::App& app, Invocation& invocation) {
  CLI::App* group = app.add_subcommand("cert", "certificates for the enclave's keys");
  group->require_subcommand(1);
  AddCertify(*group, invocation, wire::CertifyKind::kSelfSigned);
  AddCertify(*group, invocation, wire::CertifyKind::kRequest);

  auto options = std::make_shared<ImportOptions>();
  CLI::App* command = group->add_subcommand("import", "store a certificate beside its key");
  AddTokenOptions(*command, options->token);
  AddChangeOptions(*command, options->token.owner);
  command->add_option("file", options->file, "PEM or DER; of several the first")
      ->required()
      ->type_name("FILE");
  command->add_option("--label", options->label, "its label (default: the key's)");
  command->add_option("--id", options->id, "CKA_ID, hexadecimal (default: the key's)")
      ->type_name("HEX");
  command->add_flag("--no-key", options->no_key, "import it although its key is not in the token");
  command->footer(
      "A client that finds the key finds the certificate too (the same CKA_ID). Example:\n"
      "  keyclave cert import --token edge www.crt");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Import(*options, invocation.globals); };
  });
}

}  // namespace keyclave::ctl
