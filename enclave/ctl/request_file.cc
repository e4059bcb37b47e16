#include "enclave/ctl/request_file.h"

#include "attest/strict_json.h"
#include "enclave/authz/owner_key.h"
#include "enclave/authz/quorum.h"
#include "enclave/base/clock.h"
#include "enclave/base/file.h"
#include "enclave/ctl/request_text.h"

namespace keyclave::ctl {
namespace {

constexpr std::string_view kRequest = "keyclave/request/1";
constexpr std::string_view kProof = "keyclave/owner-proof/1";
constexpr size_t kMaxFile = size_t{8} << 20;  // bytes
constexpr size_t kMaxItems = 64;

std::string Dump(const Json& document) {
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<nlohmann::json> ParseDocument(std::string_view text, std::string_view format) {
  KC_ASSIGN(nlohmann::json document, attest::ParseStrictJson(AsBytes(text)));
  const std::string got = attest::TextMember(document, "keyclave").value_or("another file");
  if (got == format) return document;
  return FailWanted(Code::kMalformed, "what the file is", std::string(format), got);
}

Result<std::string> Member(const nlohmann::json& object, const char* name) {
  auto text = attest::TextMember(object, name);
  if (!text) return Fail(Code::kMalformed, std::string("no text under ") + name);
  return *std::move(text);
}

Result<Bytes> BytesMember(const nlohmann::json& object, const char* name) {
  KC_ASSIGN(const std::string text, Member(object, name));
  return FromBase64(text);
}

// The elements of a member that is a list.
Result<std::vector<nlohmann::json>> ListMember(const nlohmann::json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  if (!object.is_object() || found == object.end() || !found->is_array())
    return Fail(Code::kMalformed, std::string("no list under ") + name);
  if (found->size() > authz::kMaxOwners) return Fail(Code::kTooLarge, name);
  return std::vector<nlohmann::json>(found->begin(), found->end());
}

Result<RequestFile::Item> ParseItem(const nlohmann::json& json) {
  wire::AdministerRequest request;
  KC_ASSIGN(request.statement, BytesMember(json, "statement"));
  KC_ASSIGN(const auto signatures, ListMember(json, "signatures"));
  for (const nlohmann::json& each : signatures) {
    wire::OwnerSignature signature;
    KC_ASSIGN(signature.owner, Member(each, "owner"));
    KC_ASSIGN(signature.signature, BytesMember(each, "signature"));
    request.signatures.push_back(std::move(signature));
  }
  KC_ASSIGN(RequestFile::Item item, MakeRequestItem(std::move(request)));
  item.what.clear();
  const auto what = json.find("what");
  if (what != json.end() && what->is_array()) {
    for (const nlohmann::json& line : *what)
      item.what.push_back(line.is_string() ? line.get<std::string>() : std::string());
  }
  return item;
}

}  // namespace

std::string_view RoleName(wire::OwnerRole role) {
  return role == wire::OwnerRole::kOwner ? "owner" : "auditor";
}

Result<RequestFile::Item> MakeRequestItem(wire::AdministerRequest request) {
  RequestFile::Item item;
  KC_ASSIGN(item.statement, wire::Decode<wire::Statement>(request.statement));
  if (item.statement.label != wire::kStatementLabel)
    return Fail(Code::kMalformed, "no statement of this version");
  KC_ASSIGN(item.what, DescribeStatement(item.statement));
  item.request = std::move(request);
  return item;
}

Result<RequestFile> ParseRequestFile(std::string_view text) {
  KC_ASSIGN(const nlohmann::json document, ParseDocument(text, kRequest));
  RequestFile file;
  KC_ASSIGN(file.token_label, Member(document, "token"));
  KC_ASSIGN(const auto items, ListMember(document, "requests"));
  if (items.empty() || items.size() > kMaxItems)
    return Fail(Code::kMalformed, "wanted 1 to 64 requests");
  for (const nlohmann::json& json : items) {
    KC_ASSIGN(RequestFile::Item item, ParseItem(json));
    const wire::Statement& first = file.items.empty() ? item.statement : file.items[0].statement;
    if (first.token != item.statement.token || first.enclave_id != item.statement.enclave_id)
      return Fail(Code::kMalformed, "statements for several tokens or enclaves");
    file.items.push_back(std::move(item));
  }
  return file;
}

Result<RequestFile> ReadRequestFile(const std::string& path) {
  KC_ASSIGN(const Bytes text, ReadFile(path, kMaxFile));
  auto file = ParseRequestFile(AsText(text));
  if (!file.ok()) return file.error().In(path);
  return file;
}

std::string PrintRequestFile(const RequestFile& file) {
  Json requests = Json::array();
  for (const RequestFile::Item& item : file.items) {
    const wire::Statement& statement = item.statement;
    Json signatures = Json::array();
    for (const wire::OwnerSignature& signature : item.request.signatures)
      signatures.push_back(
          {{"owner", signature.owner}, {"signature", ToBase64(signature.signature)}});
    requests.push_back({{"operation", wire::OpName(static_cast<wire::Op>(statement.op))},
                        {"sequence", statement.sequence},
                        {"expires", FormatTime(statement.expires)},
                        {"what", item.what},
                        {"statement", ToBase64(item.request.statement)},
                        {"signatures", signatures}});
  }
  return Dump({{"keyclave", kRequest},
               {"enclave", file.items.at(0).statement.enclave_id},
               {"token", file.token_label},
               {"serial", ToHex(file.items.at(0).statement.token).substr(0, 16)},
               {"requests", requests}});
}

std::string PrintOwnerProof(const wire::NewOwner& owner, const std::string& enclave_id,
                            const std::string& token_label) {
  return Dump({{"keyclave", kProof},
               {"enclave", enclave_id},
               {"token", token_label},
               {"name", owner.owner.name},
               {"role", RoleName(owner.owner.role)},
               {"public_key", ToBase64(owner.owner.spki)},
               {"proof", ToBase64(owner.proof)}});
}

Result<wire::NewOwner> ReadOwnerProof(const std::string& path, const std::string& enclave_id,
                                      const std::string& token_label) {
  KC_ASSIGN(const Bytes text, ReadFile(path, kMaxFile));
  const auto document = ParseDocument(AsText(text), kProof);
  if (!document.ok()) return document.error().In(path);
  wire::NewOwner owner;
  KC_ASSIGN(owner.owner.name, Member(*document, "name"));
  KC_ASSIGN(const std::string role, Member(*document, "role"));
  if (role != RoleName(wire::OwnerRole::kOwner) && role != RoleName(wire::OwnerRole::kAuditor))
    return Fail(Code::kMalformed, path + ": role " + role);
  owner.owner.role = role == RoleName(wire::OwnerRole::kOwner) ? wire::OwnerRole::kOwner
                                                               : wire::OwnerRole::kAuditor;
  KC_ASSIGN(owner.owner.spki, BytesMember(*document, "public_key"));
  KC_ASSIGN(owner.proof, BytesMember(*document, "proof"));
  const wire::OwnerEnrolment enrolment{.label = std::string(wire::kOwnerEnrolmentLabel),
                                       .enclave_id = enclave_id,
                                       .token = token_label,
                                       .owner = owner.owner};
  const Status proved =
      authz::VerifyOwnerSignature(owner.owner.spki, wire::Encode(enrolment), owner.proof);
  if (proved.ok()) return owner;
  return Fail(Code::kStatementInvalid, path + " is no proof for token " + token_label +
                                           " of enclave " + enclave_id +
                                           ": it was made for another, or edited");
}

}  // namespace keyclave::ctl
