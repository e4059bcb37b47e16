// keyclave key attest: evidence of the enclave about a key, for people who will never ask the
// enclave.
#include <CLI/CLI.hpp>
#include <memory>

#include "enclave/base/file.h"
#include "enclave/base/hash.h"
#include "enclave/ctl/cmd_key.h"
#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/key_attestation_file.h"

namespace keyclave::ctl {
namespace {

struct AttestOptions {
  TokenChoice token;
  std::string key;
  std::string nonce;
  std::string out;
};

Result<int> Attest(const AttestOptions& options, const Globals& globals) {
  KC_ASSIGN(const Bytes nonce, ParseNonce(options.nonce));
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const wire::ObjectInfo object, enclave->Object(options.key, options.token.label));
  KC_ASSIGN(const wire::AttestKeyReply reply,
            enclave->Call<wire::Op::kAttestKey>({RefTo(object), nonce}));
  KC_ASSIGN(const wire::KeyDocument document, wire::ParseKeyDocument(reply.attestation.document));
  const std::string pem = KeyAttestationPem(reply.attestation);
  if (!options.out.empty()) KC_CHECK_OK(ReplaceFile(options.out, AsBytes(pem), 0644));
  if (globals.json) {
    PrintJson({{"pem", pem},
               {"file", options.out},
               {"nonce", ToHex(reply.attestation.nonce)},
               {"key", KeyDocumentJson(document)}});
  } else {
    Print(options.out.empty() ? pem : "Wrote " + Harmless(options.out) + ".\n");
  }
  return kExitOk;
}

}  // namespace

Result<Bytes> ParseNonce(const std::string& hex) {
  if (hex.empty()) return ToBytes(RandomArray<32>());
  auto nonce = FromHex(hex);
  if (nonce.ok() && !nonce->empty() && nonce->size() <= wire::kMaxAttestationNonce) return nonce;
  return Fail(Code::kInvalidArgument, "--nonce " + hex + " is not 1 to 64 bytes in hexadecimal");
}

void AddKeyAttest(CLI::App& group, Invocation& invocation) {
  auto options = std::make_shared<AttestOptions>();
  CLI::App* command = group.add_subcommand("attest", "write the enclave's evidence about a key");
  command->add_option("key", options->key, "a label, or a URI: pkcs11:token=edge;object=www")
      ->required()
      ->type_name("KEY");
  AddTokenOptions(*command, options->token);
  command->add_option("--nonce", options->nonce, "of whoever asks for it (default: a random one)")
      ->type_name("HEX");
  command->add_option("-o,--out", options->out, "the PEM file (default: standard output)")
      ->type_name("FILE");
  command->footer(
      "It says which key this is, what may be done with it and under which policy, and that it is\n"
      "this enclave's. Anybody checks it offline:\n"
      "  keyclave key attest --token edge www -o www.attestation\n"
      "  keyclave evidence verify www.attestation");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Attest(*options, invocation.globals); };
  });
}

}  // namespace keyclave::ctl
