#include "attest/collateral_item.h"

#include "attest/dcap/endorsements.h"
#include "attest/vendor_roots.h"

namespace keyclave::attest {
namespace {

constexpr size_t kMaxSlug = 80;
constexpr size_t kDigestPrefix = 4;  // bytes

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return lower;
}

std::string Upper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return upper;
}

// Letters and digits in lower case, a hyphen for everything between: fit for any file system.
std::string Slug(std::string_view text) {
  std::string slug;
  for (const char c : Lower(text)) {
    const bool kept = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (kept) {
      slug += c;
    } else if (!slug.empty() && slug.back() != '-') {
      slug += '-';
    }
    if (slug.size() == kMaxSlug) break;
  }
  if (slug.ends_with('-')) slug.pop_back();
  return slug.empty() ? "unnamed" : slug;
}

std::string Digest(ByteSpan bytes) {
  const ByteArray<32> hash = Sha256(bytes);
  return ToHex(ByteSpan(hash).first(kDigestPrefix));
}

// Intel's by its name; of others only the issuer knows.
bool IsIntel(std::string_view common_name) { return common_name.starts_with("Intel SGX "); }

std::string WhereList(const std::string& issuer) {
  if (IsIntel(issuer)) return dcap::RevocationListUrl(issuer);
  if (issuer.starts_with("ARK-"))
    return "https://kdsintf.amd.com/vcek/v1/" + issuer.substr(4) + "/crl";
  return "its issuer";
}

std::string WhereCertificate(const Certificate& certificate) {
  const std::string name = certificate.CommonName();
  if (IsIntel(name))
    return "the issuer chain (a header) that Intel's service sends with each document and list";
  if (name.starts_with("SEV-VLEK-"))
    return "https://kdsintf.amd.com/vlek/v1/" + name.substr(9) + "/cert_chain";
  if (name.starts_with("SEV-"))
    return "https://kdsintf.amd.com/vcek/v1/" + name.substr(4) + "/cert_chain";
  return "its issuer";
}

// Each kind's own words about itself.
struct Describe {
  CollateralItem& item;

  void operator()(const dcap::TcbInfo& info) const {
    SetStatement(info);
    const std::string tee(dcap::TypeName(info.tee));
    const std::string fmspc = ToHex(info.fmspc);
    item.kind = "tcb-info";
    item.subject = Upper(tee) + " FMSPC " + Upper(fmspc);
    item.name = "tcb-info-" + tee + "-" + fmspc + ".json";
    item.where = dcap::TcbInfoUrl(info.tee, info.fmspc);
  }
  void operator()(const dcap::EnclaveIdentity& identity) const {
    SetStatement(identity);
    const dcap::Tee tee =
        identity.id == dcap::QeIdentityId(dcap::Tee::kTdx) ? dcap::Tee::kTdx : dcap::Tee::kSgx;
    item.kind = "qe-identity";
    item.subject = identity.id;
    item.name = "qe-identity-" + std::string(dcap::TypeName(tee)) + ".json";
    item.where = dcap::QeIdentityUrl(tee);
  }
  void operator()(const SnpLeaf& leaf) const {
    SetCertificate(leaf.certificate);
    const SnpEndorsement& endorsement = leaf.endorsement;
    const std::string line(SnpProductName(endorsement.product));
    const bool vlek = endorsement.key == SnpSigningKey::kVlek;
    const std::string whose = vlek ? endorsement.csp_id : ToHex(endorsement.hwid);
    item.kind = vlek ? "vlek" : "vcek";
    item.subject = line + (vlek ? " of " : " chip ") + whose + ", TCB " +
                   SnpTcbText(endorsement.product, endorsement.tcb);
    item.name = item.kind + "-" + Lower(line) + "-" + (vlek ? Slug(whose) : whose) + "-" +
                ToHex(endorsement.tcb) + ".pem";
    item.where = vlek ? "the cloud provider's host hands it out with the extended report"
                      : SnpVcekUrl(endorsement.product, endorsement.hwid, endorsement.tcb);
  }
  void operator()(const Certificate& certificate) const {
    SetCertificate(certificate);
    item.kind = "certificate";
    item.subject = certificate.SubjectText();
    // With the key: authorities of one name may have several.
    item.name = "certificate-" + Slug(certificate.CommonName()) + "-" +
                Digest(certificate.key().spki()) + ".pem";
    item.where = WhereCertificate(certificate);
  }
  void operator()(const RevocationList& list) const {
    item.kind = "crl";
    item.subject = list.IssuerText();
    item.name = "crl-" + Slug(list.IssuerCommonName()) + ".pem";
    item.where = WhereList(list.IssuerCommonName());
    item.bytes = ToBytes(AsBytes(list.Pem()));
    item.issued = list.this_update();
    item.expires = list.next_update();
    item.number = list.Number();
  }
  void operator()(const std::vector<Jwk>& /*keys*/) const {
    item.kind = "jwks";
    item.where = "the token issuer's jwks_uri";
  }

