#include "attest/snp/endorsement.h"

#include <libtasn1.h>

#include <tuple>

#include "enclave/base/byte_reader.h"

namespace keyclave::attest {
namespace {

constexpr std::string_view kArc = "1.3.6.1.4.1.3704.1.";
constexpr std::string_view kProductName = "2";
constexpr std::string_view kSpl = "3.";
constexpr std::string_view kHwid = "4";
constexpr std::string_view kCspId = "5";
constexpr size_t kMaxText = 256;
constexpr size_t kPathLength = 3;  // leaf, ASK or ASVK, ARK

std::optional<Bytes> ExtensionOf(const Certificate& certificate, std::string_view arc) {
  return certificate.Extension(std::string(kArc).append(arc));
}

Error Bad(std::string_view arc, std::string_view why) {
  return Fail(Code::kEvidenceIdentity,
              "certificate extension " + std::string(kArc).append(arc) + ": " + std::string(why));
}

// The content of one DER value with this universal tag, behind which nothing may stand.
Result<ByteSpan> Content(std::string_view arc, unsigned long wanted, const Bytes& der) {
  unsigned char tag_class = 0;
  int tag_size = 0;
  unsigned long tag = 0;
  if (der.size() > kMaxText ||
      asn1_get_tag_der(der.data(), static_cast<int>(der.size()), &tag_class, &tag_size, &tag) !=
          ASN1_SUCCESS ||
      tag_class != ASN1_CLASS_UNIVERSAL || tag != wanted)
    return Bad(arc, "not of the right type");
  ByteReader reader(der);
  if (!reader.Take(static_cast<size_t>(tag_size)).ok()) return Bad(arc, "it ends too early");
  const ByteSpan rest = reader.rest();
  int length_size = 0;
  const long length = asn1_get_length_der(rest.data(), static_cast<int>(rest.size()), &length_size);
  if (length < 0 || !reader.Take(static_cast<size_t>(length_size)).ok() ||
      reader.remaining() != static_cast<size_t>(length))
    return Bad(arc, "not the length that it says");
  return reader.rest();
}

Result<Bytes> Expect(const Certificate& certificate, std::string_view arc) {
  auto value = ExtensionOf(certificate, arc);
  if (!value.has_value()) return Bad(arc, "missing");
  return *std::move(value);
}

Result<std::string> ReadText(const Certificate& certificate, std::string_view arc) {
  KC_ASSIGN(const Bytes der, Expect(certificate, arc));
  KC_ASSIGN(const ByteSpan text, Content(arc, ASN1_TAG_IA5_STRING, der));
  const bool printable =
      std::all_of(text.begin(), text.end(), [](uint8_t c) { return c >= 0x20 && c < 0x7f; });
  if (text.empty() || !printable) return Bad(arc, "not a printable text");
  return std::string(AsText(text));
}

// A security patch level: an INTEGER from 0 to 255 in its shortest form.
Result<uint8_t> ReadSpl(std::string_view arc, const Bytes& der) {
  KC_ASSIGN(const ByteSpan number, Content(arc, ASN1_TAG_INTEGER, der));
  if (number.size() == 1 && number[0] < 0x80) return number[0];
  if (number.size() == 2 && number[0] == 0 && number[1] >= 0x80) return number[1];
  return Bad(arc, "not a number from 0 to 255");
}

Result<SnpTcb> ReadTcb(const Certificate& certificate, SnpProduct product) {
  const SnpTcbLayout& layout = SnpTcbLayoutOf(product);
  SnpTcb tcb{};
  for (size_t i = 0; i < layout.size(); ++i) {
    const std::string arc = std::string(kSpl) + std::to_string(layout.at(i).oid);
    const auto der = ExtensionOf(certificate, arc);
    if (!der.has_value()) {
      // What is reserved need not be said, and is zero then.
      if (!layout.at(i).name.empty()) return Bad(arc, "missing");
      continue;
    }
    KC_ASSIGN(tcb.at(i), ReadSpl(arc, *der));
  }
  return tcb;
}

// AMD's certificates hold the bytes of the HWID as they are, although the specification calls the
// extension an OCTET STRING; both are understood.
Result<Bytes> ReadHwid(const Bytes& value, size_t size) {
  if (value.size() == size) return value;
  KC_ASSIGN(const ByteSpan content, Content(kHwid, ASN1_TAG_OCTET_STRING, value));
  if (content.size() != size) return Bad(kHwid, "not of the product's length");
  return ToBytes(content);
}

Status CheckTcb(SnpProduct product, const SnpTcb& certificate, const SnpTcb& reported) {
  if (certificate == reported) return Done{};
  std::string wanted = SnpTcbText(product, certificate);
  std::string got = SnpTcbText(product, reported);
  // They differ where nothing has a name.
  if (wanted == got) std::tie(wanted, got) = std::pair(ToHex(certificate), ToHex(reported));
  return FailWanted(Code::kEvidenceIdentity, "reported TCB against the certificate's",
                    std::move(wanted), std::move(got));
}

Bytes PaddedHwid(const SnpEndorsement& endorsement) {
  Bytes chip_id = endorsement.hwid;
  chip_id.resize(SnpReport().chip_id.size(), 0);
  return chip_id;
}

Status CheckChip(const SnpEndorsement& endorsement, const SnpReport& report) {
  if (report.ChipIdIsMasked())
    return Fail(Code::kEvidenceIdentity, "a report under a VCEK whose chip id is masked");
  if (!IsOfChip(endorsement, report))
    return FailWanted(Code::kEvidenceIdentity, "chip id against the certificate's",
                      ToHex(PaddedHwid(endorsement)), ToHex(report.chip_id));
  return Done{};
}

}  // namespace

bool LooksLikeEndorsement(const Certificate& certificate) {
  return ExtensionOf(certificate, kProductName).has_value();
}

Result<SnpEndorsement> ReadEndorsement(const Certificate& certificate) {
  SnpEndorsement endorsement;
  KC_ASSIGN(const std::string name, ReadText(certificate, kProductName));
  const auto product = SnpProductOfName(name);
  if (!product.has_value()) return Bad(kProductName, "a product that is not known: " + name);
  endorsement.product = *product;
  KC_ASSIGN(endorsement.tcb, ReadTcb(certificate, *product));
  const auto hwid = ExtensionOf(certificate, kHwid);
  const auto csp = ExtensionOf(certificate, kCspId);
  if (hwid.has_value() == csp.has_value())
    return Bad(kHwid, "a VCEK has it and a VLEK has a CSP id instead");
  if (hwid.has_value()) {
    KC_ASSIGN(endorsement.hwid, ReadHwid(*hwid, SnpChipIdSize(*product)));
  } else {
    endorsement.key = SnpSigningKey::kVlek;
    KC_ASSIGN(endorsement.csp_id, ReadText(certificate, kCspId));
  }
  return endorsement;
}

bool IsOfChip(const SnpEndorsement& endorsement, const SnpReport& report) {
  return !endorsement.hwid.empty() && Equal(PaddedHwid(endorsement), report.chip_id);
}

Status CheckEndorses(const SnpEndorsement& endorsement, const SnpReport& report) {
  if (endorsement.key != report.signing_key)
    return FailWanted(Code::kEvidenceIdentity, "signing key",
                      std::string(SnpSigningKeyName(endorsement.key)),
                      std::string(SnpSigningKeyName(report.signing_key)));
  if (report.cpu.has_value() && SnpProductOfCpu(*report.cpu) != endorsement.product)
    return FailWanted(Code::kEvidenceIdentity, "product",
                      std::string(SnpProductName(endorsement.product)),
                      "CPU family " + std::to_string(report.cpu->family) + " model " +
                          std::to_string(report.cpu->model));
  KC_CHECK_OK(CheckTcb(endorsement.product, endorsement.tcb, report.reported_tcb));
  if (endorsement.key == SnpSigningKey::kVlek) return Done{};
  return CheckChip(endorsement, report);
}

Status CheckAuthorities(const SnpEndorsement& endorsement, const CertificatePath& path) {
  if (path.size() != kPathLength)
    return FailWanted(Code::kEvidenceChain, "certificates from leaf to root",
                      std::to_string(kPathLength), std::to_string(path.size()));
  const std::string line(SnpProductName(endorsement.product));
  const bool vlek = endorsement.key == SnpSigningKey::kVlek;
  const std::string signer = (vlek ? "SEV-VLEK-" : "SEV-") + line;
  if (const std::string name = path[1].CommonName(); name != signer)
    return FailWanted(Code::kEvidenceIdentity, "issuer of the endorsement", signer, name);
  if (const std::string name = path[2].CommonName(); name != "ARK-" + line)
    return FailWanted(Code::kEvidenceIdentity, "root of the product line", "ARK-" + line, name);
  return Done{};
}

}  // namespace keyclave::attest
