// The document of the `simulated` type. Evidence is an array of two byte strings, document and
// signature; the document is a map with the keys below, all present, in this order.
//
//   1  label         text   "keyclave/simulated/1"
//   2  root          bytes  SHA-256 of the signing root's SubjectPublicKeyInfo
//   3  measurement   bytes  SHA-256 of the executable
//   4  executable    text   its name, for people
//   5  product id    uint
//   6  svn           uint
//   7  debug         bool
//   8  platform id   bytes  derived from the machine's id
//   9  issued        int    Unix time
//   10 report data   bytes  64
#pragma once

#include "attest/ecdsa_p256.h"
#include "attest/evidence.h"

namespace keyclave::attest {

// Evidence issued longer ago than this, or further in the future, is refused. Freshness comes from
// the verifier's nonce in the report data; this only stops a machine whose clock is plainly wrong.
inline constexpr UnixTime kSimulatedMaxAge = 300;     // seconds
inline constexpr UnixTime kSimulatedMaxFuture = 300;  // seconds

struct SimulatedDocument {
  ByteArray<32> root{};
  ByteArray<32> measurement{};
  std::string executable;
  uint64_t product_id = 0;
  uint64_t svn = 0;
  bool debug = false;
  ByteArray<32> platform_id{};
  UnixTime issued = 0;
  ReportData report_data{};
};

// Sets `root` to the key's own and signs.
Result<Bytes> SignSimulated(SimulatedDocument document, const P256PrivateKey& root);

}  // namespace keyclave::attest
