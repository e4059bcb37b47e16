// The Secret Discovery Service over gRPC: the three methods, over raw bytes, so that what holds a
// key is memory that is wiped when gRPC is done with it.
#pragma once

#include <sds.grpc.pb.h>

#include "enclave/sds/stream.h"

namespace keyclave::sds {

// Who is at the other end of each connection, by gRPC's name for it. A name comes back when its
// connection is gone; nothing of the old one can be answered then.
class Peers {
 public:
  void Set(const std::string& name, const Peer& peer);
  std::optional<Peer> Find(const std::string& name) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Peer, std::less<>> peers_;
};

using PublishedService = envoy::service::secret::v3::SecretDiscoveryService;
using RawService = PublishedService::WithRawCallbackMethod_StreamSecrets<
    PublishedService::WithRawCallbackMethod_DeltaSecrets<
        PublishedService::WithRawCallbackMethod_FetchSecrets<PublishedService::Service>>>;

class Service final : public RawService {
 public:
  using Bidi = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;

  explicit Service(Hub& hub) : hub_(hub) {}
  Peers& peers() { return peers_; }

  Bidi* StreamSecrets(grpc::CallbackServerContext* context) override;
  Bidi* DeltaSecrets(grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* FetchSecrets(grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response) override;

 private:
  Bidi* Open(const grpc::CallbackServerContext& context, Dialect dialect);

  Hub& hub_;
  Peers peers_;
};

}  // namespace keyclave::sds