  void SetStatement(const dcap::Statement& statement) const {
    item.issued = statement.issue_date;
    item.expires = statement.next_update;
    item.number = statement.evaluation_number;
  }
  void SetCertificate(const Certificate& certificate) const {
    item.bytes = ToBytes(AsBytes(certificate.Pem()));
    item.issued = certificate.not_before();
    item.expires = certificate.not_after();
  }
};

CollateralItem ItemOf(CollateralContent content, const std::string& source, Bytes bytes) {
  CollateralItem item{.content = std::move(content),
                      .kind = {},
                      .subject = {},
                      .source = source,
                      .where = {},
                      .name = {},
                      .bytes = std::move(bytes),
                      .issued = 0,
                      .expires = 0,
                      .number = {}};
  std::visit(Describe{item}, item.content);
  return item;
}

Result<CollateralContent> ContentOf(const Document& document) {
  switch (document.kind()) {
    case DocumentKind::kTcbInfo: {
      KC_ASSIGN(dcap::TcbInfo info, dcap::ParseTcbInfo(document));
      return CollateralContent(std::move(info));
    }
    case DocumentKind::kEnclaveIdentity: {
      KC_ASSIGN(dcap::EnclaveIdentity identity, dcap::ParseEnclaveIdentity(document));
      if (identity.id != dcap::QeIdentityId(dcap::Tee::kSgx) &&
          identity.id != dcap::QeIdentityId(dcap::Tee::kTdx))
        return Fail(Code::kCollateralInvalid,
                    document.source() +
                        ": an enclave identity that no verification here needs: " + identity.id);
      return CollateralContent(std::move(identity));
    }
    case DocumentKind::kKeySet: break;
  }
  auto keys = ParseJwks(document.bytes());
  if (!keys.ok())
    return Fail(Code::kCollateralInvalid, document.source() + ": " + keys.error().Text());
  if (keys->empty())
    return Fail(Code::kCollateralInvalid, document.source() + ": a key set without a usable key");
  return CollateralContent(*std::move(keys));
}

Result<CollateralContent> ContentOf(const Certificate& certificate, const std::string& source) {
  if (!LooksLikeEndorsement(certificate)) return CollateralContent(certificate);
  auto endorsement = ReadEndorsement(certificate);
  if (!endorsement.ok())
    return Fail(Code::kCollateralInvalid, source + ": " + endorsement.error().detail());
  return CollateralContent(SnpLeaf{certificate, *std::move(endorsement)});
}

std::vector<Certificate> AllIntermediates(const Trust& trust) {
  std::vector<Certificate> all = trust.collateral->certificates();
  for (const TeeType* type : AllTeeTypes()) {
    const auto& built_in = VendorIntermediates(type->name);
    all.insert(all.end(), built_in.begin(), built_in.end());
  }
  return all;
}

// What a verifier of evidence says, said of collateral.
Error AsCollateral(const Error& error) {
  const Code code =
      error.code() == Code::kEvidenceTime ? Code::kCollateralExpired
      : error.code() == Code::kCollateralMissing || error.code() == Code::kCollateralExpired
          ? error.code()
          : Code::kCollateralInvalid;
  const std::string text = code == error.code() ? error.detail() : error.Text();
  Error same = Fail(code, text);
  return same;
}

Status AsCollateral(const Status& status) {
  if (status.ok()) return Done{};
  return AsCollateral(status.error());
}

struct Check {
  const Trust& trust;
  UnixTime now;
  ListRule rule;

