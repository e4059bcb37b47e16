// An ObjectStore over a real state directory, with one token and its policy.
#pragma once

#include <string>

#include "enclave/keys/state_files.h"
#include "tests/unit/keys/fixture.h"

namespace keyclave::keys {

class ObjectStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    MustOk(InitState(state_, FileSealer()));
    Reopen();
    token_ = Must(store_->CreateToken(TestToken("first"), TestPolicy("p", 1)));
  }
  void Reopen() {
    store_.reset();
    store_ = Must(ObjectStore::Open(state_, FileSealer()));
  }
  ObjectPtr Insert(std::string_view label, std::string_view id,
                   uint64_t object_class = CKO_SECRET_KEY, uint64_t session = 0) {
    return Must(store_->Insert(One(TestObject(token_, label, id, object_class, session)))).front();
  }
  std::string Material(const Object& object) {
    return ToHex(Must(store_->ReadMaterial(object)).Expose(SecretAccess()));
  }
  static std::string MaterialOf(std::string_view label_and_id) {
    return ToHex(Sha256(AsBytes(label_and_id)));
  }
  std::vector<ObjectPtr> FindAll(const wire::AttributeList& match = {}) {
    const auto found = store_->Find(token_.id, match, std::nullopt, 100'000, Everything);
    return {found.begin(), found.end()};
  }

  fakes::TemporaryDirectory directory_;
  const std::string state_ = directory_.path() + "/state";
  std::unique_ptr<ObjectStore> store_;
  Token token_;
};

}  // namespace keyclave::keys
