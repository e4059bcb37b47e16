#include "enclave/wire/pace.h"

namespace keyclave::wire {
namespace {

// Keys are made, PINs stretched, evidence produced, or the disk is waited for.
constexpr Op kLong[] = {
    Op::kCreateToken,      Op::kInitToken,       Op::kInitPin,
    Op::kSetPin,           Op::kLogin,           Op::kDeleteToken,
    Op::kCreateObject,     Op::kGenerateKeyPair, Op::kImportKey,
    Op::kCertify,          Op::kAttestKey,       Op::kRelease,
    Op::kIssueCertificate, Op::kApplyPolicy,     Op::kReadAudit,
    Op::kAuditHead,        Op::kAdminister,      Op::kSetOwner,
    Op::kRemoveOwner,      Op::kApplySet,        Op::kApprove,
    Op::kRevoke,           Op::kLiftRevocation,  Op::kCheckStore,
    Op::kCompactStore,     Op::kFoundFleet,      Op::kJoinFleet,
    Op::kRemoveMember,     Op::kRequireVersion,  Op::kBeginBackup,
    Op::kReadBackup,       Op::kCheckBackup,     Op::kGiveRecoveryShare,
    Op::kKeepMark,         Op::kKeepObjects,
};

}  // namespace

bool TakesLong(Op op) {
  return std::find(std::begin(kLong), std::end(kLong), op) != std::end(kLong);
}

}  // namespace keyclave::wire
