#include "enclave/ctl/key_line.h"

#include <algorithm>

namespace keyclave::ctl {

const wire::ObjectInfo* KeyLine::Staged() const {
  const wire::ObjectInfo& newest = versions.back();
  return newest.attributes.IsTrue(kCkaStaged) ? &newest : nullptr;
}

const wire::ObjectInfo& KeyLine::InService() const {
  const auto found = std::find_if(versions.rbegin(), versions.rend(), [](const auto& version) {
    return !version.attributes.IsTrue(kCkaStaged);
  });
  return found == versions.rend() ? versions.back() : *found;
}

const wire::ObjectInfo* KeyLine::WithPublicKey(ByteSpan spki) const {
  const auto found = std::find_if(versions.begin(), versions.end(), [&](const auto& version) {
    const Bytes* own = version.attributes.Find(CKA_PUBLIC_KEY_INFO);
    return own != nullptr && Equal(*own, spki);
  });
  return found == versions.end() ? nullptr : &*found;
}

Result<KeyLine> FindLine(Enclave& enclave, const std::string& key, const std::string& token_label) {
  KC_ASSIGN(const wire::ObjectInfo object, enclave.Object(key, token_label));
  KeyLine line;
  line.label = object.attributes.Text(CKA_LABEL);
  if (object.attributes.Ulong(CKA_CLASS) != CKO_PRIVATE_KEY || line.label.empty())
    return Fail(Code::kInvalidArgument, key + ": only private keys with a label have versions");
  KC_ASSIGN(const wire::ListTokensReply tokens, enclave.Call<wire::Op::kListTokens>({}));
  for (const wire::TokenInfo& token : tokens.tokens) {
    if (token.id == object.token) line.token = token;
  }
  wire::AttributeList match;
  match.SetUlong(CKA_CLASS, CKO_PRIVATE_KEY);
  match.SetText(CKA_LABEL, line.label);
  KC_ASSIGN(line.versions, enclave.Objects(object.token, match, /*versions=*/true));
  std::sort(line.versions.begin(), line.versions.end(), [](const auto& a, const auto& b) {
    return VersionOf(a.attributes) < VersionOf(b.attributes);
  });
  if (line.versions.empty()) return Fail(Code::kObjectNotFound, key);
  return line;
}

uint64_t VersionOf(const wire::AttributeList& attributes) {
  return attributes.Ulong(kCkaVersion).value_or(1);
}

bool IsRetired(const wire::AttributeList& attributes, UnixTime now) {
  const uint64_t until = attributes.Ulong(kCkaUseUntil).value_or(0);
  return until != 0 && static_cast<UnixTime>(until) <= now;
}

std::string_view StateOf(const wire::AttributeList& attributes, UnixTime now) {
  if (attributes.IsTrue(kCkaStaged)) return "staged";
  if (attributes.Ulong(kCkaUseUntil).value_or(0) == 0) return "in service";
  return IsRetired(attributes, now) ? "retired" : "draining";
}

std::string VersionText(const wire::AttributeList& attributes, UnixTime now) {
  const uint64_t until = attributes.Ulong(kCkaUseUntil).value_or(0);
  if (!attributes.Has(kCkaVersion) && until == 0) return "";
  const std::string text = std::to_string(VersionOf(attributes));
  const std::string_view state = StateOf(attributes, now);
  if (state == "in service") return text;
  if (state == "draining") return text + " until " + FormatTime(static_cast<UnixTime>(until));
  return text + " " + std::string(state);
}

}  // namespace keyclave::ctl
