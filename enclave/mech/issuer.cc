// The CA that issues: which of its certificates counts, and what it lets be issued.
#include <openssl/x509_vfy.h>

#include <ctime>

#include "enclave/mech/certificate_parts.h"
#include "enclave/mech/hash_alg.h"
#include "enclave/mech/issue.h"

namespace keyclave::mech {
namespace {

constexpr size_t kMaxChain = 8;

using NameConstraints = Owned<NAME_CONSTRAINTS, NAME_CONSTRAINTS_free>;
using AuthorityKeyId = Owned<AUTHORITY_KEYID, AUTHORITY_KEYID_free>;
using TrustStore = Owned<X509_STORE, X509_STORE_free>;
using Verification = Owned<X509_STORE_CTX, X509_STORE_CTX_free>;

Error Unfit(std::string what) { return Fail(Code::kIssuerUnfit, std::move(what)); }

X509Cert ReadAny(ByteSpan der) {
  X509* made = X509_new_ex(Library(), nullptr);
  const uint8_t* next = der.data();
  if (made != nullptr) d2i_X509(&made, &next, static_cast<long>(der.size()));
  return X509Cert(made);
}

Result<UnixTime> ToUnix(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return Unfit("a date in its certificate is none");
  return static_cast<UnixTime>(timegm(&parts));
}

Result<Bytes> PublicKeyInfoOf(const X509* certificate) {
  return EncodeDer<X509_PUBKEY>(X509_get_X509_PUBKEY(certificate), i2d_X509_PUBKEY);
}

Status CheckIsCa(X509* certificate, ByteSpan public_key_info, UnixTime now) {
  KC_ASSIGN(const Bytes own, PublicKeyInfoOf(certificate));
  if (!Equal(own, public_key_info)) return Unfit("its certificate is for another key");
  // 1: by its basicConstraints. Version 1 and Netscape's own ways of being a CA do not count.
  if (X509_check_ca(certificate) != 1) return Unfit("its certificate is not that of a CA");
  if ((X509_get_key_usage(certificate) & KU_KEY_CERT_SIGN) == 0)
    return Unfit("its certificate's keyUsage does not let it sign certificates");
  KC_ASSIGN(const UnixTime begin, ToUnix(X509_get0_notBefore(certificate)));
  KC_ASSIGN(const UnixTime end, ToUnix(X509_get0_notAfter(certificate)));
  if (now < begin || now >= end)
    return Unfit("its certificate is valid from " + FormatTime(begin) + " to " + FormatTime(end));
  return Done{};
}

bool IsSelfIssued(const X509* certificate) {
  return X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) == 0;
}

// The CA's own identifier, as its certificate has it; else as it would be made.
Status AddAuthority(X509* certificate, X509* issuer) {
  AuthorityKeyId identifier(AUTHORITY_KEYID_new());
  if (!identifier) return OpensslError("authority key identifier");
  const ASN1_OCTET_STRING* const known = X509_get0_subject_key_id(issuer);
  if (known != nullptr) {
    identifier->keyid = ASN1_OCTET_STRING_dup(known);
  } else {
    KC_ASSIGN(OctetString made, KeyIdentifier(issuer));
    identifier->keyid = made.release();
  }
  if (identifier->keyid == nullptr ||
      X509_add1_ext_i2d(certificate, NID_authority_key_identifier, identifier.get(), 0, 0) != 1) {
    return OpensslError("authority key identifier");
  }
  return Done{};
}

// As a stranger would who trusts the CA: signature, dates, constraints of the CA.
Status VerifyUnder(X509* certificate, X509* issuer, UnixTime now) {
  const TrustStore trusted(X509_STORE_new());
  const Verification run(X509_STORE_CTX_new_ex(Library(), nullptr));
  if (!trusted || !run || X509_STORE_add_cert(trusted.get(), issuer) != 1 ||
      X509_STORE_CTX_init(run.get(), trusted.get(), certificate, nullptr) != 1) {
    return OpensslError("verifying a certificate");
  }
  X509_VERIFY_PARAM* const rules = X509_STORE_CTX_get0_param(run.get());
  X509_VERIFY_PARAM_set_time(rules, now);
  X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_PARTIAL_CHAIN);
  if (X509_verify_cert(run.get()) == 1) return Done{};
  return Unfit(std::string("what it issued does not verify: ") +
               X509_verify_cert_error_string(X509_STORE_CTX_get_error(run.get())));
}

