// keyclave key rotate: a new version of a key, its request, its certificate, and the old one's end.
//
// Each step is one change of one object, so that whatever stops the command, what it has done holds
// and the same command goes on from there. Which version a label means changes in the enclave, in
// one of these steps (docs/rotation.md).
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "enclave/base/file.h"
#include "enclave/base/hash.h"
#include "enclave/ctl/cmd_cert.h"
#include "enclave/ctl/cmd_key.h"
#include "enclave/ctl/key_line.h"
#include "enclave/ctl/key_text.h"
#include "enclave/wire/pkcs11_numbers.h"

namespace keyclave::ctl {
namespace {

struct RotateOptions {
  TokenChoice token;
  std::string key;
  std::string subject;
  std::vector<std::string> names;
  std::string csr;
  std::string certificate;
  std::string write;
  bool self_sign = false;
  uint64_t days = 365;
  std::string drain = "24h";
  bool abort = false;
  bool remove_retired = false;
};

// Attributes that the new version takes over from the one in service.
constexpr uint64_t kInherited[] = {
    CKA_SIGN,        CKA_DECRYPT,   CKA_UNWRAP,       CKA_DERIVE,
    CKA_DECAPSULATE, CKA_SENSITIVE, CKA_EXTRACTABLE,  CKA_ALLOWED_MECHANISMS,
    CKA_PRIVATE,     kCkaPolicy,    CKA_SIGN_RECOVER, CKA_ALWAYS_AUTHENTICATE,
};
constexpr std::pair<uint64_t, uint64_t> kPublicUses[] = {{CKA_SIGN, CKA_VERIFY},
                                                         {CKA_DECRYPT, CKA_ENCRYPT},
                                                         {CKA_UNWRAP, CKA_WRAP},
                                                         {CKA_DERIVE, CKA_DERIVE},
                                                         {CKA_DECAPSULATE, CKA_ENCAPSULATE}};

// What makes a key pair of the same kind: the mechanism, and its parameters in the template.
Result<uint64_t> SameKind(const wire::AttributeList& key, wire::AttributeList& public_half) {
  for (const uint64_t parameter : {CKA_EC_PARAMS, CKA_PARAMETER_SET}) {
    if (const Bytes* value = key.Find(parameter)) public_half.Set(parameter, *value);
  }
  const uint64_t type = key.Ulong(CKA_KEY_TYPE).value_or(CKK_VENDOR_DEFINED);
  if (type == CKK_RSA) {
    const Bytes* modulus = key.Find(CKA_MODULUS);
    if (modulus == nullptr) return Fail(Code::kInternal, "an RSA key without a modulus");
    public_half.SetUlong(CKA_MODULUS_BITS, modulus->size() * 8);
    public_half.Set(CKA_PUBLIC_EXPONENT, ByteArray<3>{1, 0, 1});
    return uint64_t{CKM_RSA_PKCS_KEY_PAIR_GEN};
  }
  switch (type) {
    case CKK_EC: return uint64_t{CKM_EC_KEY_PAIR_GEN};
    case CKK_EC_EDWARDS: return uint64_t{CKM_EC_EDWARDS_KEY_PAIR_GEN};
    case CKK_EC_MONTGOMERY: return uint64_t{CKM_EC_MONTGOMERY_KEY_PAIR_GEN};
    case CKK_ML_DSA: return uint64_t{CKM_ML_DSA_KEY_PAIR_GEN};
    case CKK_SLH_DSA: return uint64_t{CKM_SLH_DSA_KEY_PAIR_GEN};
    case CKK_ML_KEM: return uint64_t{CKM_ML_KEM_KEY_PAIR_GEN};
    case kCkkSm2: return uint64_t{kCkmSm2KeyPairGen};
    default: return Fail(Code::kUnsupported, "rotating keys of this type");
  }
}

Result<wire::GenerateKeyPairRequest> NextVersion(const KeyLine& line) {
  const wire::AttributeList& old = line.InService().attributes;
  wire::GenerateKeyPairRequest request;
  request.token = line.token.id;
  wire::AttributeList& private_half = request.private_attributes;
  wire::AttributeList& public_half = request.public_attributes;
  for (const uint64_t type : kInherited) {
    if (const Bytes* value = old.Find(type)) private_half.Set(type, *value);
  }
  for (const auto& [use, public_use] : kPublicUses) {
    if (old.Has(use)) public_half.SetBool(public_use, old.IsTrue(use));
  }
  if (const Bytes* policy = old.Find(kCkaPolicy)) public_half.Set(kCkaPolicy, *policy);
  const ByteArray<8> id = RandomArray<8>();
  for (wire::AttributeList* half : {&private_half, &public_half}) {
    half->SetBool(CKA_TOKEN, true);
    half->SetText(CKA_LABEL, line.label);
    half->Set(CKA_ID, id);
    half->SetUlong(kCkaVersion, VersionOf(line.versions.back().attributes) + 1);
  }
  private_half.SetBool(kCkaStaged, true);
  public_half.SetBool(CKA_PRIVATE, false);
  KC_ASSIGN(request.mechanism.type, SameKind(old, public_half));
  return request;
}

// The staged version, made if there is none. nullopt: it waits for owners' signatures (--out).
Result<std::optional<wire::ObjectInfo>> Stage(Enclave& enclave, const KeyLine& line) {
  if (const wire::ObjectInfo* staged = line.Staged()) return std::optional(*staged);
  KC_ASSIGN(const wire::GenerateKeyPairRequest request, NextVersion(line));
  KC_ASSIGN(auto reply, enclave.Change<wire::Op::kGenerateKeyPair>(request));
  if (!reply) return std::optional<wire::ObjectInfo>();
  return std::optional(std::move(reply->private_key));
}

// Whom the certificate is for: what the command line says, or the certificate in service.
Result<wire::CertifyRequest> RequestFor(Enclave& enclave, const KeyLine& line,
                                        const RotateOptions& options) {
  wire::CertifyRequest request;
  request.subject = options.subject;
  request.names = options.names;
  if (!request.subject.empty() || !request.names.empty()) return request;
  wire::AttributeList match;
  match.SetUlong(CKA_CLASS, CKO_CERTIFICATE);
  if (const Bytes* id = line.InService().attributes.Find(CKA_ID)) match.Set(CKA_ID, *id);
  KC_ASSIGN(const auto stored, enclave.Objects(line.token.id, match));
  const Bytes* der = stored.empty() ? nullptr : stored.front().attributes.Find(CKA_VALUE);
  if (der == nullptr) {
    return Fail(Code::kInvalidArgument,
                "whom is the new certificate for? Say --subject and --san, or keep the certificate "
                "in service beside its key: keyclave cert import");
  }
  KC_ASSIGN(const Certificate certificate, ParseCertificate(*der));
  request.subject = certificate.subject_text;
  request.names = certificate.names;
  return request;
}

Result<Bytes> Certify(Enclave& enclave, const wire::ObjectInfo& key, wire::CertifyRequest request) {
  request.key = RefTo(key);
  KC_ASSIGN(auto made, enclave.Change<wire::Op::kCertify>(request));
  if (!made)
    return Fail(Code::kInvalidArgument,
                "certifying needs the reply at once: sign it with --owner, and leave --out away");
  return std::move(made->der);
}

// False: it waits for owners' signatures.
Result<bool> Set(Enclave& enclave, const wire::ObjectInfo& object, wire::AttributeList changes) {
  KC_ASSIGN(const auto reply,
            enclave.Change<wire::Op::kSetAttributes>({RefTo(object), std::move(changes)}));
  return reply.has_value();
}

// Puts `next` into service; the versions before it are retired when `drain` seconds have passed.
Result<bool> Activate(Enclave& enclave, const KeyLine& line, const wire::ObjectInfo& next,
                      uint64_t drain) {
  bool sent = true;
  if (next.attributes.IsTrue(kCkaStaged)) {
    wire::AttributeList changes;
    changes.SetBool(kCkaStaged, false);
    KC_ASSIGN(sent, Set(enclave, next, std::move(changes)));
  }
  const auto until = static_cast<uint64_t>(SystemClock().Now()) + drain;
  for (const wire::ObjectInfo& version : line.versions) {
    const bool older = VersionOf(version.attributes) < VersionOf(next.attributes);
    if (!older || version.attributes.Ulong(kCkaUseUntil).value_or(0) != 0) continue;
    wire::AttributeList changes;
    changes.SetUlong(kCkaUseUntil, until);
    KC_ASSIGN(const bool done, Set(enclave, version, std::move(changes)));
    sent = sent && done;
  }
  return sent;
}

// In seconds. "0" ends the old version at once: its key may be in wrong hands.
Result<uint64_t> DrainOf(const RotateOptions& options) {
  if (options.drain == "0") return uint64_t{0};
  return ParseDuration(options.drain, "--drain");
}

int ReportRequest(const RotateOptions& options, const KeyLine& line, const wire::ObjectInfo& staged,
                  const std::string& pem, bool json) {
  const std::string version = std::to_string(VersionOf(staged.attributes));
  if (json) {
    PrintJson({{"label", line.label}, {"staged", VersionOf(staged.attributes)}, {"pem", pem}});
  } else if (options.csr.empty()) {
    Print(pem);
  } else {
    Print("Version " + version + " of " + Harmless(line.label) + " is staged; its request is " +
          Harmless(options.csr) + ". Once it is certified:\n  keyclave key rotate --token " +
          Harmless(line.token.label) + " " + Harmless(line.label) + " --certificate FILE\n");
  }
  return kExitOk;
}

Result<int> Request(Enclave& enclave, const KeyLine& line, const RotateOptions& options,
                    bool json) {
  KC_ASSIGN(const wire::CertifyRequest request, RequestFor(enclave, line, options));
  KC_ASSIGN(const auto staged, Stage(enclave, line));
  if (!staged) return enclave.WriteRequests(json);
  KC_ASSIGN(const Bytes der, Certify(enclave, *staged, request));
  const std::string pem = ToPem("CERTIFICATE REQUEST", der);
  if (!options.csr.empty()) KC_CHECK_OK(ReplaceFile(options.csr, AsBytes(pem), 0644));
  return ReportRequest(options, line, *staged, pem, json);
}

// A version with its certificate: keeps it in the token, puts the version into service, writes the
// server's file.
Result<int> Serve(Enclave& enclave, const KeyLine& line, const wire::ObjectInfo& next,
                  const Certificate& certificate, const std::string& chain,
                  const RotateOptions& options, bool json) {
  KC_ASSIGN(const uint64_t drain, DrainOf(options));
  KC_CHECK_OK(KeepCertificate(enclave, line.token, certificate));
  KC_ASSIGN(const bool sent, Activate(enclave, line, next, drain));
  if (!sent) return enclave.WriteRequests(json);
  if (!options.write.empty()) KC_CHECK_OK(ReplaceFile(options.write, AsBytes(chain), 0644));
  const std::string until = FormatTime(SystemClock().Now() + static_cast<UnixTime>(drain));
  if (json) {
    PrintJson({{"label", line.label},
               {"version", VersionOf(next.attributes)},
               {"certificate_until", certificate.not_after},
               {"old_until", until}});
    return kExitOk;
  }
  Print("Version " + std::to_string(VersionOf(next.attributes)) + " of " + Harmless(line.label) +
        " is in service, certified until " + certificate.not_after +
        "; older versions go on until " + until + ".\n");
  if (options.write.empty())
    Print("Give the certificate to the server now; then reload it, unless it looks by itself.\n");
  return kExitOk;
}

Result<int> TakeCertificate(Enclave& enclave, const KeyLine& line, const RotateOptions& options,
                            bool json) {
  KC_ASSIGN(const std::vector<Certificate> chain, ReadCertificates(options.certificate));
  const wire::ObjectInfo* next = line.WithPublicKey(chain.front().public_key_info);
  const wire::ObjectInfo* staged = line.Staged();
  if (next == nullptr || (staged != nullptr && next != staged)) {
    return Fail(Code::kCertificateMismatch,
                options.certificate + " is not the certificate of the staged version of " +
                    line.label +
                    (staged == nullptr ? " (none is staged: keyclave key rotate --csr)" : ""));
  }
  std::string pem;
  for (const Certificate& certificate : chain) pem += ToPem("CERTIFICATE", certificate.der);
  return Serve(enclave, line, *next, chain.front(), pem, options, json);
}

Result<int> SelfSign(Enclave& enclave, const KeyLine& line, const RotateOptions& options,
                     bool json) {
  KC_ASSIGN(wire::CertifyRequest request, RequestFor(enclave, line, options));
  request.kind = wire::CertifyKind::kSelfSigned;
  request.days = options.days;
  KC_ASSIGN(const auto staged, Stage(enclave, line));
  if (!staged) return enclave.WriteRequests(json);
  KC_ASSIGN(const Bytes der, Certify(enclave, *staged, request));
  KC_ASSIGN(const Certificate certificate, ParseCertificate(der));
  return Serve(enclave, line, *staged, certificate, ToPem("CERTIFICATE", der), options, json);
}

// A version with its public key and certificate. They share a CKA_ID.
Result<bool> Remove(Enclave& enclave, const KeyLine& line, const wire::ObjectInfo& version) {
  std::vector<wire::ObjectInfo> doomed = {version};
  wire::AttributeList match;
  match.SetText(CKA_LABEL, line.label);
  if (const Bytes* id = version.attributes.Find(CKA_ID)) match.Set(CKA_ID, *id);
  KC_ASSIGN(const auto beside, enclave.Objects(line.token.id, match));
  for (const wire::ObjectInfo& object : beside) {
    if (object.id != version.id) doomed.push_back(object);
  }
  bool sent = true;
  for (const wire::ObjectInfo& object : doomed) {
    KC_ASSIGN(const auto reply, enclave.Change<wire::Op::kDestroyObject>({RefTo(object)}));
    sent = sent && reply.has_value();
  }
  return sent;
}

Result<int> RemoveWhere(Enclave& enclave, const KeyLine& line, bool json,
                        const std::function<bool(const wire::ObjectInfo&)>& doomed,
                        const std::string& none) {
  Json removed = Json::array();
  bool sent = true;
  for (const wire::ObjectInfo& version : line.versions) {
    if (!doomed(version)) continue;
    KC_ASSIGN(const bool done, Remove(enclave, line, version));
    sent = sent && done;
    removed.push_back(VersionOf(version.attributes));
  }
  if (!sent) return enclave.WriteRequests(json);
  if (json) {
    PrintJson({{"label", line.label}, {"removed", removed}});
  } else if (removed.empty()) {
    Print(none);
  } else {
    Print("Removed of " + Harmless(line.label) + ": version " + removed.dump() + ".\n");
  }
  return kExitOk;
}

Result<int> Rotate(const RotateOptions& options, const Globals& globals) {
  // Before anything is changed.
  KC_ASSIGN([[maybe_unused]] const uint64_t drain, DrainOf(options));
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const KeyLine line, FindLine(*enclave, options.key, options.token.label));
  if (options.abort) {
    return RemoveWhere(
        *enclave, line, globals.json,
        [](const auto& version) { return version.attributes.IsTrue(kCkaStaged); },
        "No version is staged.\n");
  }
  if (options.remove_retired) {
    const UnixTime now = SystemClock().Now();
    return RemoveWhere(
        *enclave, line, globals.json,
        [&](const auto& version) { return IsRetired(version.attributes, now); },
        "No version is retired.\n");
  }
  if (!options.certificate.empty()) return TakeCertificate(*enclave, line, options, globals.json);
  if (options.self_sign) return SelfSign(*enclave, line, options, globals.json);
  return Request(*enclave, line, options, globals.json);
}

}  // namespace

