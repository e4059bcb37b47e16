// A store whose rows outlive whoever owns it: what a process that ends, or is killed, leaves
// behind.
#pragma once

#include <memory>

#include "enclave/store/store.h"

namespace keyclave::fakes {

class LastingStore final : public store::Store {
 public:
  explicit LastingStore(std::shared_ptr<store::Store> inner) : inner_(std::move(inner)) {}
  Result<Bytes> ReadHead() override { return inner_->ReadHead(); }
  Status ForEach(const std::function<Status(const store::RowId&, ByteSpan)>& visit) override {
    return inner_->ForEach(visit);
  }
  Result<Bytes> Read(const store::RowId& id) override { return inner_->Read(id); }
  Status Commit(std::span<const store::Change> changes, ByteSpan head) override {
    return inner_->Commit(changes, head);
  }

 private:
  const std::shared_ptr<store::Store> inner_;
};

}  // namespace keyclave::fakes
