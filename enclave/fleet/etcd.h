// etcd, by its JSON gateway (etcd 3.4 and 3.5: /v3/kv/range, /v3/kv/txn, /v3/watch).
//
// Nothing that comes from it is believed: what it stores is sealed, and enclave/keys/vault.h
// notices what is old, edited or missing. Here is only the protocol: several endpoints, of which
// one after the other is asked until one answers; TLS with a client certificate; a deadline for
// every call.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "enclave/base/bytes.h"

namespace keyclave::fleet {

struct EtcdConfig {
  std::vector<std::string> endpoints;        // https://host:port, or http:// of this machine
  std::string ca_file;                       // PEM; with https
  std::string certificate_file;              // PEM, of this client; empty: none
  std::string key_file;                      // PEM
  std::string prefix = "/keyclave";          // of all keys: several fleets may share a cluster
  std::chrono::milliseconds deadline{2000};  // of one call, all endpoints together
};

struct KeyValue {
  Bytes key;
  Bytes value;
  int64_t modified = 0;  // revision of the last change
};

// Of a range as of one revision.
struct Range {
  std::vector<KeyValue> found;
  bool more = false;
  int64_t revision = 0;
  uint64_t cluster = 0;  // the cluster's id: revisions of two clusters have nothing in common
};

struct RangeQuery {
  Bytes key;
  Bytes end = {};             // exclusive; empty: only the key
  int64_t at = 0;             // revision; 0: the newest, agreed on by the members
  int64_t modified_from = 0;  // least revision of the last change
  int64_t limit = 0;          // keys; 0: all
};

// One comparison: `value` as it is now, or absent.
struct Compare {
  Bytes key;
  std::optional<Bytes> value;
};
struct Put {
  Bytes key;
  Bytes value;
};
struct Delete {
  Bytes key;
  Bytes end = {};  // as in RangeQuery
};
struct Transaction {
  std::vector<Compare> compare;
  std::vector<Put> put = {};
  std::vector<Delete> remove = {};
};
struct Outcome {
  bool succeeded = false;
  int64_t revision = 0;
};

// The smallest key above all that begin with `prefix`.
Bytes PrefixEnd(ByteSpan prefix);

class Etcd {
 public:
  // kInvalidArgument for files that cannot be read.
  static Result<std::unique_ptr<Etcd>> Create(EtcdConfig config);
  virtual ~Etcd() = default;

  // kStoreUnreachable: no endpoint answered, with each one's reason; kNotFound: `at` was compacted
  // away, or is yet to come. Thread-safe, as all of these are.
  virtual Result<Range> Read(const RangeQuery& query) = 0;
  // An attempt that is not answered is made again at the next endpoint: `compare` has to make sure
  // that it happens once. kStoreUnreachable: it did not happen; kStoreIo: it is not known whether
  // it did; kTooLarge, kStoreFull: etcd's own limits.
  virtual Result<Outcome> Commit(const Transaction& transaction) = 0;
  // Waits until the key is changed after `revision`. False: not within `timeout`.
  virtual Result<bool> Watch(const Bytes& key, int64_t revision,
                             std::chrono::milliseconds timeout) = 0;
};

}  // namespace keyclave::fleet
