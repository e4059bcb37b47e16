#include "pkcs11/rv_map.h"

#include <algorithm>
#include <iterator>

namespace keyclave::pkcs11 {
namespace {

// Return values with the module's own names, so that a log line can be searched for in the
// specification.
struct NamedRv {
  CK_RV rv;
  std::string_view name;
};
#define KC_RV(name) \
  NamedRv { name, #name }
constexpr NamedRv kNames[] = {
    KC_RV(CKR_OK),
    KC_RV(CKR_HOST_MEMORY),
    KC_RV(CKR_SLOT_ID_INVALID),
    KC_RV(CKR_GENERAL_ERROR),
    KC_RV(CKR_FUNCTION_FAILED),
    KC_RV(CKR_ARGUMENTS_BAD),
    KC_RV(CKR_NO_EVENT),
    KC_RV(CKR_ATTRIBUTE_READ_ONLY),
    KC_RV(CKR_ATTRIBUTE_SENSITIVE),
    KC_RV(CKR_ATTRIBUTE_TYPE_INVALID),
    KC_RV(CKR_ATTRIBUTE_VALUE_INVALID),
    KC_RV(CKR_ACTION_PROHIBITED),
    KC_RV(CKR_DATA_INVALID),
    KC_RV(CKR_DATA_LEN_RANGE),
    KC_RV(CKR_DEVICE_ERROR),
    KC_RV(CKR_DEVICE_MEMORY),
    KC_RV(CKR_ENCRYPTED_DATA_INVALID),
    KC_RV(CKR_ENCRYPTED_DATA_LEN_RANGE),
    KC_RV(CKR_FUNCTION_NOT_PARALLEL),
    KC_RV(CKR_FUNCTION_NOT_SUPPORTED),
    KC_RV(CKR_KEY_HANDLE_INVALID),
    KC_RV(CKR_KEY_SIZE_RANGE),
    KC_RV(CKR_KEY_TYPE_INCONSISTENT),
    KC_RV(CKR_KEY_INDIGESTIBLE),
    KC_RV(CKR_KEY_FUNCTION_NOT_PERMITTED),
    KC_RV(CKR_KEY_NOT_WRAPPABLE),
    KC_RV(CKR_KEY_UNEXTRACTABLE),
    KC_RV(CKR_MECHANISM_INVALID),
    KC_RV(CKR_MECHANISM_PARAM_INVALID),
    KC_RV(CKR_OBJECT_HANDLE_INVALID),
    KC_RV(CKR_OPERATION_ACTIVE),
    KC_RV(CKR_OPERATION_NOT_INITIALIZED),
    KC_RV(CKR_PIN_INCORRECT),
    KC_RV(CKR_PIN_LEN_RANGE),
    KC_RV(CKR_PIN_LOCKED),
    KC_RV(CKR_SESSION_COUNT),
    KC_RV(CKR_SESSION_HANDLE_INVALID),
    KC_RV(CKR_SESSION_PARALLEL_NOT_SUPPORTED),
    KC_RV(CKR_SESSION_READ_ONLY),
    KC_RV(CKR_SESSION_EXISTS),
    KC_RV(CKR_SESSION_READ_ONLY_EXISTS),
    KC_RV(CKR_SESSION_READ_WRITE_SO_EXISTS),
    KC_RV(CKR_SIGNATURE_INVALID),
    KC_RV(CKR_SIGNATURE_LEN_RANGE),
    KC_RV(CKR_TEMPLATE_INCOMPLETE),
    KC_RV(CKR_TEMPLATE_INCONSISTENT),
    KC_RV(CKR_TOKEN_NOT_PRESENT),
    KC_RV(CKR_TOKEN_NOT_RECOGNIZED),
    KC_RV(CKR_TOKEN_WRITE_PROTECTED),
    KC_RV(CKR_UNWRAPPING_KEY_HANDLE_INVALID),
    KC_RV(CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT),
    KC_RV(CKR_USER_ALREADY_LOGGED_IN),
    KC_RV(CKR_USER_NOT_LOGGED_IN),
    KC_RV(CKR_USER_PIN_NOT_INITIALIZED),
    KC_RV(CKR_USER_TYPE_INVALID),
    KC_RV(CKR_USER_ANOTHER_ALREADY_LOGGED_IN),
    KC_RV(CKR_WRAPPED_KEY_INVALID),
    KC_RV(CKR_WRAPPED_KEY_LEN_RANGE),
    KC_RV(CKR_WRAPPING_KEY_HANDLE_INVALID),
    KC_RV(CKR_WRAPPING_KEY_TYPE_INCONSISTENT),
    KC_RV(CKR_RANDOM_SEED_NOT_SUPPORTED),
    KC_RV(CKR_DOMAIN_PARAMS_INVALID),
    KC_RV(CKR_CURVE_NOT_SUPPORTED),
    KC_RV(CKR_BUFFER_TOO_SMALL),
    KC_RV(CKR_SAVED_STATE_INVALID),
    KC_RV(CKR_STATE_UNSAVEABLE),
    KC_RV(CKR_SESSION_ASYNC_NOT_SUPPORTED),
    KC_RV(CKR_CRYPTOKI_NOT_INITIALIZED),
    KC_RV(CKR_CRYPTOKI_ALREADY_INITIALIZED),
};
#undef KC_RV

}  // namespace

std::string_view RvName(CK_RV rv) {
  const auto* found = std::find_if(std::begin(kNames), std::end(kNames),
                                   [&](const NamedRv& row) { return row.rv == rv; });
  return found == std::end(kNames) ? "CKR_?" : found->name;
}

// A table in the form of a switch: the compiler asks for every code.
CK_RV ToRv(Code code) {
  switch (code) {
    // base: what is wrong inside one of the two programs, or with this machine
    case Code::kInternal:
    case Code::kIo:
    case Code::kNotFound:
    case Code::kPermissionDenied:
    case Code::kAddressInUse: return CKR_GENERAL_ERROR;
    case Code::kOutOfMemory: return CKR_HOST_MEMORY;
    case Code::kUnsupported: return CKR_FUNCTION_NOT_SUPPORTED;
    case Code::kInvalidArgument: return CKR_ARGUMENTS_BAD;
    case Code::kTruncated:
    case Code::kTrailingBytes:
    case Code::kMalformed:
    case Code::kTooLarge: return CKR_DEVICE_ERROR;

    // configuration: only C_Initialize meets these
    case Code::kConfigSyntax:
    case Code::kConfigUnknownKey:
    case Code::kConfigDuplicateKey:
    case Code::kConfigWrongType:
    case Code::kConfigMissingKey:
    case Code::kConfigBadValue:
    case Code::kConfigNotFound: return CKR_GENERAL_ERROR;

    // channel and wire: the enclave is gone, or not the one that is expected, or does not believe
    // us
    case Code::kUnreachable:
    case Code::kDeadline:
    case Code::kChannelClosed:
    case Code::kTlsFailed:
    case Code::kNoExporter:
    case Code::kEnclaveRefused:
    case Code::kEvidenceRefused:
    case Code::kSocketOwner:
    case Code::kTooManyConnections:
    case Code::kUnknownSession:
    case Code::kFrameTooLarge:
    case Code::kBadVersion:
    case Code::kUnknownOperation:
    case Code::kBadMessage:
    case Code::kWrongState:
    case Code::kTooManyRequests:
    case Code::kReplyMismatch: return CKR_DEVICE_ERROR;
    case Code::kEvidenceUnknownType:
    case Code::kEvidenceMalformed:
    case Code::kEvidenceSignature:
    case Code::kEvidenceChain:
    case Code::kEvidenceBinding:
    case Code::kEvidenceTime:
    case Code::kEvidenceNotAccepted:
    case Code::kEvidenceUnavailable:
    case Code::kAppraisalFailed:
    case Code::kEvidenceRevoked:
    case Code::kEvidenceTcb:
    case Code::kCollateralMissing:
    case Code::kCollateralExpired:
    case Code::kCollateralInvalid:
    case Code::kEvidenceIdentity:
    case Code::kEvidenceUnbound:
    case Code::kEvidenceUnrecognised: return CKR_DEVICE_ERROR;

    // policy: this caller may not do this with this key
    case Code::kEvidenceExpired:
    case Code::kNotAttested:
    case Code::kDenied:
    case Code::kMechanismDenied:
    case Code::kPolicyDigest:
    case Code::kInputRefused:
    case Code::kIssueRefused:
    case Code::kApprovalMissing:
    case Code::kLimitReached:
    case Code::kRevoked: return CKR_KEY_FUNCTION_NOT_PERMITTED;
    case Code::kWrapRefused: return CKR_KEY_NOT_WRAPPABLE;
    case Code::kOperatorOnly:
    case Code::kOwnersOnly: return CKR_TOKEN_WRITE_PROTECTED;
    case Code::kPolicySyntax:
    case Code::kPolicyUnattested:
    case Code::kPolicyVersion:
    case Code::kPolicyInUse:
    case Code::kPolicyLocked:
    case Code::kOwnerUnknown:
    case Code::kStatementInvalid:
    case Code::kStatementExpired:
    case Code::kSequence:
    case Code::kQuorum:
    case Code::kSetNotFound:
    case Code::kReceiptInvalid: return CKR_FUNCTION_FAILED;
    case Code::kPolicyNotFound: return CKR_ATTRIBUTE_VALUE_INVALID;

    // objects and attributes
    case Code::kObjectNotFound:
    case Code::kObjectAmbiguous: return CKR_OBJECT_HANDLE_INVALID;
    case Code::kAttributeReadOnly: return CKR_ATTRIBUTE_READ_ONLY;
    case Code::kAttributeSensitive: return CKR_ATTRIBUTE_SENSITIVE;
    case Code::kAttributeTypeInvalid: return CKR_ATTRIBUTE_TYPE_INVALID;
    case Code::kAttributeValueInvalid:
    case Code::kKeyFileInvalid: return CKR_ATTRIBUTE_VALUE_INVALID;
    case Code::kTemplateIncomplete: return CKR_TEMPLATE_INCOMPLETE;
    case Code::kTemplateInconsistent:
    case Code::kIssuerUnfit:
    case Code::kProofInvalid:
    case Code::kCertificateMismatch: return CKR_TEMPLATE_INCONSISTENT;
    case Code::kActionProhibited: return CKR_ACTION_PROHIBITED;
    case Code::kKeyNotInService:
    case Code::kKeyRetired: return CKR_KEY_FUNCTION_NOT_PERMITTED;
    case Code::kObjectLimit: return CKR_DEVICE_MEMORY;
    case Code::kKeyNotWrappable: return CKR_KEY_NOT_WRAPPABLE;
    case Code::kWrapTemplateMismatch: return CKR_KEY_HANDLE_INVALID;
    case Code::kKeyUnextractable: return CKR_KEY_UNEXTRACTABLE;
    case Code::kCurveUnsupported: return CKR_CURVE_NOT_SUPPORTED;
    case Code::kParameterSetUnsupported: return CKR_PARAMETER_SET_NOT_SUPPORTED;
    case Code::kDomainParamsInvalid: return CKR_DOMAIN_PARAMS_INVALID;

    // mechanisms
    case Code::kMechanismInvalid: return CKR_MECHANISM_INVALID;
    case Code::kMechanismParamInvalid: return CKR_MECHANISM_PARAM_INVALID;
    case Code::kKeyTypeInconsistent: return CKR_KEY_TYPE_INCONSISTENT;
    case Code::kKeySizeRange: return CKR_KEY_SIZE_RANGE;
    case Code::kKeyFunctionNotPermitted: return CKR_KEY_FUNCTION_NOT_PERMITTED;
    case Code::kDataLenRange: return CKR_DATA_LEN_RANGE;
    case Code::kDataInvalid: return CKR_DATA_INVALID;
    case Code::kEncryptedDataLenRange: return CKR_ENCRYPTED_DATA_LEN_RANGE;
    case Code::kEncryptedDataInvalid: return CKR_ENCRYPTED_DATA_INVALID;
    case Code::kSignatureInvalid: return CKR_SIGNATURE_INVALID;
    case Code::kSignatureLenRange: return CKR_SIGNATURE_LEN_RANGE;
    case Code::kWrappedKeyInvalid: return CKR_WRAPPED_KEY_INVALID;
    case Code::kWrappedKeyLenRange: return CKR_WRAPPED_KEY_LEN_RANGE;
    case Code::kObjectChanged:
    case Code::kCryptoFailed: return CKR_FUNCTION_FAILED;

    // the daemon's store and audit log
    case Code::kStoreFull: return CKR_DEVICE_MEMORY;
    case Code::kStoreReadOnly: return CKR_TOKEN_WRITE_PROTECTED;
    case Code::kStoreLocked:
    case Code::kStoreCorrupt:
    case Code::kStoreRolledBack:
    case Code::kStoreForeign:
    case Code::kStoreNewer:
    case Code::kStoreMissing:
    case Code::kStoreExists:
    case Code::kSealFailed:
    case Code::kStoreIo:
    case Code::kWitnessMissing:
    case Code::kWitnessInvalid:
    case Code::kRootSecretInvalid:
    case Code::kSealingKeyUnavailable:
    case Code::kStoreUnreachable:
    case Code::kStoreMoved:
    case Code::kWitnessUnreachable:
    case Code::kFleetStale:
    case Code::kStoreForked:
    case Code::kStoreRestored:
    case Code::kBackupDamaged:
    case Code::kRecoveryShareInvalid:
    case Code::kVersionTooLow:
    case Code::kFleetRemoved:
    case Code::kMemberUnknown:
    case Code::kMemberSelf:
    case Code::kMemberWithoutKey:
    case Code::kAuditBroken:
    case Code::kAuditUnavailable: return CKR_DEVICE_ERROR;

    // tokens and PINs
    case Code::kTokenNotFound: return CKR_TOKEN_NOT_PRESENT;
    case Code::kTokenExists: return CKR_FUNCTION_FAILED;
    case Code::kNotLoggedIn: return CKR_USER_NOT_LOGGED_IN;
    case Code::kPinIncorrect: return CKR_PIN_INCORRECT;
    case Code::kPinLocked: return CKR_PIN_LOCKED;
    case Code::kPinLenRange: return CKR_PIN_LEN_RANGE;
    case Code::kPinNotSet: return CKR_USER_PIN_NOT_INITIALIZED;
    case Code::kAlreadyLoggedIn: return CKR_USER_ALREADY_LOGGED_IN;
    case Code::kOtherUserLoggedIn: return CKR_USER_ANOTHER_ALREADY_LOGGED_IN;
    case Code::kSessionLimit: return CKR_SESSION_COUNT;
    case Code::kTokenNotInitialized: return CKR_TOKEN_NOT_RECOGNIZED;

    // the module's own
    case Code::kP11NotInitialized: return CKR_CRYPTOKI_NOT_INITIALIZED;
    case Code::kP11AlreadyInitialized: return CKR_CRYPTOKI_ALREADY_INITIALIZED;
    case Code::kP11ArgumentsBad: return CKR_ARGUMENTS_BAD;
    case Code::kP11BufferTooSmall: return CKR_BUFFER_TOO_SMALL;
    case Code::kP11SlotInvalid: return CKR_SLOT_ID_INVALID;
    case Code::kP11TokenNotPresent: return CKR_TOKEN_NOT_PRESENT;
    case Code::kP11NoEvent: return CKR_NO_EVENT;
    case Code::kP11SessionAsync: return CKR_SESSION_ASYNC_NOT_SUPPORTED;
    case Code::kP11FunctionNotSupported: return CKR_FUNCTION_NOT_SUPPORTED;
    case Code::kP11FunctionNotParallel: return CKR_FUNCTION_NOT_PARALLEL;
    case Code::kP11SessionHandleInvalid: return CKR_SESSION_HANDLE_INVALID;
    case Code::kP11SessionParallel: return CKR_SESSION_PARALLEL_NOT_SUPPORTED;
    case Code::kP11SessionReadOnly: return CKR_SESSION_READ_ONLY;
    case Code::kP11SessionReadOnlyExists: return CKR_SESSION_READ_ONLY_EXISTS;
    case Code::kP11SessionReadWriteSoExists: return CKR_SESSION_READ_WRITE_SO_EXISTS;
    case Code::kP11SessionExists: return CKR_SESSION_EXISTS;
    case Code::kP11OperationActive: return CKR_OPERATION_ACTIVE;
    case Code::kP11OperationNotInitialized: return CKR_OPERATION_NOT_INITIALIZED;
    case Code::kP11ObjectHandleInvalid: return CKR_OBJECT_HANDLE_INVALID;
    case Code::kP11KeyHandleInvalid: return CKR_KEY_HANDLE_INVALID;
    case Code::kP11WrappingKeyHandleInvalid: return CKR_WRAPPING_KEY_HANDLE_INVALID;
    case Code::kP11UnwrappingKeyHandleInvalid: return CKR_UNWRAPPING_KEY_HANDLE_INVALID;
    case Code::kP11WrappingKeyTypeInconsistent: return CKR_WRAPPING_KEY_TYPE_INCONSISTENT;
    case Code::kP11UnwrappingKeyTypeInconsistent: return CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT;
    case Code::kP11KeyIndigestible: return CKR_KEY_INDIGESTIBLE;
    case Code::kP11StateUnsaveable: return CKR_STATE_UNSAVEABLE;
    case Code::kP11SavedStateInvalid: return CKR_SAVED_STATE_INVALID;
    case Code::kP11KeyNotNeeded: return CKR_KEY_NOT_NEEDED;
    case Code::kP11UserTypeInvalid: return CKR_USER_TYPE_INVALID;
    case Code::kP11NoInterface: return CKR_FUNCTION_FAILED;
    case Code::kP11HostFailure: return CKR_GENERAL_ERROR;
  }
  return CKR_GENERAL_ERROR;  // a number that is no Code
}

}  // namespace keyclave::pkcs11
