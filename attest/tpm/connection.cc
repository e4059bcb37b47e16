#include "attest/tpm/connection.h"

#include <cstdlib>

namespace keyclave::attest::tpm {
namespace {

constexpr unsigned kLongestWait = 120;  // milliseconds

// The same number from the TPM itself and through a resource manager.
TSS2_RC WithoutLayer(TSS2_RC answer) {
  const TSS2_RC layer = answer & TSS2_RC_LAYER_MASK;
  return layer == TSS2_TPM_RC_LAYER || layer == TSS2_RESMGR_TPM_RC_LAYER ||
                 layer == TSS2_RESMGR_RC_LAYER
             ? answer & ~TSS2_RC_LAYER_MASK
             : answer;
}

// Without what says of which handle, parameter or session it is (Part 2 §6.6.2).
TSS2_RC Reason(TSS2_RC answer) {
  const TSS2_RC code = WithoutLayer(answer);
  return (code & TPM2_RC_FMT1) == 0 ? code : code & ~(TPM2_RC_N_MASK | TPM2_RC_P);
}

bool IsFull(TSS2_RC answer) {
  switch (WithoutLayer(answer)) {
    case TPM2_RC_OBJECT_MEMORY:
    case TPM2_RC_SESSION_MEMORY:
    case TPM2_RC_MEMORY:
    case TPM2_RC_OBJECT_HANDLES:
    case TPM2_RC_SESSION_HANDLES: return true;
    default: return false;
  }
}

bool IsBusy(TSS2_RC answer) {
  switch (WithoutLayer(answer)) {
    case TPM2_RC_YIELDED:
    case TPM2_RC_TESTING:
    case TPM2_RC_RETRY:
    case TPM2_RC_CANCELED:
    case TPM2_RC_NV_RATE:
    case TPM2_RC_NV_UNAVAILABLE: return true;
    default: return IsFull(answer);
  }
}

// What an operator can do about it; empty if the answer says enough.
std::string_view Advice(TSS2_RC answer) {
  if (IsFull(answer))
    return ": other programs fill its memory; use the kernel's resource manager "
           "(device:/dev/tpmrm0), or tpm2_flushcontext -t -l where there is none";
  switch (Reason(answer)) {
    case TPM2_RC_INITIALIZE: return ": it was not started (TPM2_Startup)";
    case TPM2_RC_BAD_AUTH:
      return ": the hierarchy, or what is used, has a password; it must have none";
    default: return "";
  }
}

}  // namespace

void Connection::FreeTcti::operator()(TSS2_TCTI_CONTEXT* tcti) const { std::free(tcti); }

Result<Connection> Connection::Open(const Tss2& tss2, const TSS2_TCTI_INFO& module,
                                    const std::string& tcti) {
  Connection tpm(tss2, "TPM " + tcti);
  const size_t colon = tcti.find(':');
  const char* options = colon == std::string::npos ? nullptr : tcti.c_str() + colon + 1;
  size_t size = 0;
  KC_CHECK_OK(tpm.Check(module.init(nullptr, &size, options), "open"));
  std::unique_ptr<TSS2_TCTI_CONTEXT, FreeTcti> context(
      static_cast<TSS2_TCTI_CONTEXT*>(std::calloc(1, size)));
  if (context == nullptr) return Fail(Code::kOutOfMemory);
  KC_CHECK_OK(tpm.Check(module.init(context.get(), &size, options), "open"));
  tpm.tcti_ = std::move(context);
  KC_CHECK_OK(tpm.Check(tss2.Esys_Initialize(&tpm.esys_, tpm.tcti_.get(), nullptr), "open"));
  return tpm;
}

Connection::~Connection() {
  if (tcti_ == nullptr) return;  // it moved away
  if (esys_ != nullptr) tss2_->Esys_Finalize(&esys_);
  Tss2_Tcti_Finalize(tcti_.get());
}

Status Connection::Check(TSS2_RC answer, std::string_view call) {
  if (answer == TSS2_RC_SUCCESS) return Done{};
  busy_ = IsBusy(answer);
  std::string why(call);
  why.append(": ").append(tss2_->Tss2_RC_Decode(answer)).append(Advice(answer));
  if (call == "open") why.append(": is it there, and may this process use it (group tss)?");
  return Fails(why);
}

Error Connection::Fails(const std::string& why) const {
  return Fail(Code::kIo, name_ + ": " + why);
}

Transient::~Transient() {
  // Of a TPM that went away there is nothing to flush.
  if (handle_ != ESYS_TR_NONE) (void)tpm_.tss2().Esys_FlushContext(tpm_.esys(), handle_);
}

void WaitBeforeAttempt(int attempt) {
  if (attempt > 0) WaitALittle(std::min(kLongestWait, 4U << std::min(attempt, 10)));
}

Status StartSession(Connection& tpm, SessionKind kind, ESYS_TR salt_key, TPMA_SESSION encrypted,
                    Transient& session) {
  TPMT_SYM_DEF symmetric{};
  symmetric.algorithm = TPM2_ALG_NULL;
  if (encrypted != kPlain) {
    symmetric.algorithm = TPM2_ALG_AES;
    symmetric.keyBits.aes = 128;
    symmetric.mode.aes = TPM2_ALG_CFB;
  }
  const Tss2& tss2 = tpm.tss2();
  KC_CHECK_OK(tpm.Check(
      tss2.Esys_StartAuthSession(tpm.esys(), salt_key, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                 ESYS_TR_NONE, nullptr, static_cast<TPM2_SE>(kind), &symmetric,
                                 TPM2_ALG_SHA256, session.Receive()),
      "StartAuthSession"));
  // Else the TPM ends it by itself after its use, and it could not be flushed.
  return tpm.Check(
      tss2.Esys_TRSess_SetAttributes(tpm.esys(), session.get(),
                                     TPMA_SESSION_CONTINUESESSION | encrypted, TPMA_SESSION{0xff}),
      "SetAttributes");
}

Status MakePrimary(Connection& tpm, ESYS_TR hierarchy, const TPM2B_PUBLIC& wanted,
                   std::string_view what, Transient& key) {
  const TPM2B_SENSITIVE_CREATE sensitive{};
  const TPM2B_DATA outside{};
  const TPML_PCR_SELECTION registers{};
  Made<TPM2B_PUBLIC> area(tpm);
  Made<TPM2B_CREATION_DATA> data(tpm);
  Made<TPM2B_DIGEST> hash(tpm);
  Made<TPMT_TK_CREATION> ticket(tpm);
  return tpm.Check(tpm.tss2().Esys_CreatePrimary(
                       tpm.esys(), hierarchy, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                       &sensitive, &wanted, &outside, &registers, key.Receive(), area.Receive(),
                       data.Receive(), hash.Receive(), ticket.Receive()),
                   "CreatePrimary (" + std::string(what) + ")");
}

Result<std::vector<uint32_t>> HandlesFrom(Connection& tpm, uint32_t first, uint32_t max) {
  TPMI_YES_NO more = 0;
  Made<TPMS_CAPABILITY_DATA> data(tpm);
  KC_CHECK_OK(
      tpm.Check(tpm.tss2().Esys_GetCapability(tpm.esys(), ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                              TPM2_CAP_HANDLES, first, max, &more, data.Receive()),
                "GetCapability"));
  const TPML_HANDLE& handles = data->data.handles;
  const size_t count = std::min<size_t>(handles.count, std::size(handles.handle));
  return std::vector<uint32_t>(handles.handle, handles.handle + count);
}

}  // namespace keyclave::attest::tpm
