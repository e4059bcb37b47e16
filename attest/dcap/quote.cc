#include "attest/dcap/quote.h"

#include "attest/der.h"
#include "enclave/base/byte_reader.h"

namespace keyclave::attest::dcap {
namespace {

constexpr uint16_t kEcdsaP256 = 2;
constexpr uint32_t kTeeTypeSgx = 0x00;
constexpr uint32_t kTeeTypeTdx = 0x81;
constexpr size_t kTd10Size = 584;
constexpr size_t kTd15Size = 648;
enum BodyType : uint16_t { kBodySgx = 1, kBodyTd10 = 2, kBodyTd15 = 3 };
// Of the signature data's fixed parts; whatever is longer holds a chain.
constexpr size_t kMaxSignatureData = size_t{48} << 10;
constexpr std::string_view kPemBegin = "-----BEGIN ";
// Intel as the quoting enclave's vendor; whoever else's key would not be certified by a PCK.
constexpr ByteArray<16> kIntelQeVendor = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                          0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

Result<QuoteHeader> TakeHeader(ByteReader& reader) {
  QuoteHeader header;
  KC_ASSIGN(header.version, reader.TakeLe<uint16_t>());
  KC_ASSIGN(header.attestation_key_type, reader.TakeLe<uint16_t>());
  KC_ASSIGN(header.tee_type, reader.TakeLe<uint32_t>());
  KC_ASSIGN(header.qe_svn, reader.TakeLe<uint16_t>());
  KC_ASSIGN(header.pce_svn, reader.TakeLe<uint16_t>());
  KC_ASSIGN(header.qe_vendor_id, reader.TakeArray<16>());
  KC_ASSIGN(header.user_data, reader.TakeArray<20>());
  return header;
}

// Reserved bytes are signed like the others. A processor that gives them a meaning is not refused
// for it, as Intel's own library does not.
Status Skip(ByteReader& reader, size_t n) {
  KC_CHECK_OK(reader.Take(n));
  return Done{};
}

Result<EnclaveReport> TakeEnclaveReport(ByteReader& reader) {
  EnclaveReport report;
  KC_ASSIGN(report.cpusvn, reader.TakeArray<16>());
  KC_ASSIGN(report.miscselect, reader.TakeArray<4>());
  KC_CHECK_OK(Skip(reader, 12));
  KC_ASSIGN(report.isv_ext_prod_id, reader.TakeArray<16>());
  KC_ASSIGN(report.attributes, reader.TakeArray<16>());
  KC_ASSIGN(report.mr_enclave, reader.TakeArray<32>());
  KC_CHECK_OK(Skip(reader, 32));
  KC_ASSIGN(report.mr_signer, reader.TakeArray<32>());
  KC_CHECK_OK(Skip(reader, 32));
  KC_ASSIGN(report.config_id, reader.TakeArray<64>());
  KC_ASSIGN(report.isv_prod_id, reader.TakeLe<uint16_t>());
  KC_ASSIGN(report.isv_svn, reader.TakeLe<uint16_t>());
  KC_ASSIGN(report.config_svn, reader.TakeLe<uint16_t>());
  KC_CHECK_OK(Skip(reader, 42));
  KC_ASSIGN(report.isv_family_id, reader.TakeArray<16>());
  KC_ASSIGN(report.report_data, reader.TakeArray<64>());
  return report;
}

Result<TdReport> TakeTdReport(ByteReader& reader, bool of_15) {
  TdReport report;
  KC_ASSIGN(report.tee_tcb_svn, reader.TakeArray<16>());
  KC_ASSIGN(report.mrseam, reader.TakeArray<48>());
  KC_ASSIGN(report.mrsignerseam, reader.TakeArray<48>());
  KC_ASSIGN(report.seamattributes, reader.TakeArray<8>());
  KC_ASSIGN(report.tdattributes, reader.TakeArray<8>());
  KC_ASSIGN(report.xfam, reader.TakeArray<8>());
  KC_ASSIGN(report.mrtd, reader.TakeArray<48>());
  KC_ASSIGN(report.mrconfigid, reader.TakeArray<48>());
  KC_ASSIGN(report.mrowner, reader.TakeArray<48>());
  KC_ASSIGN(report.mrownerconfig, reader.TakeArray<48>());
  for (ByteArray<48>& rtmr : report.rtmr) {
    KC_ASSIGN(rtmr, reader.TakeArray<48>());
  }
  KC_ASSIGN(report.report_data, reader.TakeArray<64>());
  if (of_15) {
    Td15Fields& more = report.of_15.emplace();
    KC_ASSIGN(more.tee_tcb_svn2, reader.TakeArray<16>());
    KC_ASSIGN(more.mrservicetd, reader.TakeArray<48>());
  }
  return report;
}

Error Unsupported(std::string what, uint64_t got) {
  return Fail(Code::kMalformed, std::move(what) + " " + std::to_string(got) + " is not supported");
}

Status CheckHeader(const QuoteHeader& header, Tee tee) {
  if (header.version < 3 || header.version > 5) return Unsupported("version", header.version);
  if (header.attestation_key_type != kEcdsaP256)
    return Unsupported("attestation key type", header.attestation_key_type);
  const uint32_t wanted = tee == Tee::kSgx ? kTeeTypeSgx : kTeeTypeTdx;
  if (header.tee_type != wanted)
    return FailWanted(Code::kMalformed, "TEE type", std::to_string(wanted),
                      std::to_string(header.tee_type));
  if (header.version == 3 && tee == Tee::kTdx)
    return Fail(Code::kMalformed, "version 3 has no TD reports");
  if (!Equal(header.qe_vendor_id, kIntelQeVendor))
    return FailWanted(Code::kMalformed, "QE vendor", ToHex(kIntelQeVendor),
                      ToHex(header.qe_vendor_id));
  return Done{};
}

// Version 5 puts a type and a size before the body.
Result<uint16_t> TakeBodyType(ByteReader& reader, Tee tee) {
  KC_ASSIGN(const uint16_t type, reader.TakeLe<uint16_t>());
  KC_ASSIGN(const uint32_t size, reader.TakeLe<uint32_t>());
  if (type < kBodySgx || type > kBodyTd15) return Unsupported("body type", type);
  if ((type == kBodySgx) != (tee == Tee::kSgx))
    return Fail(Code::kMalformed, "the body is not one of the header's TEE");
  size_t wanted = kEnclaveReportSize;
  if (type == kBodyTd10) wanted = kTd10Size;
  if (type == kBodyTd15) wanted = kTd15Size;
  if (size != wanted)
    return FailWanted(Code::kMalformed, "body size", std::to_string(wanted), std::to_string(size));
  return type;
}

Status TakeBody(ByteReader& reader, Tee tee, Quote& quote) {
  if (quote.header.version == 5) {
    KC_ASSIGN(quote.body_type, TakeBodyType(reader, tee));
  }
  if (tee == Tee::kSgx) {
    KC_ASSIGN(quote.body, TakeEnclaveReport(reader));
  } else {
    KC_ASSIGN(quote.body, TakeTdReport(reader, quote.body_type == kBodyTd15));
  }
  return Done{};
}

// Concatenated PEM with NUL bytes behind it, as the quoting library writes it, or concatenated DER,
// as Intel's sample for its verification library has it.
Result<std::vector<Certificate>> TakeChain(ByteSpan bytes) {
  if (AsText(bytes).find(kPemBegin) != std::string_view::npos) return Certificate::ListFrom(bytes);
  std::vector<Certificate> chain;
  for (DerReader reader(bytes); !reader.AtEnd();) {
    KC_ASSIGN(const DerValue value, reader.Take(DerTag::kSequence));
    KC_ASSIGN(Certificate certificate, Certificate::FromDer(value.whole));
    chain.push_back(std::move(certificate));
  }
  return chain;
}

Status TakeCertification(ByteReader& reader, Quote& quote) {
  KC_ASSIGN(quote.certification_type, reader.TakeLe<uint16_t>());
  KC_ASSIGN(const ByteSpan data, reader.TakePrefixedLe<uint32_t>(kMaxSignatureData));
  quote.certification_size = data.size();
  switch (static_cast<CertificationType>(quote.certification_type)) {
    case CertificationType::kPlainPpid:
    case CertificationType::kEncryptedPpid2048:
    case CertificationType::kEncryptedPpid3072: return Done{};
    case CertificationType::kPckCertificate:
    case CertificationType::kPckChain: {
      KC_ASSIGN(quote.certificates, TakeChain(data));
      if (quote.certificates.empty()) return Fail(Code::kMalformed, "a chain of no certificates");
      return Done{};
    }
    case CertificationType::kQeReport: break;  // one in another
  }
  return Unsupported("certification data type", quote.certification_type);
}

// The QE report, its signature, its authentication data and what certifies it.
Status TakeQeReport(ByteReader& reader, Quote& quote) {
  KC_ASSIGN(const ByteSpan report, reader.Take(kEnclaveReportSize));
  quote.qe_report_bytes = ToBytes(report);
  ByteReader report_reader(report);
  KC_ASSIGN(quote.qe_report, TakeEnclaveReport(report_reader));
  KC_CHECK_OK(report_reader.ExpectEnd());
  KC_ASSIGN(quote.qe_report_signature, reader.TakeArray<64>());
  KC_ASSIGN(const ByteSpan auth_data, reader.TakePrefixedLe<uint16_t>(kMaxSignatureData));
  quote.qe_auth_data = ToBytes(auth_data);
  KC_CHECK_OK(TakeCertification(reader, quote));
  return reader.ExpectEnd();
}

Status TakeSignatureData(ByteReader reader, Quote& quote) {
  KC_ASSIGN(quote.signature, reader.TakeArray<64>());
  KC_ASSIGN(quote.attestation_key, reader.TakeArray<64>());
  if (quote.header.version == 3) return TakeQeReport(reader, quote);
  // From version 4 on it is wrapped into certification data of its own type.
  KC_ASSIGN(const uint16_t type, reader.TakeLe<uint16_t>());
  if (static_cast<CertificationType>(type) != CertificationType::kQeReport)
    return Unsupported("certification data type", type);
  KC_ASSIGN(const ByteSpan data, reader.TakePrefixedLe<uint32_t>(kMaxSignatureData));
  KC_CHECK_OK(reader.ExpectEnd());
  ByteReader inner(data);
  return TakeQeReport(inner, quote);
}

// Open Enclave's oe_report_header_t: version 1, type 2 (remote), the size of the quote, and behind
// it the enclave's own claims, which report_data may bind and nothing here reads.
Result<ByteSpan> OutOfContainer(ByteSpan bytes, bool* found) {
  ByteReader reader(bytes);
  const auto version = reader.TakeLe<uint32_t>();
  const auto type = reader.TakeLe<uint32_t>();
  *found = version.ok() && type.ok() && *version == 1 && *type == 2;
  if (!*found) return bytes;
  KC_ASSIGN(const uint64_t size, reader.TakeLe<uint64_t>());
  if (size > reader.remaining()) return Fail(Code::kTruncated);
  return reader.Take(static_cast<size_t>(size));
}

Result<Quote> Parse(ByteSpan bytes, Tee tee) {
  Quote quote;
  KC_ASSIGN(const ByteSpan whole, OutOfContainer(bytes, &quote.in_oe_container));
  ByteReader reader(whole);
  KC_ASSIGN(quote.header, TakeHeader(reader));
  KC_CHECK_OK(CheckHeader(quote.header, tee));
  KC_CHECK_OK(TakeBody(reader, tee, quote));
  quote.signed_bytes = ToBytes(whole.first(whole.size() - reader.remaining()));
  KC_ASSIGN(const ByteSpan signature_data, reader.TakePrefixedLe<uint32_t>(kMaxSignatureData));
  KC_CHECK_OK(TakeSignatureData(ByteReader(signature_data), quote));
  quote.trailing_bytes = reader.remaining();
  return quote;
}

}  // namespace

Result<Quote> ParseQuote(ByteSpan bytes, Tee tee) {
  auto quote = Parse(bytes, tee);
  if (quote.ok()) return quote;
  return Fail(Code::kEvidenceMalformed,
              std::string(TypeName(tee)) + " quote: " + quote.error().Text());
}

bool LooksLikeQuote(ByteSpan bytes, Tee tee) {
  bool in_container = false;
  const auto whole = OutOfContainer(bytes, &in_container);
  if (!whole.ok()) return false;
  ByteReader reader(*whole);
  const auto header = TakeHeader(reader);
  return header.ok() && CheckHeader(*header, tee).ok();
}

std::vector<NamedBytes> FieldsOf(const EnclaveReport& report) {
  return {{"cpusvn", report.cpusvn},
          {"miscselect", report.miscselect},
          {"isv_ext_prod_id", report.isv_ext_prod_id},
          {"attributes", report.attributes},
          {"xfrm", ByteSpan(report.attributes).subspan(8)},
          {"mr_enclave", report.mr_enclave},
          {"mr_signer", report.mr_signer},
          {"config_id", report.config_id},
          {"isv_family_id", report.isv_family_id},
          {"report_data", report.report_data}};
}

std::vector<NamedBytes> FieldsOf(const TdReport& report) {
  std::vector<NamedBytes> fields = {{"tee_tcb_svn", report.tee_tcb_svn},
                                    {"mrseam", report.mrseam},
                                    {"mrsignerseam", report.mrsignerseam},
                                    {"seamattributes", report.seamattributes},
                                    {"tdattributes", report.tdattributes},
                                    {"xfam", report.xfam},
                                    {"mrtd", report.mrtd},
                                    {"mrconfigid", report.mrconfigid},
                                    {"mrowner", report.mrowner},
                                    {"mrownerconfig", report.mrownerconfig},
                                    {"rtmr0", report.rtmr[0]},
                                    {"rtmr1", report.rtmr[1]},
                                    {"rtmr2", report.rtmr[2]},
                                    {"rtmr3", report.rtmr[3]},
                                    {"report_data", report.report_data}};
  if (report.of_15.has_value()) {
    fields.push_back({"tee_tcb_svn2", report.of_15->tee_tcb_svn2});
    fields.push_back({"mrservicetd", report.of_15->mrservicetd});
  }
  return fields;
}

}  // namespace keyclave::attest::dcap
