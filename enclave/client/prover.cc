#include "enclave/client/prover.h"

namespace keyclave::client {
namespace {

constexpr size_t kMaxName = 256;  // bytes of the enclave's id and version

attest::Binding BindingOf(attest::Role role, const Channel& channel, const ByteArray<32>& nonce,
                          std::string audience, Bytes runtime_claims = {}) {
  return attest::Binding{.role = role,
                         .nonce = nonce,
                         .exporter = channel.exporter(),
                         .client_spki = channel.own_spki(),
                         .server_spki = channel.server_spki(),
                         .audience = std::move(audience),
                         .runtime_claims = std::move(runtime_claims)};
}

Result<attest::Appraised> Appraise(const ClientConfig& config, const Channel& channel,
                                   const ByteArray<32>& nonce, const wire::HelloReply& hello,
                                   UnixTime now) {
  if (!hello.evidence_type.has_value() || !hello.evidence.has_value()) {
    return Fail(Code::kEvidenceMalformed, "keyclaved presented no evidence");
  }
  // This version knows none of an enclave, and what is not understood is refused.
  if (hello.runtime_claims.has_value() && !hello.runtime_claims->empty()) {
    return Fail(Code::kEvidenceMalformed, "runtime claims are not used by this version");
  }
  KC_ASSIGN(const attest::Unverified unverified,
            attest::ParseEvidence(*hello.evidence_type, *hello.evidence));
  const attest::ReportData report_data =
      ComputeReportData(BindingOf(attest::Role::kEnclave, channel, nonce, {}));
  KC_ASSIGN(const attest::Verified verified,
            attest::VerifyEvidence(
                unverified,
                attest::VerifyContext{.trust = config.trust, .now = now, .binding = report_data}));
  return attest::Appraise(verified, config.expect, attest::ClaimSet(), now);
}

}  // namespace

Result<wire::HelloReply> SayHello(Channel& channel, const wire::HelloRequest& request,
                                  Deadline deadline) {
  KC_ASSIGN(wire::HelloReply reply, Ask<wire::Op::kHello>(channel, request, deadline));
  if (reply.enclave_id.size() > kMaxName || reply.version.size() > kMaxName) {
    return Fail(Code::kBadMessage, "the enclave's id or version is too long");
  }
  return reply;
}

Result<attest::Appraised> AppraiseEnclave(const ClientConfig& config, const Channel& channel,
                                          const ByteArray<32>& nonce, const wire::HelloReply& hello,
                                          UnixTime now) {
  auto appraised = Appraise(config, channel, nonce, hello, now);
  if (!appraised.ok()) return Fail(Code::kEnclaveRefused, appraised.error().Text());
  if (!config.enclave_id.empty() && config.enclave_id != hello.enclave_id)
    return FailWanted(Code::kEnclaveRefused, "enclave", config.enclave_id, hello.enclave_id);
  return appraised;
}

Result<wire::AttestReply> ProveSelf(const ClientConfig& config, Channel& channel,
                                    const wire::HelloReply& hello, UnixTime now,
                                    Deadline deadline) {
  const attest::TeeType* type = attest::FindTeeType(config.evidence_type);
  if (type == nullptr) return Fail(Code::kEvidenceUnknownType, config.evidence_type);
  wire::AttestRequest request;
  request.evidence_type = config.evidence_type;
  request.runtime_claims = wire::EncodeRuntimeClaims({config.release_keys});
  const attest::ReportData report_data = ComputeReportData(BindingOf(
      attest::Role::kCaller, channel, hello.nonce, hello.enclave_id, request.runtime_claims));
  KC_ASSIGN(request.evidence, type->produce(report_data, config.producer, now));
  KC_ASSIGN(const Channel::Reply reply,
            channel.Exchange(wire::Op::kAttest,
                             wire::OpCodec<wire::Op::kAttest>::EncodeRequest(request), deadline));
  if (reply.code != 0) return Fail(Code::kEvidenceRefused, ReplyError(reply).Text());
  return wire::OpCodec<wire::Op::kAttest>::DecodeReply(reply.fields);
}

}  // namespace keyclave::client