  Status operator()(const dcap::TcbInfo& info) const {
    return CheckStatement(info, info.tee, trust, now, rule);
  }
  Status operator()(const dcap::EnclaveIdentity& identity) const {
    const bool tdx = identity.id == dcap::QeIdentityId(dcap::Tee::kTdx);
    return CheckStatement(identity, tdx ? dcap::Tee::kTdx : dcap::Tee::kSgx, trust, now, rule);
  }
  Status operator()(const SnpLeaf& leaf) const {
    return AsCollateral(CheckLeaf(leaf, {}, trust, now));
  }
  Status operator()(const Certificate& certificate) const {
    const auto path =
        BuildPath(certificate, AllIntermediates(trust), AllRoots(trust), {.now = now});
    if (!path.ok()) return AsCollateral(path.error());
    // Not every authority has a list, and which evidence needs one is its verifier's to say.
    return AsCollateral(
        CheckRevocation(*path, trust.collateral->revocation_lists(), now, ListRule::kWhereKnown));
  }
  Status operator()(const RevocationList& list) const {
    std::optional<Error> refused;
    for (const std::vector<Certificate>& certificates :
         {AllRoots(trust), AllIntermediates(trust)}) {
      for (const Certificate& issuer : certificates) {
        if (!Equal(issuer.subject(), list.issuer())) continue;
        auto checked = CheckUnder(list, issuer);
        if (checked.ok()) return checked;
        if (!refused.has_value() || checked.code() == Code::kCollateralExpired)
          refused = std::move(checked).error();
      }
    }
    if (refused.has_value()) return *std::move(refused);
    return Fail(Code::kCollateralMissing,
                "certificate of " + list.IssuerText() + ", which issued the list: import it, too");
  }
  Status operator()(const std::vector<Jwk>& keys) const {
    const auto roots = trust.roots.find("token");
    if (roots == trust.roots.end() || roots->second.empty()) return Done{};
    for (const Jwk& key : keys) KC_CHECK_OK(AsCollateral(CheckKeyTrust(key, roots->second, now)));
    return Done{};
  }

  Status CheckUnder(const RevocationList& list, const Certificate& issuer) const {
    const auto path = BuildPath(issuer, AllIntermediates(trust), AllRoots(trust), {.now = now});
    if (!path.ok()) return AsCollateral(path.error());
    return CheckRevocationList(list, issuer, now);
  }
};

}  // namespace

Result<std::vector<CollateralItem>> ReadCollateralItems(ByteSpan bytes, const std::string& source) {
  Collateral file;
  KC_CHECK_OK(file.Add(bytes, source));
  std::vector<CollateralItem> items;
  for (const Document& document : file.documents()) {
    KC_ASSIGN(CollateralContent content, ContentOf(document));
    items.push_back(ItemOf(std::move(content), source, document.bytes()));
  }
  for (const RevocationList& list : file.revocation_lists())
    items.push_back(ItemOf(list, source, {}));
  for (const Certificate& certificate : file.certificates()) {
    KC_ASSIGN(CollateralContent content, ContentOf(certificate, source));
    items.push_back(ItemOf(std::move(content), source, {}));
  }
  return items;
}

std::string KeySetFileName(std::string_view issuer) {
  std::string_view name = issuer;
  if (const size_t scheme = name.find("://"); scheme != std::string_view::npos)
    name.remove_prefix(scheme + 3);
  return "jwks-" + Slug(name) + "-" + Digest(AsBytes(issuer)) + ".json";
}

bool IsOlder(const CollateralItem& one, const CollateralItem& other) {
  if (one.number.has_value() && other.number.has_value() && *one.number != *other.number)
    return *one.number < *other.number;
  return one.issued < other.issued;
}

std::vector<Certificate> AllRoots(const Trust& trust) {
  std::vector<Certificate> all;
  for (const TeeType* type : AllTeeTypes()) {
    const std::vector<Certificate> roots = trust.RootsFor(type->name);
    all.insert(all.end(), roots.begin(), roots.end());
  }
  return all;
}

bool IsRoot(const Certificate& certificate, const Trust& trust) {
  const std::vector<Certificate> roots = AllRoots(trust);
  return std::any_of(roots.begin(), roots.end(), [&](const Certificate& root) {
    return Equal(root.subject(), certificate.subject()) &&
           Equal(root.key().spki(), certificate.key().spki());
  });
}

Status CheckCollateralItem(const CollateralItem& item, const Trust& trust, UnixTime now,
                           ListRule rule) {
  return std::visit(Check{trust, now, rule}, item.content);
}

}  // namespace keyclave::attest
