// `co-resident`: the kernel's word for a process in the enclave's own confidential virtual machine.
// There are no bytes: the caller sends none, and the enclave looks at the peer of its unix socket
// (peer_process.h). It counts only where the enclave is such a machine, whose own evidence covers
// the kernel that is believed here, and only for policies that say `tee: {is: co-resident}`.
//
// It proves: a process of this user (uid, gid, cgroup) made the connection, and now runs this
// file. It does not prove that nothing else acts through that process: whoever may start the
// program as this user can also preload a library, trace it, or connect first and start it then.
// A policy must therefore name the uid; the measurement catches mistakes, not that user.

#include "attest/peer_process.h"
#include "attest/tee_type.h"

namespace keyclave::attest {
namespace {

bool Recognises(ByteSpan /*bytes*/) { return false; }

Result<std::any> Parse(ByteSpan bytes) {
  if (!bytes.empty())
    return Fail(Code::kEvidenceMalformed, "co-resident: the caller sends no bytes");
  return std::any(Done{});
}

Result<ClaimSet> Verify(const std::any& /*parsed*/, const VerifyContext& context) {
  if (context.peer == nullptr || !context.binding.for_session())
    return Fail(Code::kEvidenceUnbound, "co-resident: only the peer of a unix socket can be one");
  const PeerProcess& peer = *context.peer;
  ClaimSet claims;
  claims.Set("tee", std::string("co-resident"));
  claims.Set("measurement", ToHex(peer.executable.measurement));
  claims.Set("debug", false);
  claims.Set("tcb_status", std::string("up-to-date"));
  claims.Set("co-resident.uid", int64_t{peer.uid});
  claims.Set("co-resident.gid", int64_t{peer.gid});
  claims.Set("co-resident.executable", peer.executable.name);
  if (!peer.cgroup.empty()) claims.Set("co-resident.cgroup", peer.cgroup);
  return claims;
}

std::vector<Field> Describe(const std::any& /*parsed*/) { return {{"bytes", "none"}}; }

Result<Bytes> Produce(const ReportData& /*report_data*/, const ProducerConfig& /*config*/,
                      UnixTime /*now*/) {
  return Bytes();
}

}  // namespace

extern const TeeType kCoResidentTee;
const TeeType kCoResidentTee = {"co-resident", Recognises, Parse, Verify, Describe, Produce};

}  // namespace keyclave::attest
