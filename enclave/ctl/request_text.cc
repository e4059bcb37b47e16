#include "enclave/ctl/request_text.h"

#include "enclave/base/clock.h"
#include "enclave/base/hash.h"
#include "enclave/ctl/key_text.h"
#include "enclave/ctl/request_file.h"
#include "enclave/wire/op_codec.h"

namespace keyclave::ctl {
namespace {

using wire::Op;
using Lines = std::vector<std::string>;

std::string RefText(const wire::ObjectRef& ref) {
  if (ref.id) return "object " + ToHex(*ref.id);
  std::string text = "whatever object then has";
  if (ref.token_label) text += " token " + Harmless(*ref.token_label);
  if (ref.token_serial) text += " serial " + Harmless(*ref.token_serial);
  if (ref.object_class) text += " class " + std::to_string(*ref.object_class);
  if (ref.cka_id) text += " CKA_ID " + ToHex(*ref.cka_id);
  if (ref.label) text += " label " + Harmless(*ref.label);
  return text;
}

void AddAttributes(const std::string& of, const wire::AttributeList& attributes, Lines& lines) {
  for (const AttributeText& text : AttributeTexts(attributes))
    lines.push_back(of + text.name + ": " + Harmless(text.value));
}

void AddText(std::string_view name, const std::string& text, Lines& lines) {
  lines.push_back(std::string(name) + ", SHA-256 " + ToHex(Sha256(AsBytes(text))) + ":");
  std::string_view rest = text;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    lines.push_back("  | " + Harmless(rest.substr(0, end)));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

std::string MechanismText(uint64_t type) {
  switch (type) {
    case CKM_EC_KEY_PAIR_GEN: return "EC key pair";
    case CKM_RSA_PKCS_KEY_PAIR_GEN: return "RSA key pair";
    case CKM_AES_KEY_GEN: return "AES key";
    case CKM_EC_EDWARDS_KEY_PAIR_GEN: return "Edwards-curve key pair";
    case CKM_GENERIC_SECRET_KEY_GEN: return "secret key";
    default: return "key by mechanism " + std::to_string(type);
  }
}

Status Describe(const wire::ApplyPolicyRequest& request, Lines& lines) {
  lines.push_back(request.make_default ? "apply this policy and make it the token's default policy"
                                       : "apply this policy");
  AddText("policy", request.text, lines);
  return Done{};
}

Status Describe(const wire::ApplySetRequest& request, Lines& lines) {
  lines.emplace_back("apply this reference-value set");
  AddText("set", request.text, lines);
  return Done{};
}

Status Describe(const wire::DeleteTokenRequest& /*request*/, Lines& lines) {
  lines.emplace_back("delete the token and every key in it");
  return Done{};
}

Status Describe(const wire::CreateObjectRequest& request, Lines& lines) {
  lines.push_back("store a " + ClassText(request.attributes));
  AddAttributes("", request.attributes, lines);
  return Done{};
}

Status Describe(const wire::CopyObjectRequest& request, Lines& lines) {
  lines.push_back("copy " + RefText(request.object));
  AddAttributes("changed: ", request.attributes, lines);
  return Done{};
}

Status Describe(const wire::DestroyObjectRequest& request, Lines& lines) {
  lines.push_back("delete " + RefText(request.object));
  return Done{};
}

Status Describe(const wire::SetAttributesRequest& request, Lines& lines) {
  lines.push_back("change attributes of " + RefText(request.object));
  AddAttributes("", request.attributes, lines);
  return Done{};
}

Status Describe(const wire::GenerateKeyRequest& request, Lines& lines) {
  lines.push_back("make an " + MechanismText(request.mechanism.type));
  AddAttributes("", request.attributes, lines);
  return Done{};
}

Status Describe(const wire::GenerateKeyPairRequest& request, Lines& lines) {
  lines.push_back("make an " + MechanismText(request.mechanism.type));
  AddAttributes("private key: ", request.private_attributes, lines);
  AddAttributes("public key: ", request.public_attributes, lines);
  return Done{};
}

Status Describe(const wire::CertifyRequest& request, Lines& lines) {
  const bool self_signed = request.kind != wire::CertifyKind::kRequest;
  const bool is_ca = request.kind == wire::CertifyKind::kSelfSignedCa;
  lines.push_back((is_ca         ? "make a CA, by a self-signed certificate, of "
                   : self_signed ? "make a self-signed certificate for "
                                 : "make a CSR for ") +
                  RefText(request.key));
  lines.push_back("subject: " + Harmless(request.subject));
  for (const std::string& name : request.names) lines.push_back("name: " + Harmless(name));
  if (self_signed) lines.push_back("days: " + std::to_string(request.days));
  if (request.attest) lines.emplace_back("with the enclave's word about the key");
  return Done{};
}

Status Describe(const wire::SetOwnerRequest& request, Lines& lines) {
  const wire::Owner& owner = request.owner.owner;
  lines.push_back("make the holder of this key " + Harmless(owner.name) + ", an " +
                  std::string(RoleName(owner.role)));
  lines.push_back("key, SHA-256: " + ToHex(Sha256(owner.spki)));
  return Done{};
}

Status Describe(const wire::RemoveOwnerRequest& request, Lines& lines) {
  lines.push_back("remove owner " + Harmless(request.name));
  return Done{};
}

Status Describe(const wire::RequireVersionRequest& request, Lines& lines) {
  lines.push_back("require version " + std::to_string(request.svn) +
                  " of every enclave that has the keys, for ever");
  return Done{};
}

Status Describe(const wire::RemoveMemberRequest& request, Lines& lines) {
  lines.push_back("take member " + Harmless(request.member) +
                  " out of the fleet, and begin another generation of the root secret");
  return Done{};
}

Status Describe(const wire::ApproveRequest& request, Lines& lines) {
  lines.push_back("approve " + Harmless(request.operation) + " with object " +
                  ToHex(request.object));
  lines.push_back("caller: " + Harmless(request.tee) + " " + Harmless(request.measurement));
  lines.push_back("until: " + FormatTime(request.expires));
  lines.push_back("reason: " + Harmless(request.reason));
  return Done{};
}

Status Describe(const wire::RevokeRequest& request, Lines& lines) {
  if (request.whom) lines.push_back("revoke callers with: " + Harmless(*request.whom));
  if (request.object) lines.push_back("revoke object " + ToHex(*request.object));
  lines.push_back("reason: " + Harmless(request.reason));
  return Done{};
}

Status Describe(const wire::LiftRevocationRequest& request, Lines& lines) {
  lines.push_back("lift revocation " + ToHex(request.id));
  return Done{};
}

template <Op op>
Status DescribeAs(const wire::Statement& statement, Lines& lines) {
  KC_ASSIGN(const auto request, wire::OpCodec<op>::DecodeRequest(statement.request));
  // One that names its token must name the statement's: a reader would take them for the same.
  if constexpr (requires { request.token; }) {
    if (request.token != statement.token)
      return Fail(Code::kMalformed, "the request is for another token than its statement");
  }
  return Describe(request, lines);
}

Status DescribeRequest(const wire::Statement& statement, Lines& lines) {
  switch (static_cast<Op>(statement.op)) {
    case Op::kApplyPolicy: return DescribeAs<Op::kApplyPolicy>(statement, lines);
    case Op::kApplySet: return DescribeAs<Op::kApplySet>(statement, lines);
    case Op::kDeleteToken: return DescribeAs<Op::kDeleteToken>(statement, lines);
    case Op::kCreateObject: return DescribeAs<Op::kCreateObject>(statement, lines);
    case Op::kCopyObject: return DescribeAs<Op::kCopyObject>(statement, lines);
    case Op::kDestroyObject: return DescribeAs<Op::kDestroyObject>(statement, lines);
    case Op::kSetAttributes: return DescribeAs<Op::kSetAttributes>(statement, lines);
    case Op::kGenerateKey: return DescribeAs<Op::kGenerateKey>(statement, lines);
    case Op::kGenerateKeyPair: return DescribeAs<Op::kGenerateKeyPair>(statement, lines);
    case Op::kCertify: return DescribeAs<Op::kCertify>(statement, lines);
    case Op::kSetOwner: return DescribeAs<Op::kSetOwner>(statement, lines);
    case Op::kRequireVersion: return DescribeAs<Op::kRequireVersion>(statement, lines);
    case Op::kRemoveOwner: return DescribeAs<Op::kRemoveOwner>(statement, lines);
    case Op::kRemoveMember: return DescribeAs<Op::kRemoveMember>(statement, lines);
    case Op::kApprove: return DescribeAs<Op::kApprove>(statement, lines);
    case Op::kRevoke: return DescribeAs<Op::kRevoke>(statement, lines);
    case Op::kLiftRevocation: return DescribeAs<Op::kLiftRevocation>(statement, lines);
    default:
      return Fail(Code::kMalformed, "a statement for operation " + std::to_string(statement.op) +
                                        ", which is none that is passed around to be signed");
  }
}

}  // namespace

Result<std::vector<std::string>> DescribeStatement(const wire::Statement& statement) {
  Lines lines;
  KC_CHECK_OK(DescribeRequest(statement, lines));
  return lines;
}

}  // namespace keyclave::ctl
