// Intel's multi-buffer library (crypto_mb, AVX-512 IFMA), where the machine has it: eight
// signatures in the time of little more than one.
//
// - It is loaded while the daemon starts, never linked; without it everything works by OpenSSL.
// - A kind of key is offered only if the library, when it is loaded, makes right signatures of it
// in
//   every lane (a packaged build computes Ed25519 wrongly and says that all is well), and from that
//   many signatures on from which a group was then measured to beat OpenSSL.
// - No signature leaves that the public key does not confirm: one fault in an RSA signature gives
//   the private key away (Boneh, DeMillo, Lipton, 1997).
#pragma once

#include <array>
#include <atomic>
#include <span>
#include <string>

#include "enclave/base/result.h"
#include "enclave/mech/lane.h"

namespace keyclave::mech {

class MultiBuffer {
 public:
  // `library`: a path; empty: what the system has under its usual names. kUnsupported: no such
  // library, not all that is needed of it, or a processor without the instructions.
  // `worth_from`: what WorthFrom shall say of the kinds that it does rightly; 0: what is measured.
  static Result<std::unique_ptr<const MultiBuffer>> Load(const std::string& library,
                                                         size_t worth_from = 0);
  ~MultiBuffer();
  MultiBuffer(const MultiBuffer&) = delete;
  MultiBuffer& operator=(const MultiBuffer&) = delete;

  // From how many signatures on a group is worth its while; 0: never.
  size_t WorthFrom(LaneKind kind) const { return worth_from_[static_cast<size_t>(kind)]; }
  // Signs a group of at most kLanes of one kind. What fails, or does not verify, stays without a
  // signature, for OpenSSL to make. Any number of threads may sign.
  void Sign(LaneKind kind, std::span<Lane> group) const;

  // Groups of so many signatures (1 … kLanes) since the start; signatures that did not verify.
  uint64_t groups(size_t size) const { return groups_[size - 1].load(std::memory_order_relaxed); }
  uint64_t faults() const { return faults_.load(std::memory_order_relaxed); }
  // "crypto_mb 2.3.0: rsa-2048 from 2, p-256 from 5", for `keyclave status`.
  std::string Describe() const;

 private:
  struct Library;
  explicit MultiBuffer(std::unique_ptr<const Library> library);
  // WorthFrom of a kind, or 0 if the library does not do it, does it wrongly, or slowly.
  size_t TryOut(LaneKind kind, size_t worth_from);

  const std::unique_ptr<const Library> library_;
  std::array<size_t, kLaneKinds> worth_from_{};
  std::array<bool, kLaneKinds> wrong_{};
  mutable std::array<std::atomic<uint64_t>, kLanes> groups_{};
  mutable std::atomic<uint64_t> faults_{0};
};

}  // namespace keyclave::mech
