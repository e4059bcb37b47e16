#include "enclave/ops/audit_fields.h"

#include "enclave/base/hash.h"

namespace keyclave::ops {
namespace {

constexpr std::string_view kClaims[] = {"tee", "measurement", "signer",    "product_id",
                                        "svn", "platform_id", "tcb_status"};
constexpr size_t kMaxValue = 256;  // characters: evidence may say more than a log should hold
constexpr size_t kMaxListed = 4096;

std::string Listed(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text.append(text.empty() ? "" : ", ").append(item);
  return text.substr(0, kMaxListed);
}

}  // namespace

void AddIdentity(const session::Session::Identity& identity, std::vector<audit::Field>& fields) {
  if (!identity.attested) return;
  audit::Field claims{"claims", {}};
  for (const std::string_view name : kClaims) {
    const attest::Claim* claim = identity.claims.Find(name);
    if (claim == nullptr) continue;
    claims.members.emplace_back(name, attest::ToText(claim->value).substr(0, kMaxValue));
  }
  fields.push_back(std::move(claims));
  fields.push_back({"evidence", ToHex(identity.evidence)});
  if (identity.is_relayed) fields.push_back({"relayed", "rcar"});
}

void AddCaller(const Call& call, std::vector<audit::Field>& fields) {
  fields.push_back({"caller", CallerName(call)});
  AddIdentity(*call.identity, fields);
}

void AddWanted(const WantedCertificate& wanted, std::vector<audit::Field>& fields) {
  const wire::IssueCertificateRequest& request = wanted.request();
  fields.push_back({"names", Listed(request.names)});
  if (!request.subject.empty())
    fields.push_back({"subject", request.subject.substr(0, kMaxListed)});
  fields.push_back({"usages", Listed(request.usages)});
  fields.push_back({"validity", std::to_string(request.validity)});
  if (wanted.leaf() != nullptr)
    fields.push_back({"public_key", ToHex(Sha256(wanted.leaf()->public_key_info))});
}

std::vector<audit::Field> ObjectFields(const keys::Object& object) {
  const Bytes* digest = object.attributes.Find(kCkaPolicyDigest);
  return {{"object", ToHex(object.id)},
          {"policy", object.policy},
          {"policy_digest", digest == nullptr ? "" : ToHex(*digest)}};
}

}  // namespace keyclave::ops