// The leaf's draft as verifiers will read it, with a signature that means nothing: OpenSSL encodes
// only what is whole, and looks at names only in what it has read.
Result<X509Cert> ReadBack(const Leaf& leaf) {
  static EVP_PKEY* const nobody = EVP_PKEY_Q_keygen(Library(), nullptr, "EC", "P-256");
  X509* const draft = leaf.draft.get();
  if (nobody == nullptr ||
      X509_sign(draft, nobody, FindHash(&HashAlg::digest, CKM_SHA256)->md()) <= 0)
    return OpensslError("completing a draft");
  KC_ASSIGN(const Bytes der, EncodeDer<X509>(draft, i2d_X509));
  X509Cert read = ReadAny(der);
  // -1: for no purpose; it reads the extensions.
  if (read == nullptr || X509_check_purpose(read.get(), -1, 0) != 1)
    return OpensslError("reading a draft");
  return read;
}

std::string SerialText(const X509* certificate) {
  const ASN1_INTEGER* const serial = X509_get0_serialNumber(certificate);
  return ToHex(
      FromC(ASN1_STRING_get0_data(serial), static_cast<size_t>(ASN1_STRING_length(serial))));
}

// CMW ::= CHOICE { json UTF8String, … }. Not critical: who does not know it may pass it over.
Status AddClaims(X509* certificate, const std::string& text) {
  const Owned<ASN1_UTF8STRING, ASN1_UTF8STRING_free> value(ASN1_UTF8STRING_new());
  if (value == nullptr ||
      ASN1_STRING_set(value.get(), text.data(), static_cast<int>(text.size())) != 1)
    return OpensslError("the claims of a certificate");
  KC_ASSIGN(const Bytes der, EncodeDer<ASN1_UTF8STRING>(value.get(), i2d_ASN1_UTF8STRING));
  const OctetString content(ASN1_OCTET_STRING_new());
  const Asn1Object name(OBJ_txt2obj(kCmwOid, 1));
  if (content == nullptr || name == nullptr ||
      ASN1_OCTET_STRING_set(content.get(), der.data(), static_cast<int>(der.size())) != 1)
    return OpensslError("the claims of a certificate");
  const Owned<X509_EXTENSION, X509_EXTENSION_free> extension(
      X509_EXTENSION_create_by_OBJ(nullptr, name.get(), 0, content.get()));
  if (extension == nullptr || X509_add_ext(certificate, extension.get(), -1) != 1)
    return OpensslError("the claims of a certificate");
  return Done{};
}

}  // namespace

Result<Issuer> Issuer::Choose(std::span<const Bytes> certificates, ByteSpan public_key_info,
                              UnixTime now) {
  Error why = Unfit("the token has no certificate of it (keyclave cert import)");
  Issuer chosen;
  for (const Bytes& der : certificates) {
    X509Cert candidate = ReadAny(der);
    if (candidate == nullptr) continue;
    const Status fit = CheckIsCa(candidate.get(), public_key_info, now);
    if (!fit.ok()) {
      why = fit.error();
      continue;
    }
    if (!chosen.chain_.empty() &&
        ASN1_TIME_compare(X509_get0_notAfter(candidate.get()),
                          X509_get0_notAfter(chosen.certificate())) <= 0) {
      continue;
    }
    chosen.chain_.clear();
    chosen.chain_.push_back(std::move(candidate));
  }
  if (chosen.chain_.empty()) return why;
  return chosen;
}