void AddKeyRotate(CLI::App& group, Invocation& invocation) {
  auto options = std::make_shared<RotateOptions>();
  CLI::App* command = group.add_subcommand("rotate", "a new version of a key, and its certificate");
  command->add_option("key", options->key, "a label, or a URI: pkcs11:token=edge;object=www")
      ->required()
      ->type_name("KEY");
  AddTokenOptions(*command, options->token);
  AddChangeOptions(*command, options->token.owner);
  command
      ->add_option("--csr", options->csr, "write the new version's request here (default: stdout)")
      ->type_name("FILE");
  command->add_option("--subject", options->subject,
                      "of the request (default: as the certificate in service has it)");
  command->add_option("--san", options->names, "DNS names and IP addresses of the request")
      ->delimiter(',')
      ->type_name("NAME,…");
  CLI::Option* certificate =
      command->add_option("--certificate", options->certificate,
                          "the staged version's certificate, PEM, with its chain");
  certificate->type_name("FILE");
  CLI::Option* self_sign = command->add_flag("--self-sign", options->self_sign,
                                             "certify the new version with itself, at once");
  command->add_option("--days", options->days, "how long a self-signed certificate is valid")
      ->check(CLI::Range(1, 3650))
      ->capture_default_str();
  command
      ->add_option("--write", options->write,
                   "replace the server's certificate file, in one step, when all is done")
      ->type_name("FILE");
  command
      ->add_option("--drain", options->drain,
                   "how long older versions may go on being used: 24h; 0: not at all")
      ->capture_default_str();
  CLI::Option* abort = command->add_flag("--abort", options->abort, "remove the staged version");
  CLI::Option* remove = command->add_flag("--remove-retired", options->remove_retired,
                                          "remove versions whose time is over, for good");
  for (CLI::Option* one : {certificate, self_sign, abort, remove}) {
    for (CLI::Option* other : {certificate, self_sign, abort, remove}) {
      if (one != other) one->excludes(other);
    }
  }
  command->footer(
      "Servers that name the key by its label (keyclave key reference --current) use the new pair\n"
      "when they next read its certificate, and the old one until then. Example:\n"
      "  keyclave key rotate --token edge www --csr www.csr\n"
      "  keyclave key rotate --token edge www --certificate www.pem --write /etc/nginx/www.crt");
  command->callback([options, &invocation] {
    invocation.action = [options, &invocation] { return Rotate(*options, invocation.globals); };
  });
}

}  // namespace keyclave::ctl
