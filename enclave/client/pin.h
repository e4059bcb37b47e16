// Pinned policies: requests say of every object which policies the caller is content with, so that
// the enclave checks it in the same step in which it uses the object.
#pragma once

#include "enclave/wire/op_codec.h"

namespace keyclave::client {

using PolicyDigests = std::vector<ByteArray<32>>;

// The pins of a configuration in a reference; what a URI pins itself must be among them.
// kPolicyDigest.
inline Status AddPins(wire::ObjectRef& ref, const PolicyDigests& pins) {
  if (!ref.policies) {
    ref.policies = pins;
    return Done{};
  }
  std::erase_if(*ref.policies, [&](const ByteArray<32>& digest) {
    return std::find(pins.begin(), pins.end(), digest) == pins.end();
  });
  if (!ref.policies->empty()) return Done{};
  return Fail(Code::kPolicyDigest, "the URI pins a policy that policy_digests leaves out");
}

// The request's encoding, with the pins in every reference.
template <wire::Op op>
Result<Bytes> EncodePinned(const typename wire::OpTraits<op>::Request& request,
                           const PolicyDigests& pins) {
  using Request = typename wire::OpTraits<op>::Request;
  // Requests that carry secrets cannot be copied, and name no objects.
  if constexpr (std::is_copy_constructible_v<Request>) {
    if (!pins.empty()) {
      Request copy = request;
      Status pinned;
      copy.Visit([&](uint64_t, auto& field) {
        if constexpr (std::is_same_v<std::decay_t<decltype(field)>, wire::ObjectRef>) {
          if (pinned.ok()) pinned = AddPins(field, pins);
        }
      });
      KC_CHECK_OK(pinned);
      return wire::OpCodec<op>::EncodeRequest(copy);
    }
  }
  return wire::OpCodec<op>::EncodeRequest(request);
}

}  // namespace keyclave::client
