// The signatures that one turn of a worker is asked for, and whom their replies are for.
#pragma once

#include "enclave/ops/service.h"

namespace keyclave::ops {

class ReplyBatch final : public server::Batch {
 public:
  explicit ReplyBatch(const Service& service)
      : service_(service), signatures_(service.multi_buffer) {}

  mech::SignBatch& signatures() { return signatures_; }
  struct Waiting {
    size_t signature;  // its place among the signatures
    uint64_t connection;
    uint64_t request;
    bool is_operator;
  };
  void Expect(const Waiting& reply) { waiting_.push_back(reply); }
  std::vector<Reply> Run() override;

 private:
  const Service& service_;
  mech::SignBatch signatures_;
  std::vector<Waiting> waiting_;
};

}  // namespace keyclave::ops
