#include "enclave/ctl/document_history.h"

#include <CLI/CLI.hpp>

#include "enclave/authz/owner_key.h"
#include "enclave/authz/policy.h"
#include "enclave/authz/set_document.h"
#include "enclave/base/clock.h"
#include "enclave/base/hash.h"
#include "enclave/ctl/key_file.h"
#include "enclave/ctl/output.h"

namespace keyclave::ctl {
namespace {

using wire::DocumentKind;

struct NameAndVersion {
  std::string name;
  uint64_t version = 0;
};

Result<NameAndVersion> HeadOf(DocumentKind kind, const std::string& text) {
  if (kind == DocumentKind::kPolicy) {
    KC_ASSIGN(const authz::Policy policy, authz::Policy::Parse(text, "policy"));
    return NameAndVersion{policy.name(), policy.version()};
  }
  KC_ASSIGN(const authz::SetDocument set, authz::SetDocument::Parse(text, "set"));
  return NameAndVersion{set.name(), set.version()};
}

Result<std::string> SignedText(DocumentKind kind, const wire::Statement& statement,
                               const wire::TokenId& token) {
  const auto op = static_cast<wire::Op>(statement.op);
  if (kind == DocumentKind::kPolicy && op == wire::Op::kApplyPolicy) {
    KC_ASSIGN(wire::ApplyPolicyRequest request,
              wire::OpCodec<wire::Op::kApplyPolicy>::DecodeRequest(statement.request));
    if (request.token == token) return std::move(request.text);
  }
  if (kind == DocumentKind::kSet && op == wire::Op::kApplySet) {
    KC_ASSIGN(wire::ApplySetRequest request,
              wire::OpCodec<wire::Op::kApplySet>::DecodeRequest(statement.request));
    if (request.token == token) return std::move(request.text);
  }
  return Fail(Code::kStatementInvalid, "what was signed asks for something else");
}

Status CheckContent(const wire::DocumentVersion& version, DocumentKind kind) {
  if (Sha256(AsBytes(version.text)) != version.digest)
    return Fail(Code::kStatementInvalid, "the text is not that of its digest");
  KC_ASSIGN(const NameAndVersion head, HeadOf(kind, version.text));
  if (head.name != version.name || head.version != version.version)
    return Fail(Code::kStatementInvalid, "the text is of another name or version");
  return Done{};
}

Status CheckStatement(const wire::DocumentVersion& version, DocumentKind kind,
                      const std::string& enclave_id, const wire::TokenId& token) {
  KC_ASSIGN(const auto statement, wire::Decode<wire::Statement>(version.authority->statement));
  if (statement.label != wire::kStatementLabel || statement.enclave_id != enclave_id ||
      statement.token != token)
    return Fail(Code::kStatementInvalid, "it was signed for another enclave or token");
  KC_ASSIGN(const std::string text, SignedText(kind, statement, token));
  if (text != version.text)
    return Fail(Code::kStatementInvalid, "the text is not the one that was signed");
  return Done{};
}

Status CheckSignature(const wire::OwnerSignature& signature, ByteSpan statement,
                      const std::vector<wire::Owner>& owners) {
  for (const wire::Owner& owner : owners) {
    if (owner.name == signature.owner)
      return authz::VerifyOwnerSignature(owner.spki, statement, signature.signature);
  }
  return Fail(Code::kOwnerUnknown, "no key of " + signature.owner + " is known here");
}

Result<std::vector<wire::Owner>> GivenOwners(const std::vector<std::string>& specs) {
  std::vector<wire::Owner> owners;
  for (const std::string& text : specs) {
    KC_ASSIGN(const OwnerKeySpec spec, ParseOwnerKeySpec(text));
    KC_ASSIGN(Bytes spki, ReadPublicKey(spec.key));
    owners.push_back({.name = spec.name, .role = wire::OwnerRole::kOwner, .spki = std::move(spki)});
  }
  return owners;
}

Result<std::vector<wire::DocumentVersion>> ReadAll(Enclave& enclave, const wire::TokenId& token,
                                                   DocumentKind kind, const std::string& name) {
  std::vector<wire::DocumentVersion> versions;
  wire::ReadHistoryRequest request{.token = token, .kind = kind, .name = name, .before = 0};
  while (true) {
    KC_ASSIGN(wire::ReadHistoryReply page, enclave.Call<wire::Op::kReadHistory>(request));
    for (wire::DocumentVersion& version : page.versions) versions.push_back(std::move(version));
    if (!page.more || page.versions.empty()) return versions;
    request.before = versions.back().version;
  }
}

std::string NamesText(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text.append(text.empty() ? "" : ", ").append(name);
  return text;
}

std::vector<std::string> SignedBy(const wire::DocumentVersion& version) {
  std::vector<std::string> names;
  if (!version.authority) return names;
  for (const wire::OwnerSignature& signature : version.authority->signatures)
    names.push_back(signature.owner);
  return names;
}

// One line of the table.
struct Line {
  const wire::DocumentVersion* version;
  std::optional<Provenance> provenance;  // of --verify
  bool suspicious = false;
};

std::string VerdictText(const Line& line) {
  if (!line.provenance) return "";
  if (!line.provenance->bad.empty())
    return Paint(Colour::kBad, "BAD") + ": " + Harmless(line.provenance->bad);
  if (line.provenance->is_signed) return Paint(Colour::kGood, "good");
  return line.suspicious ? Paint(Colour::kBad, "BAD") + ": nobody signed it" : "not signed";
}

void PrintLines(const std::vector<Line>& lines, bool json, bool with_text) {
  if (!json && with_text) {
    for (const Line& line : lines) Print(line.version->text);
    return;
  }
  Json list = Json::array();
  Table table({"VERSION", "APPLIED", "SIGNED BY", "DIGEST", "VERIFIED"});
  for (const Line& line : lines) {
    const wire::DocumentVersion& version = *line.version;
    Json entry = {{"version", version.version},
                  {"applied", FormatTime(version.applied)},
                  {"digest", ToHex(version.digest)},
                  {"signed_by", SignedBy(version)},
                  {"text", version.text}};
    if (line.provenance) {
      const std::string& bad = line.provenance->bad;
      entry["good"] = bad.empty() && !line.suspicious;
      entry["good_signatures"] = line.provenance->good;
      if (!bad.empty()) entry["why"] = bad;
    }
    list.push_back(std::move(entry));
    table.Add({std::to_string(version.version), FormatTime(version.applied),
               version.authority ? Harmless(NamesText(SignedBy(version))) : "-",
               ToHex(version.digest), VerdictText(line)});
  }
  if (json) {
    PrintJson({{"versions", list}});
  } else {
    Print(table.Text());
  }
}

}  // namespace

Provenance CheckVersion(const wire::DocumentVersion& version, DocumentKind kind,
                        const std::string& enclave_id, const wire::TokenId& token,
                        const std::vector<wire::Owner>& owners) {
  Provenance provenance;
  const auto note = [&](const Status& status) {
    if (!status.ok() && provenance.bad.empty()) provenance.bad = status.error().detail();
    return status.ok();
  };
  note(CheckContent(version, kind));
  if (!version.authority) return provenance;
  provenance.is_signed = true;
  note(CheckStatement(version, kind, enclave_id, token));
  for (const wire::OwnerSignature& signature : version.authority->signatures) {
    if (note(CheckSignature(signature, version.authority->statement, owners)))
      provenance.good.push_back(signature.owner);
  }
  if (provenance.good.empty() && provenance.bad.empty()) provenance.bad = "it has no signature";
  return provenance;
}

void AddHistoryOptions(CLI::App& command, HistoryOptions& options) {
  AddTokenOptions(command, options.token);
  command.add_option("name", options.name, "its name")->required();
  command.add_option("--version", options.version, "this version alone, with its text")
      ->type_name("N");
  command.add_flag("--verify", options.verify,
                   "check that each version is what its owners signed, and fail if one is not");
  command
      .add_option("--owner-key", options.owner_keys,
                  "believe this owner's public key (PEM) and no other; may be repeated (default: "
                  "the keys that the enclave has)")
      ->type_name("NAME=FILE")
      ->allow_extra_args(false);
}

Result<int> ShowHistory(const HistoryOptions& options, DocumentKind kind, const Globals& globals) {
  KC_ASSIGN(const auto enclave, Enclave::Open(globals, options.token));
  KC_ASSIGN(const wire::TokenInfo token, enclave->Token(options.token.label));
  KC_ASSIGN(std::vector<wire::DocumentVersion> versions,
            ReadAll(*enclave, token.id, kind, options.name));
  KC_ASSIGN(const wire::ListOwnersReply listed, enclave->Call<wire::Op::kListOwners>({token.id}));
  KC_ASSIGN(const std::vector<wire::Owner> given, GivenOwners(options.owner_keys));
  const auto& owners = given.empty() ? listed.owners : given;
  std::vector<Line> lines;
  bool bad = false;
  for (size_t i = 0; i < versions.size(); ++i) {
    if (options.version != 0 && versions[i].version != options.version) continue;
    Line line{.version = &versions[i], .provenance = std::nullopt};
    if (options.verify) {
      line.provenance = CheckVersion(versions[i], kind, listed.enclave_id, token.id, owners);
      // The first came with the token itself, or before anybody could sign.
      line.suspicious =
          token.owners.has_value() && !line.provenance->is_signed && i + 1 < versions.size();
      bad = bad || !line.provenance->bad.empty() || line.suspicious;
    }
    lines.push_back(std::move(line));
  }
  if (lines.empty())
    return Fail(Code::kNotFound, options.version == 0 ? options.name + " has no versions here"
                                                      : options.name + " version " +
                                                            std::to_string(options.version));
  PrintLines(lines, globals.json, options.version != 0 && !options.verify);
  return bad ? kExitRefused : kExitOk;
}

}  // namespace keyclave::ctl
