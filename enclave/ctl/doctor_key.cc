// The doctor's checks of one key as a server has it: its reference, the enclave's key behind that,
// the certificate beside it, and what the key last refused.
#include "enclave/base/file.h"
#include "enclave/client/key_reference.h"
#include "enclave/ctl/doctor.h"
#include "enclave/ctl/enclave_link.h"
#include "enclave/ctl/key_file.h"
#include "enclave/ctl/key_line.h"
#include "enclave/ctl/key_text.h"
#include "enclave/ctl/output.h"

namespace keyclave::ctl {
namespace {

constexpr size_t kMaxFile = size_t{1} << 20;  // bytes

// The URI that the key goes by, from the command line or from its reference file.
std::optional<client::KeyUri> ReadReference(const std::string& key, Findings& findings) {
  std::string uri = key;
  if (!client::IsKeyUri(key)) {
    const auto file = ReadFile(key, kMaxFile);
    const std::string_view text = file.ok() ? AsText(*file) : std::string_view();
    if (file.ok() && text.find("PRIVATE KEY-----") != std::string_view::npos) {
      findings.push_back({700, Severity::kProblem,
                          key + " holds a private key itself: the enclave has no part in it",
                          "keyclave key import brings it in; keyclave key reference writes what "
                          "takes its place"});
      return std::nullopt;
    }
    const auto decoded = client::DecodeKeyReferencePem(text);
    if (!decoded.ok()) {
      findings.push_back(
          {700, Severity::kProblem,
           key + " is no key reference" + (file.ok() ? std::string() : ": " + file.error().Text()),
           "keyclave key reference writes one"});
      return std::nullopt;
    }
    uri = *decoded;
  }
  auto parsed = client::ParseKeyUri(uri);
  if (!parsed.ok()) {
    findings.push_back({700, Severity::kProblem, key + ": " + parsed.error().Text(),
                        "keyclave key reference writes one that is right"});
    return std::nullopt;
  }
  findings.push_back({700, Severity::kOk, "the key's reference can be read", ""});
  return *std::move(parsed);
}

std::optional<wire::ObjectInfo> FindKey(Enclave& enclave, const client::KeyUri& uri,
                                        Findings& findings) {
  wire::ObjectRef named = uri.object;
  named.object_class = CKO_PRIVATE_KEY;
  const auto text = client::MakeUri(named);
  auto found = text.ok() ? enclave.Object(*text, "") : Result<wire::ObjectInfo>(text.error());
  if (found.ok()) return *std::move(found);
  const std::string_view mend = HowToMend(found.code());
  findings.push_back({701, Severity::kProblem, found.error().Text(),
                      mend.empty() ? "compare it with keyclave key list; a key whose policy does "
                                     "not name this program is not found by it"
                                   : std::string(mend)});
  return std::nullopt;
}

void CheckState(const wire::ObjectInfo& key, Findings& findings) {
  const UnixTime now = SystemClock().Now();
  const std::string name = TypeText(key.attributes) + " key " + key.attributes.Text(CKA_LABEL) +
                           " (id " + IdText(key.attributes) + ")";
  const std::string_view state = StateOf(key.attributes, now);
  if (state == "staged") {
    findings.push_back({702, Severity::kProblem, name + " is staged: it signs nothing yet",
                        "keyclave key rotate --certificate puts it into service"});
  } else if (state == "retired") {
    findings.push_back({702, Severity::kProblem, name + " is retired",
                        "name the key by its label: keyclave key reference --current"});
  } else {
    findings.push_back({702, Severity::kOk, name + " is " + std::string(state), ""});
  }
}

// Whether the certificate is this key's; for a key that goes by its label, one of its versions'.
void CheckCertificate(Enclave& enclave, const client::KeyUri& uri, const wire::ObjectInfo& key,
                      const std::string& path, Findings& findings) {
  const auto chain = ReadCertificates(path);
  if (!chain.ok()) {
    findings.push_back({703, Severity::kProblem, chain.error().Text(),
                        "give the server's certificate file, PEM or DER"});
    return;
  }
  const Bytes& wanted = chain->front().public_key_info;
  bool fits = false;
  if (uri.object.label && !uri.object.cka_id) {
    const auto line = FindLine(enclave, *uri.object.label, uri.object.token_label.value_or(""));
    fits = line.ok() && line->WithPublicKey(wanted) != nullptr;
  } else {
    const Bytes* own = key.attributes.Find(CKA_PUBLIC_KEY_INFO);
    fits = own != nullptr && *own == wanted;
  }
  if (fits) {
    findings.push_back({703, Severity::kOk,
                        path + " is the key's certificate, until " + chain->front().not_after, ""});
    return;
  }
  findings.push_back(
      {703, Severity::kProblem,
       path + " is another key's certificate (of " + chain->front().subject_text + ")",
       "keyclave cert csr, or self-sign, makes one for this key; servers say `key "
       "values mismatch`"});
}

// What the key refused last since the daemon started, and why; for those who may know.
void CheckRefusals(Enclave& enclave, const wire::ObjectInfo& key, Findings& findings) {
  const auto told = enclave.Call<wire::Op::kExplain>({RefTo(key), "", /*self=*/false});
  if (!told.ok() || told->when == 0) return;
  std::string what = "the key refused at " + FormatTime(told->when) + " to " + told->caller;
  if (told->reason) what += ": " + *told->reason;
  for (const wire::PermitText& permit : told->permits) {
    if (permit.term.empty()) continue;
    what += "; " + permit.term + " is wanted " + permit.wanted + ", got " + permit.got;
    break;
  }
  findings.push_back(
      {704, told->allowed ? Severity::kNote : Severity::kWarning, what,
       told->allowed ? "the policy permits it now" : "keyclave explain says it in full"});
}

}  // namespace

void CheckKey(const Globals& globals, const std::string& reference, const std::string& certificate,
              Findings& findings) {
  const auto uri = ReadReference(reference, findings);
  if (!uri) return;
  const auto enclave = Enclave::Open(globals);
  if (!enclave.ok()) return;  // said already, as KD1xx
  const auto key = FindKey(**enclave, *uri, findings);
  if (!key) return;
  CheckState(*key, findings);
  if (!certificate.empty()) CheckCertificate(**enclave, *uri, *key, certificate, findings);
  CheckRefusals(**enclave, *key, findings);
}

}  // namespace keyclave::ctl
