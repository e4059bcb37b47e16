#include "enclave/mech/issue.h"

#include "enclave/mech/certificate_parts.h"
#include "enclave/mech/families.h"
#include "enclave/mech/x509_name.h"

namespace keyclave::mech {
namespace {

constexpr size_t kMaxNames = 256;
constexpr size_t kMaxUsages = 16;
constexpr int kMinRsaBits = 2048;  // CA/Browser Forum Baseline Requirements, §6.1.5

constexpr struct {
  std::string_view name;
  int nid;
} kUsages[] = {{"server-auth", NID_server_auth},        {"client-auth", NID_client_auth},
               {"email-protection", NID_email_protect}, {"code-signing", NID_code_sign},
               {"time-stamping", NID_time_stamp},       {"ocsp-signing", NID_OCSP_sign}};

Result<X509Request> ReadRequest(ByteSpan der) {
  X509_REQ* made = X509_REQ_new_ex(Library(), nullptr);
  const uint8_t* next = der.data();
  // On failure it frees what it was given and sets it to null.
  const bool parsed =
      made != nullptr && d2i_X509_REQ(&made, &next, static_cast<long>(der.size())) != nullptr;
  X509Request request(made);
  if (!parsed) return OpensslError(Code::kMalformed, "no PKCS#10 certificate request");
  if (next != der.data() + der.size())
    return Fail(Code::kMalformed, "bytes after the end of the certificate request");
  return request;
}

Result<std::vector<int>> ReadUsages(const std::vector<std::string>& usages) {
  if (usages.empty() || usages.size() > kMaxUsages)
    return Fail(Code::kInvalidArgument, "usages: what is the certificate for?");
  std::vector<int> nids;
  for (const std::string& usage : usages) {
    const auto nid = UsageNid(usage);
    if (!nid) return Fail(Code::kInvalidArgument, "usages: \"" + usage + "\" is none");
    if (std::find(nids.begin(), nids.end(), *nid) != nids.end())
      return Fail(Code::kInvalidArgument, "usages: \"" + usage + "\" is named twice");
    nids.push_back(*nid);
  }
  return nids;
}

// Whether what signed the request tells one message from another.
bool IsStrong(int digest) {
  return digest == NID_undef || digest == NID_sha256 || digest == NID_sha384 ||
         digest == NID_sha512 || digest == NID_sha3_256 || digest == NID_sha3_384 ||
         digest == NID_sha3_512;
}

}  // namespace

std::optional<int> UsageNid(std::string_view usage) {
  for (const auto& row : kUsages) {
    if (row.name == usage) return row.nid;
  }
  return std::nullopt;
}

std::string_view IssuingFamily(uint64_t key_type) {
  switch (key_type) {
    case CKK_RSA: return "rsa-pkcs1";
    case CKK_EC: return "ecdsa";
    case CKK_EC_EDWARDS: return "eddsa";
    case CKK_ML_DSA: return "ml-dsa";
    case CKK_SLH_DSA: return "slh-dsa";
    default: return {};
  }
}

Result<Leaf> DraftLeaf(const wire::IssueCertificateRequest& request) {
  if (request.names.empty() || request.names.size() > kMaxNames)
    return Fail(Code::kInvalidArgument, "names: 1 to 256 of them, for whom the certificate is");
  if (request.validity == 0) return Fail(Code::kInvalidArgument, "validity: for how long?");
  KC_ASSIGN(const std::vector<int> usages, ReadUsages(request.usages));
  KC_ASSIGN(const X509Name subject, ParseDistinguishedName(request.subject));
  KC_ASSIGN(const GeneralNames names, ParseAlternativeNames(request.names));
  Leaf leaf;
  leaf.validity = request.validity;
  KC_ASSIGN(leaf.request, ReadRequest(request.csr));
  X509_PUBKEY* const wanted = X509_REQ_get_X509_PUBKEY(leaf.request.get());
  KC_ASSIGN(leaf.public_key_info, EncodeDer<X509_PUBKEY>(wanted, i2d_X509_PUBKEY));
  KC_ASSIGN(const auto key, PublicKeyFromInfo(leaf.public_key_info));
  if (key->key_type() == CKK_RSA && EVP_PKEY_get_bits(key->pkey()) < kMinRsaBits)
    return Fail(Code::kKeySizeRange, "an RSA key below 2048 bits is not certified");
  leaf.draft.reset(X509_new_ex(Library(), nullptr));
  X509* const draft = leaf.draft.get();
  if (draft == nullptr || X509_set_version(draft, X509_VERSION_3) != 1 ||
      X509_set_subject_name(draft, subject.get()) != 1 ||
      X509_set_pubkey(draft, key->pkey()) != 1) {
    return OpensslError("making a certificate");
  }
  // Until it is signed any dates do.
  KC_CHECK_OK(SetValidity(draft, 0, 1));
  KC_CHECK_OK(AddLeafProfile(draft, usages));
  KC_CHECK_OK(AddKeyIdentifier(draft));
  // RFC 5280 §4.1.2.6: without a subject, the alternative names are critical.
  const int critical = request.subject.empty() ? 1 : 0;
  if (X509_add1_ext_i2d(draft, NID_subject_alt_name, names.get(), critical, 0) != 1)
    return OpensslError("subject alternative names");
  return leaf;
}

Status CheckProof(const Leaf& leaf) {
  int digest = NID_undef;
  const X509_ALGOR* algorithm = nullptr;
  X509_REQ_get0_signature(leaf.request.get(), nullptr, &algorithm);
  const ASN1_OBJECT* object = nullptr;
  X509_ALGOR_get0(&object, nullptr, nullptr, algorithm);
  const bool known = OBJ_find_sigid_algs(OBJ_obj2nid(object), &digest, nullptr) == 1;
  if (!known || !IsStrong(digest))
    return Fail(Code::kProofInvalid, "it is signed with a hash or algorithm that proves nothing");
  if (X509_REQ_verify_ex(leaf.request.get(), X509_get0_pubkey(leaf.draft.get()), Library(),
                         nullptr) != 1) {
    return OpensslError(Code::kProofInvalid, "its signature is not by the key that it names");
  }
  return Done{};
}

}  // namespace keyclave::mech
