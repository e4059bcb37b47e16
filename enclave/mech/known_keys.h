// Keys of each kind whose signatures are known, and how fast OpenSSL makes them: what a
// multi-buffer library is tried out with before it signs for anybody.
#pragma once

#include <functional>
#include <span>

#include "enclave/base/result.h"
#include "enclave/mech/lane.h"

namespace keyclave::mech {

class KnownKey {
 public:
  using SignGroup = std::function<void(std::span<Lane> group)>;

  static Result<KnownKey> Make(LaneKind kind);

  // Whether full groups and partial ones come out as OpenSSL makes them, or as it verifies them
  // where they are random, in each lane.
  bool IsAnsweredRightBy(const SignGroup& sign) const;
  // How many signatures of OpenSSL's take longer than one group; 0: more than kLanes of them.
  size_t WorthFrom(const SignGroup& sign) const;

 private:
  KnownKey(EvpPkey pkey, std::unique_ptr<const LaneKey> key);
  // What is signed, and that as a lane takes it.
  Bytes Input(uint8_t number) const;
  Bytes LaneInput(ByteSpan input) const;
  bool IsRight(ByteSpan input, ByteSpan signature) const;
  Result<Bytes> SignAlone(ByteSpan input) const;

  EvpPkey pkey_;
  std::unique_ptr<const LaneKey> key_;
};

}  // namespace keyclave::mech
