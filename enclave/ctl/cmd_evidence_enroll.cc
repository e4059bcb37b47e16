// keyclave evidence enroll-tpm: an attestation key in a machine's TPM, and the proof for an
// operator that it is there. On one machine at once, or in four steps on two.
#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "enclave/base/file.h"
#include "enclave/client/config.h"
#include "enclave/ctl/cmd_evidence.h"
#include "enclave/ctl/output.h"
#include "enclave/ctl/tpm_enrolment.h"

namespace keyclave::ctl {
namespace {

using attest::Certificate;
using attest::tpm::DeviceConfig;
using attest::tpm::EkKind;

constexpr size_t kMaxPem = size_t{1} << 20;  // bytes
constexpr EkKind kKinds[] = {EkKind::kRsa2048, EkKind::kP256, EkKind::kP384};

struct EnrollOptions {
  std::string in;
  std::string out;
  std::string keep;
  std::string tcti;
  std::string ek;
  std::vector<std::string> roots;
  std::vector<std::string> intermediates;
};

// `tpm` of client.yaml, if there is one: a machine may be enrolled before it is set up.
Result<DeviceConfig> Device(const EnrollOptions& options, const Globals& globals) {
  DeviceConfig device;
  std::error_code ignored;
  if (std::filesystem::exists(globals.config, ignored)) {
    KC_ASSIGN(const client::ClientConfig config, client::LoadClientConfig(globals.config));
    device = config.producer.tpm;
  }
  if (!options.tcti.empty()) device.tcti = options.tcti;
  // What the library would print about every refusal says nothing that the error does not. Nothing
  // else runs in this process yet.
  setenv("TSS2_LOG", "all+none", 0);
  return device;
}

Result<std::optional<EkKind>> KindOf(std::string_view name) {
  if (name.empty()) return std::optional<EkKind>();
  for (const EkKind kind : kKinds) {
    if (attest::tpm::EkKindName(kind) == name) return std::optional(kind);
  }
  return FailWanted(Code::kInvalidArgument, "endorsement key", "rsa2048, p256 or p384",
                    std::string(name));
}

Result<std::vector<Certificate>> ReadCertificates(const std::vector<std::string>& paths) {
  std::vector<Certificate> all;
  for (const std::string& path : paths) {
    KC_ASSIGN(const Bytes bytes, ReadFile(path, kMaxPem));
    const auto list = Certificate::ListFrom(bytes);
    if (!list.ok() || list->empty())
      return Fail(Code::kInvalidArgument, path + " holds no certificate");
    all.insert(all.end(), list->begin(), list->end());
  }
  return all;
}

Result<EnrollTrust> ReadTrust(const EnrollOptions& options) {
  EnrollTrust trust{.roots = {}, .intermediates = {}, .now = SystemClock().Now()};
  KC_ASSIGN(trust.roots, ReadCertificates(options.roots));
  KC_ASSIGN(trust.intermediates, ReadCertificates(options.intermediates));
  return trust;
}

// A message out of a file, with the file's name in each error.
template <class Message>
Result<Message> ReadMessage(const std::string& path, Result<Message> (*parse)(ByteSpan)) {
  KC_ASSIGN(const Bytes bytes, ReadFile(path, kMaxEnrollMessage));
  auto message = parse(bytes);
  if (!message.ok()) return message.error().In(path);
  return message;
}

Result<EnrollRequest> MakeRequest(const EnrollOptions& options, const DeviceConfig& device) {
  KC_ASSIGN(const std::optional<EkKind> kind, KindOf(options.ek));
  KC_ASSIGN(attest::tpm::Endorsed made, MakeAttestationKey(device, kind));
  return EnrollRequest{std::move(made.certificate), std::move(made.area)};
}

Result<EnrollAnswer> MakeAnswer(const EnrollChallenge& challenge, const DeviceConfig& device) {
  KC_ASSIGN(const std::optional<EkKind> kind, KindOf(AsText(challenge.kind)));
  if (!kind.has_value()) return Fail(Code::kMalformed, "kind of the endorsement key");
  KC_ASSIGN(const SecretBytes secret, ActivateCredential(device, *kind, challenge.credential));
  return EnrollAnswer{ProofOf(secret)};
}

void Report(const EnrollOptions& options, const Globals& globals, std::string_view next) {
  if (globals.json) {
    PrintJson({{"file", options.out}});
  } else {
    Print(Harmless(options.out) + std::string(next) + "\n");
  }
}

Result<int> Finish(const EnrollKept& kept, const EnrollAnswer& answer, const EnrollOptions& options,
                   const Globals& globals) {
  KC_ASSIGN(const std::string pem, Accept(kept, answer));
  KC_CHECK_OK(ReplaceFile(options.out, AsBytes(pem), 0644));
  Report(
      options, globals,
      ": the attestation key; name it in `trust: {keys: {tpm: [FILE]}}` of whoever is to believe "
      "this machine");
  return kExitOk;
}

Result<int> EnrollHere(const EnrollOptions& options, const Globals& globals) {
  if (options.roots.empty() || options.out.empty())
    return Fail(
        Code::kInvalidArgument,
        "needs --ek-root FILE and --out FILE (or one of request, challenge, answer, accept)");
  KC_ASSIGN(const DeviceConfig device, Device(options, globals));
  KC_ASSIGN(const EnrollTrust trust, ReadTrust(options));
  KC_ASSIGN(const EnrollRequest request, MakeRequest(options, device));
  KC_ASSIGN(const EnrollChallenged made, Challenge(request, trust));
  KC_ASSIGN(const EnrollAnswer answer, MakeAnswer(made.challenge, device));
  return Finish(made.kept, answer, options, globals);
}

Result<int> DoRequest(const EnrollOptions& options, const Globals& globals) {
  KC_ASSIGN(const DeviceConfig device, Device(options, globals));
  KC_ASSIGN(const EnrollRequest request, MakeRequest(options, device));
  KC_CHECK_OK(ReplaceFile(options.out, Encode(request), 0644));
  Report(options, globals, ": for the operator (enroll-tpm challenge)");
  return kExitOk;
}

Result<int> DoChallenge(const EnrollOptions& options, const Globals& globals) {
  KC_ASSIGN(const EnrollTrust trust, ReadTrust(options));
  KC_ASSIGN(const EnrollRequest request, ReadMessage(options.in, ParseEnrollRequest));
  KC_ASSIGN(const EnrollChallenged made, Challenge(request, trust));
  KC_CHECK_OK(WriteNewFile(options.keep, Encode(made.kept), 0600));
  KC_CHECK_OK(ReplaceFile(options.out, Encode(made.challenge), 0644));
  Report(options, globals, ": for the machine (enroll-tpm answer)");
  return kExitOk;
}

Result<int> DoAnswer(const EnrollOptions& options, const Globals& globals) {
  KC_ASSIGN(const DeviceConfig device, Device(options, globals));
  KC_ASSIGN(const EnrollChallenge challenge, ReadMessage(options.in, ParseEnrollChallenge));
  KC_ASSIGN(const EnrollAnswer answer, MakeAnswer(challenge, device));
  KC_CHECK_OK(ReplaceFile(options.out, Encode(answer), 0644));
  Report(options, globals, ": for the operator (enroll-tpm accept)");
  return kExitOk;
}

Result<int> DoAccept(const EnrollOptions& options, const Globals& globals) {
  KC_ASSIGN(const EnrollKept kept, ReadMessage(options.keep, ParseEnrollKept));
  KC_ASSIGN(const EnrollAnswer answer, ReadMessage(options.in, ParseEnrollAnswer));
  return Finish(kept, answer, options, globals);
}

using Options = std::shared_ptr<EnrollOptions>;

void AddOut(CLI::App& app, const Options& options) {
  app.add_option("--out", options->out, "the file to write")->required()->type_name("FILE");
}

void AddMachine(CLI::App& app, const Options& options) {
  app.add_option("--tcti", options->tcti,
                 "the TPM, as device:/dev/tpmrm0 (default: `tpm` of client.yaml)");
}

void AddEk(CLI::App& app, const Options& options) {
  app.add_option("--ek", options->ek,
                 "which endorsement key: rsa2048, p256 or p384 (default: one with a certificate)");
}

CLI::Option* AddRoots(CLI::App& app, const Options& options) {
  app.add_option("--ek-intermediate", options->intermediates,
                 "certificates between a root and the endorsement key's (PEM)")
      ->type_name("FILE…");
  return app
      .add_option("--ek-root", options->roots, "roots of TPM makers that are trusted (PEM or DER)")
      ->type_name("FILE…");
}

using Step = Result<int> (*)(const EnrollOptions&, const Globals&);

CLI::App* AddStep(CLI::App& group, const char* name, const char* what, const Options& options,
                  Step step, Invocation& invocation) {
  CLI::App* app = group.add_subcommand(name, what);
  app->callback([options, step, &invocation] {
    invocation.action = [options, step, &invocation] { return step(*options, invocation.globals); };
  });
  return app;
}

}  // namespace

void AddEvidenceEnrollTpm(CLI::App& group, Invocation& invocation) {
  auto options = std::make_shared<EnrollOptions>();
  CLI::App* enroll = group.add_subcommand(
      "enroll-tpm", "make an attestation key in the TPM, and prove it is there");
  enroll->require_subcommand(0, 1);
  enroll->add_option("--out", options->out, "the attestation key, PEM")->type_name("FILE");
  AddMachine(*enroll, options);
  AddEk(*enroll, options);
  AddRoots(*enroll, options);
  enroll->callback([enroll, options, &invocation] {
    if (!enroll->get_subcommands().empty()) return;
    invocation.action = [options, &invocation] { return EnrollHere(*options, invocation.globals); };
  });
  enroll->footer(
      "Where operator and machine are two: request (machine), challenge (operator), answer "
      "(machine),\naccept (operator), each with the file that the step before wrote.");

  const auto in = [&](CLI::App* app, const char* what) {
    app->add_option("file", options->in, what)->required()->type_name("FILE");
  };
  CLI::App* request = AddStep(*enroll, "request", "machine: make the key and ask for enrolment",
                              options, DoRequest, invocation);
  AddOut(*request, options);
  AddMachine(*request, options);
  AddEk(*request, options);
  CLI::App* challenge =
      AddStep(*enroll, "challenge", "operator: verify the request, make a challenge", options,
              DoChallenge, invocation);
  in(challenge, "what request wrote");
  AddRoots(*challenge, options)->required();
  AddOut(*challenge, options);
  challenge->add_option("--keep", options->keep, "a new file, secret until the answer is there")
      ->required()
      ->type_name("FILE");
  CLI::App* answer = AddStep(*enroll, "answer", "machine: let the TPM open the challenge", options,
                             DoAnswer, invocation);
  in(answer, "what challenge wrote with --out");
  AddMachine(*answer, options);
  AddOut(*answer, options);
  CLI::App* accept = AddStep(*enroll, "accept", "operator: compare the answer, write the key",
                             options, DoAccept, invocation);
  in(accept, "what answer wrote");
  accept->add_option("--keep", options->keep, "what challenge kept")->required()->type_name("FILE");
  AddOut(*accept, options);
}

}  // namespace keyclave::ctl