bool Issuer::AddAbove(std::span<const Bytes> candidates) {
  X509* const top = chain_.back().get();
  if (IsSelfIssued(top) || chain_.size() >= kMaxChain) return false;
  for (const Bytes& der : candidates) {
    X509Cert above = ReadAny(der);
    if (above == nullptr || X509_check_issued(above.get(), top) != X509_V_OK) continue;
    if (X509_verify(top, X509_get0_pubkey(above.get())) != 1) continue;
    chain_.push_back(std::move(above));
    return true;
  }
  return false;
}

Result<Bytes> Issuer::NameAbove() const {
  return EncodeDer<X509_NAME>(X509_get_issuer_name(chain_.back().get()), i2d_X509_NAME);
}

Status Issuer::CheckNames(const Leaf& leaf) const {
  for (const X509Cert& ca : chain_) {
    int found = 0;  // -1: none
    const NameConstraints constraints(static_cast<NAME_CONSTRAINTS*>(
        X509_get_ext_d2i(ca.get(), NID_name_constraints, &found, nullptr)));
    if (constraints == nullptr && found == -1) continue;
    if (constraints == nullptr) return Unfit("its name constraints cannot be read");
    KC_ASSIGN(const X509Cert read, ReadBack(leaf));
    int verdict = NAME_CONSTRAINTS_check(read.get(), constraints.get());
    if (verdict == X509_V_OK) verdict = NAME_CONSTRAINTS_check_CN(read.get(), constraints.get());
    if (verdict != X509_V_OK)
      return Unfit(std::string("its name constraints: ") + X509_verify_cert_error_string(verdict));
  }
  return Done{};
}

Result<std::vector<Bytes>> Issuer::Chain() const {
  std::vector<Bytes> chain;
  for (const X509Cert& certificate : chain_) {
    KC_ASSIGN(chain.emplace_back(), EncodeDer<X509>(certificate.get(), i2d_X509));
  }
  return chain;
}

Result<IssuedCertificate> IssuedCertificate::Sign(const Key& key, const Issuer& issuer,
                                                  const Leaf& leaf, UnixTime now,
                                                  const std::string& told) {
  const std::optional<const EVP_MD*> digest = SignatureDigest(key);
  if (key.object_class() != CKO_PRIVATE_KEY || !digest.has_value())
    return Fail(Code::kKeyTypeInconsistent, "the key cannot sign certificates");
  X509* const ca = issuer.certificate();
  KC_ASSIGN(const UnixTime ca_begin, ToUnix(X509_get0_notBefore(ca)));
  KC_ASSIGN(const UnixTime ca_end, ToUnix(X509_get0_notAfter(ca)));
  IssuedCertificate issued;
  issued.not_before = std::max(now - kBackdate, ca_begin);
  issued.not_after = leaf.validity > static_cast<uint64_t>(ca_end - now)
                         ? ca_end
                         : now + static_cast<UnixTime>(leaf.validity);
  X509* const made = leaf.draft.get();
  if (X509_set_issuer_name(made, X509_get_subject_name(ca)) != 1)
    return OpensslError("issuing a certificate");
  KC_CHECK_OK(SetSerialNumber(made));
  KC_CHECK_OK(SetValidity(made, issued.not_before, issued.not_after));
  KC_CHECK_OK(AddAuthority(made, ca));
  if (!told.empty()) KC_CHECK_OK(AddClaims(made, told));
  if (X509_sign(made, key.pkey(), *digest) <= 0) return OpensslError("signing a certificate");
  KC_ASSIGN(issued.der, EncodeDer<X509>(made, i2d_X509));
  const X509Cert read = ReadAny(issued.der);
  if (read == nullptr) return OpensslError("reading an issued certificate");
  KC_CHECK_OK(VerifyUnder(read.get(), ca, now));
  issued.serial = SerialText(read.get());
  return issued;
}

}  // namespace keyclave::mech
