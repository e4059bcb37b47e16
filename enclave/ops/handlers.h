// The handlers of the dispatch table. Each takes the call, the decoded request and the proof of its
// permission.
#pragma once

#include "enclave/ops/permission.h"
#include "enclave/wire/op_codec.h"

namespace keyclave::ops {

template <wire::Op op>
using RequestOf = typename wire::OpTraits<op>::Request;
template <wire::Op op>
using ReplyOf = Result<typename wire::OpTraits<op>::Reply>;
using wire::Op;

// session_ops.cc
ReplyOf<Op::kHello> Hello(Call&, const wire::HelloRequest&, const Anyone::Proof&);
ReplyOf<Op::kAttest> Attest(Call&, const wire::AttestRequest&, const Anyone::Proof&);
ReplyOf<Op::kStatus> ReportStatus(Call&, const wire::StatusRequest&, const Anyone::Proof&);
ReplyOf<Op::kDrain> SetDrain(Call&, const wire::DrainRequest&, const OperatorOnly::Proof&);
ReplyOf<Op::kRandom> Random(Call&, const wire::RandomRequest&, const Anyone::Proof&);
ReplyOf<Op::kListMechanisms> ListMechanisms(Call&, const wire::Empty&, const Anyone::Proof&);

// token_ops.cc
ReplyOf<Op::kListTokens> ListTokens(Call&, const wire::Empty&, const Anyone::Proof&);
ReplyOf<Op::kCreateToken> CreateToken(Call&, const wire::CreateTokenRequest&,
                                      const OperatorOnly::Proof&);
ReplyOf<Op::kInitToken> InitToken(Call&, const wire::InitTokenRequest&,
                                  const InitialiseToken::Proof&);
ReplyOf<Op::kDeleteToken> DeleteToken(Call&, const wire::DeleteTokenRequest&,
                                      const AuthorizedToken&);
// login_ops.cc
ReplyOf<Op::kInitPin> InitPin(Call&, const wire::InitPinRequest&, const VisibleToken&);
ReplyOf<Op::kSetPin> SetPin(Call&, const wire::SetPinRequest&, const VisibleToken&);
ReplyOf<Op::kLogin> Login(Call&, const wire::LoginRequest&, const VisibleToken&);
ReplyOf<Op::kLogout> Logout(Call&, const wire::LogoutRequest&, const VisibleToken&);
ReplyOf<Op::kReauthenticate> Reauthenticate(Call&, const wire::ReauthenticateRequest&,
                                            const AuthorizedObject&);

// object_ops.cc
ReplyOf<Op::kFindObjects> FindObjects(Call&, const wire::FindObjectsRequest&, const VisibleToken&);
ReplyOf<Op::kGetObject> GetObject(Call&, const wire::GetObjectRequest&, const AuthorizedObject&);
ReplyOf<Op::kSetAttributes> SetAttributes(Call&, const wire::SetAttributesRequest&,
                                          const AuthorizedObject&);
ReplyOf<Op::kCopyObject> CopyObject(Call&, const wire::CopyObjectRequest&, const AuthorizedObject&);
ReplyOf<Op::kDestroyObject> DestroyObject(Call&, const wire::DestroyObjectRequest&,
                                          const AuthorizedObject&);
ReplyOf<Op::kCertify> Certify(Call&, const wire::CertifyRequest&, const AuthorizedObject&);

// issue_ops.cc
ReplyOf<Op::kIssueCertificate> IssueCertificate(Call&, const wire::IssueCertificateRequest&,
                                                const IssueUnder::Proof&);

// create_ops.cc
ReplyOf<Op::kCreateObject> CreateObject(Call&, const wire::CreateObjectRequest&,
                                        const AuthorizedCreation&);
ReplyOf<Op::kGenerateKey> GenerateKey(Call&, const wire::GenerateKeyRequest&,
                                      const AuthorizedCreation&);
ReplyOf<Op::kGenerateKeyPair> GenerateKeyPair(Call&, const wire::GenerateKeyPairRequest&,
                                              const AuthorizedCreation&);
ReplyOf<Op::kImportKey> ImportKey(Call&, const wire::ImportKeyRequest&, const AuthorizedCreation&);
ReplyOf<Op::kUnwrapKey> UnwrapKey(Call&, const wire::UnwrapKeyRequest&, const AuthorizedObject&);
ReplyOf<Op::kDeriveKey> DeriveKey(Call&, const wire::DeriveKeyRequest&, const AuthorizedObject&);

// encapsulate_ops.cc
ReplyOf<Op::kEncapsulateKey> EncapsulateKey(Call&, const wire::EncapsulateKeyRequest&,
                                            const AuthorizedObject&);
ReplyOf<Op::kDecapsulateKey> DecapsulateKey(Call&, const wire::DecapsulateKeyRequest&,
                                            const AuthorizedObject&);

// attest_key.cc
ReplyOf<Op::kAttestKey> AttestKey(Call&, const wire::AttestKeyRequest&, const AuthorizedObject&);
// release_ops.cc
ReplyOf<Op::kRelease> Release(Call&, const wire::ReleaseRequest&, const ReleaseTo::Proof&);

// key_ops.cc
ReplyOf<Op::kSign> Sign(Call&, const wire::SignRequest&, const AuthorizedObject&);
ReplyOf<Op::kVerify> Verify(Call&, const wire::VerifyRequest&, const AuthorizedObject&);
ReplyOf<Op::kEncrypt> Encrypt(Call&, const wire::EncryptRequest&, const AuthorizedObject&);
ReplyOf<Op::kDecrypt> Decrypt(Call&, const wire::DecryptRequest&, const AuthorizedObject&);
ReplyOf<Op::kSignRecover> SignRecover(Call&, const wire::SignRecoverRequest&,
                                      const AuthorizedObject&);
ReplyOf<Op::kVerifyRecover> VerifyRecover(Call&, const wire::VerifyRecoverRequest&,
                                          const AuthorizedObject&);
ReplyOf<Op::kDigest> Digest(Call&, const wire::DigestRequest&, const Anyone::Proof&);
ReplyOf<Op::kWrapKey> WrapKey(Call&, const wire::WrapKeyRequest&, const AuthorizedObject&);
// The mechanism's row, after checking the key's own attributes: usage (CKA_SIGN …),
// CKA_ALLOWED_MECHANISMS. kMechanismInvalid if the mechanism does not do what `flag` (CKF_SIGN …)
// says. Its dates "are for reference only; Cryptoki does not … restrict usage of a key according to
// the dates" (pkcs11-base-v3.0 §4.7): a policy's `valid` does.
Result<mech::MechEntry> CheckKeyUse(const keys::Object& key, const wire::Mechanism& mechanism,
                                    uint64_t flag, uint64_t usage_attribute);

// administer_ops.cc
ReplyOf<Op::kAdminister> Administer(Call&, const wire::AdministerRequest&, const Anyone::Proof&);
ReplyOf<Op::kOwnerLogin> OwnerLogin(Call&, const wire::OwnerLoginRequest&,
                                    const SignedBySomebody::Proof&);
// owner_ops.cc
ReplyOf<Op::kListOwners> ListOwners(Call&, const wire::ListOwnersRequest&, const VisibleToken&);
ReplyOf<Op::kSetOwner> SetOwner(Call&, const wire::SetOwnerRequest&, const AuthorizedToken&);
ReplyOf<Op::kRemoveOwner> RemoveOwner(Call&, const wire::RemoveOwnerRequest&,
                                      const AuthorizedToken&);

// policy_ops.cc
ReplyOf<Op::kApplyPolicy> ApplyPolicy(Call&, const wire::ApplyPolicyRequest&,
                                      const AuthorizedToken&);
ReplyOf<Op::kListPolicies> ListPolicies(Call&, const wire::ListPoliciesRequest&,
                                        const InspectedToken&);
ReplyOf<Op::kShowPolicy> ShowPolicy(Call&, const wire::ShowPolicyRequest&, const InspectedToken&);
ReplyOf<Op::kExplain> ExplainDenial(Call&, const wire::ExplainRequest&, const AuthorizedObject&);

// set_ops.cc
ReplyOf<Op::kApplySet> ApplySet(Call&, const wire::ApplySetRequest&, const AuthorizedToken&);
ReplyOf<Op::kListSets> ListSets(Call&, const wire::ListSetsRequest&, const InspectedToken&);
ReplyOf<Op::kShowSet> ShowSet(Call&, const wire::ShowSetRequest&, const InspectedToken&);
ReplyOf<Op::kReadHistory> ReadHistory(Call&, const wire::ReadHistoryRequest&,
                                      const InspectedToken&);

// revoke_ops.cc
ReplyOf<Op::kApprove> Approve(Call&, const wire::ApproveRequest&, const AuthorizedToken&);
ReplyOf<Op::kListApprovals> ListApprovals(Call&, const wire::ListApprovalsRequest&,
                                          const InspectedToken&);
ReplyOf<Op::kRevoke> Revoke(Call&, const wire::RevokeRequest&, const AuthorizedToken&);
ReplyOf<Op::kListRevocations> ListRevocations(Call&, const wire::ListRevocationsRequest&,
                                              const InspectedToken&);
ReplyOf<Op::kLiftRevocation> LiftRevocation(Call&, const wire::LiftRevocationRequest&,
                                            const AuthorizedToken&);

// fleet_ops.cc
ReplyOf<Op::kFoundFleet> FoundFleet(Call&, const wire::FoundFleetRequest&,
                                    const OperatorOnly::Proof&);
ReplyOf<Op::kJoinFleet> JoinFleet(Call&, const wire::JoinFleetRequest&, const JoinTheFleet::Proof&);
ReplyOf<Op::kRemoveMember> RemoveMember(Call&, const wire::RemoveMemberRequest&,
                                        const AuthorizedToken&);
ReplyOf<Op::kListMembers> ListMembers(Call&, const wire::ListMembersRequest&,
                                      const AuditReader::Proof&);

// mark_ops.cc
ReplyOf<Op::kKeepMark> KeepMark(Call&, const wire::KeepMarkRequest&, const MarkKeeper::Proof&);
ReplyOf<Op::kCompareMarks> CompareMarks(Call&, const wire::CompareMarksRequest&,
                                        const AttestedCaller::Proof&);

// keep_ops.cc
ReplyOf<Op::kKeepObjects> KeepObjects(Call&, const wire::KeepObjectsRequest&,
                                      const CreateIn::Proof&);

// audit_ops.cc
ReplyOf<Op::kReadAudit> ReadAudit(Call&, const wire::ReadAuditRequest&, const AuditReader::Proof&);

ReplyOf<Op::kAuditHead> AuditHead(Call&, const wire::AuditHeadRequest&, const AuditReader::Proof&);

// store_ops.cc
ReplyOf<Op::kCheckStore> CheckStore(Call&, const wire::CheckStoreRequest&,
                                    const OperatorOnly::Proof&);
ReplyOf<Op::kCompactStore> CompactStore(Call&, const wire::CompactStoreRequest&,
                                        const OperatorOnly::Proof&);
ReplyOf<Op::kBeginBackup> BeginBackup(Call&, const wire::BeginBackupRequest&,
                                      const OperatorOnly::Proof&);
ReplyOf<Op::kReadBackup> ReadBackup(Call&, const wire::ReadBackupRequest&,
                                    const OperatorOnly::Proof&);
ReplyOf<Op::kCheckBackup> CheckBackup(Call&, const wire::CheckBackupRequest&,
                                      const OperatorOnly::Proof&);
ReplyOf<Op::kRestoreStatus> RestoreStatus(Call&, const wire::RestoreStatusRequest&,
                                          const Anyone::Proof&);
ReplyOf<Op::kGiveRecoveryShare> GiveRecoveryShare(Call&, const wire::GiveRecoveryShareRequest&,
                                                  const Anyone::Proof&);
ReplyOf<Op::kRequireVersion> RequireVersion(Call&, const wire::RequireVersionRequest&,
                                            const OwnersOf::Proof&);
// Who could restore the enclave elsewhere, as `keyclave status` has it.
std::optional<wire::RecoveryInfo> RecoveryOf(const keys::ObjectStore& store);

}  // namespace keyclave::ops
