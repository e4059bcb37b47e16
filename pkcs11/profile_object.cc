#include "pkcs11/profile_object.h"

#include "enclave/base/hash.h"

namespace keyclave::pkcs11 {
namespace {

constexpr CK_ULONG kProfiles[] = {CKP_BASELINE_PROVIDER, CKP_EXTENDED_PROVIDER,
                                  CKP_AUTHENTICATION_TOKEN, CKP_PUBLIC_CERTIFICATES_TOKEN,
                                  CKP_HKDF_TLS_TOKEN};

// Objects are known by their id, in all tokens together.
wire::ObjectId IdOf(const wire::TokenId& token, CK_ULONG profile) {
  Bytes name = ToBytes(AsBytes("profile"));
  name.insert(name.end(), token.begin(), token.end());
  name.push_back(static_cast<uint8_t>(profile));
  const ByteArray<32> digest = Sha256(name);
  wire::ObjectId id{};
  std::copy_n(digest.begin(), id.size(), id.begin());
  return id;
}

wire::ObjectInfo Make(const wire::TokenId& token, CK_ULONG profile) {
  wire::ObjectInfo info{.id = IdOf(token, profile), .token = token, .attributes = {}};
  wire::AttributeList& attributes = info.attributes;
  attributes.SetUlong(CKA_CLASS, CKO_PROFILE);
  attributes.SetUlong(CKA_PROFILE_ID, profile);
  attributes.SetText(CKA_UNIQUE_ID, ToHex(info.id));
  attributes.SetText(CKA_LABEL, "");
  attributes.SetBool(CKA_TOKEN, true);
  for (const CK_ATTRIBUTE_TYPE no : {CKA_PRIVATE, CKA_MODIFIABLE, CKA_COPYABLE, CKA_DESTROYABLE})
    attributes.SetBool(no, false);
  return info;
}

bool Matches(const wire::AttributeList& attributes, const wire::AttributeList& match) {
  return std::all_of(match.items.begin(), match.items.end(), [&](const wire::Attribute& wanted) {
    const Bytes* value = attributes.Find(wanted.type);
    return value != nullptr && *value == wanted.value;
  });
}

}  // namespace

std::vector<wire::ObjectInfo> FindProfiles(const wire::TokenId& token,
                                           const wire::AttributeList& match) {
  std::vector<wire::ObjectInfo> found;
  for (const CK_ULONG profile : kProfiles) {
    wire::ObjectInfo info = Make(token, profile);
    if (Matches(info.attributes, match)) found.push_back(std::move(info));
  }
  return found;
}

bool IsProfile(const CachedObject& object) { return object.Class() == CKO_PROFILE; }

Status CheckNotProfile(const CachedObject& object) {
  if (IsProfile(object)) return Fail(Code::kActionProhibited, "a profile");
  return Done{};
}

}  // namespace keyclave::pkcs11
