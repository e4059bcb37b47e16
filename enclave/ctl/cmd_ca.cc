// keyclave ca: certificates that a CA in the enclave issues to others.
#include "enclave/ctl/cmd_ca.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "enclave/base/file.h"
#include "enclave/ctl/output.h"

namespace keyclave::ctl {
namespace {

constexpr size_t kMaxCsr = size_t{64} << 10;

struct IssueOptions {
  TokenChoice token;
  std::string key;
  std::string csr;
  std::string subject;
  std::vector<std::string> names;
  std::vector<std::string> usages = {"server-auth", "client-auth"};
  std::string ttl;
  uint64_t days = 0;
  bool chain = false;
  std::string out;
};

Result<Bytes> ReadCsr(const std::string& path) {
  KC_ASSIGN(Bytes file, ReadFile(path, kMaxCsr));
  if (AsText(file).find("-----BEGIN") == std::string_view::npos) return file;
  // The label that old tools write.
  const bool is_old = AsText(file).find("NEW CERTIFICATE REQUEST") != std::string_view::npos;
  auto der = DerOfPem(is_old ? "NEW CERTIFICATE REQUEST" : "CERTIFICATE REQUEST", file);
  if (!der.ok()) return der.error().In(path);
  return der;
}

Result<uint64_t> ValidityOf(const IssueOptions& options) {
  constexpr uint64_t kDay = 86400;
  if (options.days != 0) return options.days * kDay;
  return ParseDuration(options.ttl.empty() ? "24h" : options.ttl, "--ttl");
}

Result<int> Issue(const IssueOptions& options, const Globals& globals) {
  wire::IssueCertificateRequest request;
  KC_ASSIGN(request.csr, ReadCsr(options.csr));
  KC_ASSIGN(request.validity, ValidityOf(options));
  request.subject = options.subject;
  request.names = options.names;
  request.usages = options.usages;
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const wire::ObjectInfo key, enclave->Object(options.key, options.token.label));
  request.key = RefTo(key);
  KC_ASSIGN(const auto reply, enclave->Call<wire::Op::kIssueCertificate>(request));
  KC_ASSIGN(const Certificate made, ParseCertificate(reply.certificate));
  std::string pem = ToPem("CERTIFICATE", reply.certificate);
  std::string chain;
  for (const Bytes& above : reply.chain) chain += ToPem("CERTIFICATE", above);
  if (options.chain) pem += chain;
  if (!options.out.empty()) KC_CHECK_OK(ReplaceFile(options.out, AsBytes(pem), 0644));
  if (globals.json) {
    PrintJson({{"pem", pem},
               {"chain", chain},
               {"serial", ToHex(made.serial)},
               {"not_after", made.not_after},
               {"file", options.out}});
  } else if (options.out.empty()) {
    Print(pem);
  } else {
    Print("Wrote " + Harmless(options.out) + ", valid until " + made.not_after + ".\n");
  }
  return kExitOk;
}

void AddIssue(CLI::App& group, Invocation& invocation) {
  auto options = std::make_shared<IssueOptions>();
  CLI::App* command =
      group.add_subcommand("issue", "have a certificate issued, as the CA's policy permits");
  AddCaKey(*command, options->key, options->token);
  command
      ->add_option("--csr", options->csr,
                   "certificate request (PEM or DER); only its key counts, and its signature as "
                   "proof of it")
      ->required()
      ->type_name("FILE");
  command->add_option("--name", options->names, "DNS names, IP addresses, mail addresses and URIs")
      ->required()
      ->delimiter(',')
      ->type_name("NAME,…");
  command->add_option("--subject", options->subject, "RFC 4514: CN=www.example.org (default: none)")
      ->type_name("NAME");
  command->add_option("--usage", options->usages, "what it is for")
      ->delimiter(',')
      ->capture_default_str()
      ->type_name("USAGE,…");
  CLI::Option* ttl =
      command->add_option("--ttl", options->ttl, "how long it is valid: 90s, 15m, 12h, 7d (24h)")
          ->type_name("TIME");
  command->add_option("--days", options->days, "the same in days")
      ->check(CLI::Range(1, 36525))
      ->excludes(ttl);
  command->add_flag("--chain", options->chain, "the CA's certificates behind it");
  command->add_option("-o,--out", options->out, "the PEM file (default: standard output)")
      ->type_name("FILE");
  command->footer(
      "The enclave makes the certificate; the policy of the CA's key says for whom "
      "(docs/policy.md,\n"
      "operation `issue`). Example:\n"
      "  keyclave ca issue mesh-ca --token mesh --csr web.csr --name web.mesh.example --out "
      "web.crt");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Issue(*options, invocation.globals); };
  });
}

}  // namespace

void AddCaKey(CLI::App& command, std::string& key, TokenChoice& token) {
  command.add_option("key,--key", key, "the CA's: a label, or a pkcs11: URI")
      ->required()
      ->type_name("KEY");
  AddTokenOptions(command, token);
}

void AddCa(CLI::App& app, Invocation& invocation) {
  CLI::App* group = app.add_subcommand("ca", "certificates issued by a CA in the enclave");
  group->require_subcommand(1);
  AddCaInit(*group, invocation);
  AddIssue(*group, invocation);
  AddCaCrl(*group, invocation);
  AddCaOcsp(*group, invocation);
}

}  // namespace keyclave::ctl
