// The dispatch table: one row per operation of the wire, and the way of a request through it.
//
// A row is made from the operation, a permission and a handler. The permission is a type whose
// Enforce makes the proof that the handler takes as its last argument, so a row without a
// permission, or a handler that skips it, does not compile.
#pragma once

#include "enclave/ops/access.h"

namespace keyclave::ops {

enum class SessionNeed {
  kNothing,  // before Hello
  kHello,    // the enclave has proved itself on this connection
};

enum class AuditClass {
  kNone,     // reads; uses of keys are audited by AuthorizeUse
  kChange,   // every success is a record, written before the reply; without room for it nothing is
             // done
  kRelease,  // the same, for what lets a key leave
};

struct Row {
  wire::Op op;
  SessionNeed need;
  AuditClass audit;
  bool touches_objects;  // and is not for whoever cannot be sure what was revoked
  // Whether it is for a caller that relays another's evidence, too (Identity::is_relayed). Such a
  // caller may gain nothing, so what it may run hands out nothing but what is encrypted to that
  // other one's key.
  bool for_relayed;
  Result<Bytes> (*run)(Call&,
                       ByteSpan fields);  // decodes, enforces the permission, handles, encodes
};

// nullptr for an operation that is not in the table (a test checks that each of ops.inc is).
const Row* FindRow(wire::Op op);

// Runs the row's request (its permission, its handler) and writes the change's audit record.
// kDenied for a caller with relayed evidence, if the row is not for it.
Result<Bytes> RunRow(Call& call, const Row& row, ByteSpan fields);

class Dispatcher final : public server::RequestHandler {
 public:
  explicit Dispatcher(Service& service) : service_(service) {}
  Bytes Handle(session::Connection& connection, const wire::Frame& request) override;
  // Signatures join the batch where a multi-buffer library makes them.
  std::optional<Bytes> HandleOrJoin(session::Connection& connection, const wire::Frame& request,
                                    server::Batch& batch, uint64_t number) override;
  std::unique_ptr<server::Batch> NewBatch() override;
  bool IsSlow(const wire::Frame& request) const override;

 private:
  // The reply, if the call did not join a batch.
  Bytes Answer(Call& call, const wire::Frame& request);
  Result<Bytes> Run(Call& call, const wire::RequestBody& body);
  Service& service_;
};

}  // namespace keyclave::ops
