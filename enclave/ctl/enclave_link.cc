#include "enclave/ctl/enclave_link.h"

#include <CLI/CLI.hpp>

#include "enclave/client/key_reference.h"
#include "enclave/ctl/output.h"
#include "enclave/ctl/secret_input.h"

namespace keyclave::ctl {
namespace {

constexpr uint64_t kPage = 256;  // objects per FindObjects

std::string LabelsOf(const std::vector<wire::TokenInfo>& tokens) {
  std::string labels;
  for (const wire::TokenInfo& token : tokens) {
    labels.append(labels.empty() ? "" : ", ").append(Harmless(token.label));
  }
  return labels.empty() ? "none" : labels;
}

// Smaller means: rather what the user means by a name.
int Rank(const wire::ObjectInfo& object) {
  switch (object.attributes.Ulong(CKA_CLASS).value_or(CKO_DATA)) {
    case CKO_PRIVATE_KEY:
    case CKO_SECRET_KEY: return 0;
    case CKO_PUBLIC_KEY: return 1;
    case CKO_CERTIFICATE: return 2;
    default: return 3;
  }
}

// What a URI says of an object, as a search.
wire::AttributeList MatchOf(const wire::ObjectRef& ref) {
  wire::AttributeList match;
  if (ref.object_class) match.SetUlong(CKA_CLASS, *ref.object_class);
  if (ref.cka_id) match.Set(CKA_ID, *ref.cka_id);
  if (ref.label) match.SetText(CKA_LABEL, *ref.label);
  return match;
}

Result<wire::TokenInfo> PickToken(std::vector<wire::TokenInfo> tokens, const wire::ObjectRef& ref) {
  const std::string all = LabelsOf(tokens);
  std::erase_if(tokens, [&](const wire::TokenInfo& token) {
    return !token.initialized || (ref.token_label && token.label != *ref.token_label) ||
           (ref.token_serial && token.serial != *ref.token_serial);
  });
  if (tokens.size() == 1) return tokens.front();
  if (tokens.empty()) {
    const std::string wanted = ref.token_label    ? "no token has the label " + *ref.token_label
                               : ref.token_serial ? "no token has the serial " + *ref.token_serial
                                                  : "there is no token yet (keyclave token create)";
    return Fail(Code::kTokenNotFound, wanted + "; there are: " + all);
  }
  return Fail(Code::kInvalidArgument, "say which token, --token LABEL; there are: " + all);
}

}  // namespace

Result<std::unique_ptr<Enclave>> Enclave::Open(const Globals& globals, const TokenChoice& choice) {
  KC_ASSIGN(client::ClientConfig config, client::LoadClientConfig(globals.config));
  return Open(std::move(config), choice);
}

Result<std::unique_ptr<Enclave>> Enclave::Open(client::ClientConfig config,
                                               const TokenChoice& choice) {
  config.in_order = true;  // one command after another meets the same member
  KC_ASSIGN(Signers signers, Signers::Choose(choice.owner, config.owner));
  return std::make_unique<Enclave>(std::move(config), choice, std::move(signers));
}

Status Enclave::Login() {
  const std::string what = "PIN of token " + Harmless(token_->label);
  KC_ASSIGN(SecretBytes pin,
            choice_.pin_file.empty() ? AskSecret(what) : ReadSecretFile(choice_.pin_file));
  return client_.Login(token_->id, wire::LoginState::kUser, std::move(pin));
}

Result<wire::TokenInfo> Enclave::Token(const std::string& label) {
  KC_ASSIGN(wire::ListTokensReply reply, Call<wire::Op::kListTokens>({}));
  wire::ObjectRef ref;
  if (!label.empty()) ref.token_label = label;
  KC_ASSIGN(token_, PickToken(std::move(reply.tokens), ref));
  return *token_;
}

Result<std::vector<wire::ObjectInfo>> Enclave::Objects(const wire::TokenId& token,
                                                       const wire::AttributeList& match,
                                                       bool versions) {
  std::vector<wire::ObjectInfo> objects;
  wire::FindObjectsRequest request;
  request.token = token;
  request.match = match;
  request.limit = kPage;
  if (versions) request.versions = true;
  while (true) {
    if (wants_all_) request.all = true;
    auto page = Call<wire::Op::kFindObjects>(request);
    const bool some_only = !page.ok() && wants_all_ &&
                           (page.code() == Code::kOperatorOnly || page.code() == Code::kOwnersOnly);
    if (some_only) {
      if (page.code() == Code::kOwnersOnly) left_out_ = page.error();
      wants_all_ = false;
      request.all.reset();
      continue;
    }
    if (!page.ok()) return std::move(page).error();
    for (wire::ObjectInfo& object : page->objects) objects.push_back(std::move(object));
    if (!page->more || page->objects.empty()) return objects;
    request.after = objects.back().id;
  }
}

Status Enclave::SawAll() const {
  if (left_out_) return *left_out_;
  return Done{};
}

// What a URI pins must be so before a command goes on with the object.
Status Enclave::CheckPins(const client::KeyUri& uri, const wire::ObjectInfo& object) {
  const Bytes* digest = object.attributes.Find(kCkaPolicyDigest);
  if (uri.object.policies) {
    const std::string wanted = ToHex(uri.object.policies->front());
    const std::string got = digest == nullptr ? "none" : ToHex(*digest);
    if (wanted != got) return FailWanted(Code::kPolicyDigest, "x-keyclave-policy", wanted, got);
  }
  return Done{};
}

Result<wire::ObjectInfo> Enclave::Object(const std::string& name, const std::string& token_label) {
  client::KeyUri uri;
  if (client::IsKeyUri(name)) {
    KC_ASSIGN(uri, client::ParseKeyUri(name));
  } else {
    uri.object.label = name;
  }
  wire::ObjectRef& ref = uri.object;
  if (!uri.measurement.empty()) measurement_ = uri.measurement;
  if (!ref.token_label && !ref.token_serial && !token_label.empty()) ref.token_label = token_label;
  KC_ASSIGN(wire::ListTokensReply tokens, Call<wire::Op::kListTokens>({}));
  KC_ASSIGN(const wire::TokenInfo token, PickToken(std::move(tokens.tokens), ref));
  token_ = token;
  KC_ASSIGN(std::vector<wire::ObjectInfo> found, Objects(token.id, MatchOf(ref)));
  if (found.empty()) {
    KC_CHECK_OK(SawAll());
    return Fail(Code::kObjectNotFound, name + " in token " + token.label);
  }
  int best = Rank(found.front());
  for (const wire::ObjectInfo& object : found) best = std::min(best, Rank(object));
  std::erase_if(found, [&](const wire::ObjectInfo& object) { return Rank(object) != best; });
  if (found.size() > 1) {
    return Fail(Code::kObjectAmbiguous,
                name + ": " + std::to_string(found.size()) + " objects in token " + token.label);
  }
  KC_CHECK_OK(CheckPins(uri, found.front()));
  return found.front();
}

void AddTokenLabel(CLI::App& command, std::string& label) {
  command.add_option("--token", label, "the token's label; may be left out if there is only one")
      ->type_name("LABEL")
      ->envname("KEYCLAVE_TOKEN");
}

void AddTokenOptions(CLI::App& command, TokenChoice& choice) {
  AddTokenLabel(command, choice.label);
  command
      .add_option("--pin-file", choice.pin_file,
                  "read the token's PIN from here, if it has one (-: stdin; default: ask)")
      ->type_name("FILE");
  AddOwnerOptions(command, choice.owner);
}

wire::ObjectRef RefTo(const wire::ObjectInfo& object) {
  wire::ObjectRef ref;
  ref.id = object.id;
  return ref;
}

}  // namespace keyclave::ctl
