// What the tests of this folder share: a root secret, records, objects.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "enclave/base/hash.h"
#include "enclave/keys/object_store.h"
#include "tests/fakes/fault_store.h"
#include "tests/fakes/memory_witness.h"
#include "tests/fakes/temporary_directory.h"

namespace keyclave::keys {

inline SecretBytes TestSecret(uint8_t first = 0) {
  ByteArray<32> bytes{};
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(first + i);
  return SecretBytes::CopyOf(bytes);
}

inline RecordKey TestKey(uint8_t id) { return {RecordType::kObject, {0x11}, {id}}; }

inline RecordChange TestChange(uint8_t id, std::string_view body) {
  return {{TestKey(id), 0, Sha256(AsBytes("policy")), ToBytes(body)}};
}

inline RecordChange TestRemoval(uint8_t id) { return {{TestKey(id), 0, {}, {}}, true}; }

template <class T>
T Must(Result<T> result) {
  if (!result.ok()) {
    ADD_FAILURE() << result.error().Text();
    std::abort();
  }
  return std::move(result).value();
}

inline void MustOk(const Status& status) { ASSERT_TRUE(status.ok()) << status.error().Text(); }

inline Document TestPolicy(std::string name, uint64_t version, std::string_view more = "") {
  Document policy{std::move(name), version, {}, {}};
  policy.text = "policy: " + policy.name + "\nversion: " + std::to_string(version) + "\n";
  policy.text.append(more);
  policy.digest = Sha256(AsBytes(policy.text));
  return policy;
}

inline Token TestToken(std::string label) {
  Token token;
  token.label = std::move(label);
  token.created = 1'700'000'000;
  return token;
}

// An AES key (or an object of another class) of this label and CKA_ID.
inline NewObject TestObject(const Token& token, std::string_view label, std::string_view id,
                            uint64_t object_class = CKO_SECRET_KEY, uint64_t session = 0) {
  NewObject fresh;
  fresh.object.token = token.id;
  fresh.object.session = session;
  wire::AttributeList& attributes = fresh.object.attributes;
  attributes.SetUlong(CKA_CLASS, object_class);
  attributes.SetText(CKA_LABEL, label);
  attributes.SetText(CKA_ID, id);
  if (object_class == CKO_SECRET_KEY || object_class == CKO_PRIVATE_KEY) {
    attributes.SetUlong(CKA_KEY_TYPE, CKK_AES);
    attributes.SetBool(CKA_PRIVATE, true);
    const auto value = Sha256(AsBytes(std::string(label) + "/" + std::string(id)));
    fresh.material = SecretBytes::CopyOf(value);
  }
  return fresh;
}

inline bool Everything(const Object& /*object*/) { return true; }

inline std::vector<NewObject> One(NewObject object) {
  std::vector<NewObject> list;
  list.push_back(std::move(object));
  return list;
}

}  // namespace keyclave::keys
