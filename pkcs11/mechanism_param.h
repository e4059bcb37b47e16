// How the parameters of mechanisms are read; what mechanism_param.cc and mechanism_derive.cc share.
#pragma once

#include "enclave/wire/mech_param.h"
#include "pkcs11/args.h"

namespace keyclave::pkcs11 {

template <class T>
Result<T> ParameterOf(const CK_MECHANISM& mechanism) {
  return CopyStruct<T>(mechanism.pParameter, mechanism.ulParameterLen,
                       Code::kMechanismParamInvalid);
}

// Bytes that a parameter structure points to; `what` names them in the error.
Result<Bytes> PointedBytes(const void* data, CK_ULONG size, const char* what);

Result<Bytes> ReadString(const CK_MECHANISM& mechanism);
Result<wire::CbcDataParam> ReadCbcData(const CK_MECHANISM& mechanism);
Result<wire::HkdfParam> ReadHkdf(const CK_MECHANISM& mechanism);
Result<wire::KbkdfParam> ReadCounterKdf(const CK_MECHANISM& mechanism);
Result<wire::KbkdfParam> ReadFeedbackKdf(const CK_MECHANISM& mechanism);

}  // namespace keyclave::pkcs11
