// Intel DCAP quotes, the evidence of SGX and TDX: versions 3, 4 and 5 with an ECDSA P-256
// attestation key (Intel SGX ECDSA QuoteLibReference, appendix A; Intel TDX DCAP Quoting Library
// API, appendix A). After ParseQuote succeeds every field is there, and none of it is verified.
#pragma once

#include <variant>

#include "attest/x509.h"

namespace keyclave::attest::dcap {

enum class Tee : uint8_t { kSgx, kTdx };

constexpr std::string_view TypeName(Tee tee) { return tee == Tee::kSgx ? "sgx" : "tdx"; }

struct QuoteHeader {
  uint16_t version = 0;
  uint16_t attestation_key_type = 0;
  uint32_t tee_type = 0;  // reserved, and so zero, in version 3
  uint16_t qe_svn = 0;    // reserved from version 4 on
  uint16_t pce_svn = 0;   // reserved from version 4 on
  ByteArray<16> qe_vendor_id{};
  ByteArray<20> user_data{};
};

inline constexpr size_t kEnclaveReportSize = 384;

// The body of the REPORT structure (Intel SDM, volume 3D).
struct EnclaveReport {
  ByteArray<16> cpusvn{};
  ByteArray<4> miscselect{};
  ByteArray<16> isv_ext_prod_id{};
  ByteArray<16> attributes{};  // flags, then XFRM
  ByteArray<32> mr_enclave{};
  ByteArray<32> mr_signer{};
  ByteArray<64> config_id{};
  uint16_t isv_prod_id = 0;
  uint16_t isv_svn = 0;
  uint16_t config_svn = 0;
  ByteArray<16> isv_family_id{};
  ByteArray<64> report_data{};

  bool Debug() const { return (attributes[0] & 0x02) != 0; }
};

// What TDX 1.5 appends to the report of a TD.
struct Td15Fields {
  ByteArray<16> tee_tcb_svn2{};  // of the module that runs now; tee_tcb_svn: of the launch
  ByteArray<48> mrservicetd{};
};

// The report of a TD (TD quote body) of TDX 1.0.
struct TdReport {
  ByteArray<16> tee_tcb_svn{};
  ByteArray<48> mrseam{};
  ByteArray<48> mrsignerseam{};
  ByteArray<8> seamattributes{};
  ByteArray<8> tdattributes{};
  ByteArray<8> xfam{};
  ByteArray<48> mrtd{};
  ByteArray<48> mrconfigid{};
  ByteArray<48> mrowner{};
  ByteArray<48> mrownerconfig{};
  std::array<ByteArray<48>, 4> rtmr{};
  ByteArray<64> report_data{};
  std::optional<Td15Fields> of_15;

  // TUD, the eight bits "TD under debug": with any of them set the TD is not to be trusted.
  bool Debug() const { return tdattributes[0] != 0; }
  bool SeptVeDisable() const { return (tdattributes[3] & 0x10) != 0; }  // bit 28
};

// A field's name as Intel writes it, in snake case, and its bytes in the report.
struct NamedBytes {
  std::string_view name;
  ByteSpan bytes;
};
std::vector<NamedBytes> FieldsOf(const EnclaveReport& report);
std::vector<NamedBytes> FieldsOf(const TdReport& report);

// How the quote says by which key its QE report is signed (table "certification data").
enum class CertificationType : uint16_t {
  kPlainPpid = 1,
  kEncryptedPpid2048 = 2,
  kEncryptedPpid3072 = 3,
  kPckCertificate = 4,
  kPckChain = 5,
  kQeReport = 6,
};

struct Quote {
  QuoteHeader header;
  std::optional<uint16_t> body_type;  // version 5 says it
  std::variant<EnclaveReport, TdReport> body;
  Bytes signed_bytes;  // header and body, as they lay there
  ByteArray<64> signature{};
  ByteArray<64> attestation_key{};  // x and y
  EnclaveReport qe_report;
  Bytes qe_report_bytes;
  ByteArray<64> qe_report_signature{};
  Bytes qe_auth_data;
  uint16_t certification_type = 0;
  size_t certification_size = 0;
  std::vector<Certificate> certificates;  // of types 4 and 5
  bool in_oe_container = false;
  size_t trailing_bytes = 0;

  Tee tee() const { return std::holds_alternative<EnclaveReport>(body) ? Tee::kSgx : Tee::kTdx; }
  const ByteArray<64>& report_data() const {
    if (const auto* enclave = std::get_if<EnclaveReport>(&body)) return enclave->report_data;
    return std::get<TdReport>(body).report_data;
  }
};

// kEvidenceMalformed. Bytes behind the signature data are passed over: quotes come in buffers of a
// fixed size, nothing signs what follows them, and nothing here reads it.
Result<Quote> ParseQuote(ByteSpan bytes, Tee tee);
// Whether the bytes begin like a quote of this TEE (or, for SGX, like Open Enclave's container).
bool LooksLikeQuote(ByteSpan bytes, Tee tee);

}  // namespace keyclave::attest::dcap
