// Answers about revocation.
#include <openssl/ocsp.h>

#include "tests/unit/guard/certificates.h"

namespace keyclave::guard {
namespace {

using authz::InputForm;

struct Answers {
  int count = 2;
  UnixTime begin = kNow - 60;
  std::optional<UnixTime> end = kNow + 3600;
  UnixTime produced = kNow;
  bool nonce = false;
  bool by_name = false;
  bool foreign_extension = false;
  bool answer_extension = false;
};

using BasicResponse = mech::Owned<OCSP_BASICRESP, OCSP_BASICRESP_free>;
using AsnTime = mech::Owned<ASN1_TIME, ASN1_TIME_free>;

AsnTime TimeOf(UnixTime time) { return AsnTime(ASN1_GENERALIZEDTIME_set(nullptr, time)); }

X509* CaCertificate() {
  static X509* const made =
      Make(Certificate{.subject = {{"O", "Example"}, {"CN", "Example CA"}}}, CaKey()).release();
  return made;
}

// The ResponseData of answers about certificates of the CA.
Bytes DataOf(const Answers& what) {
  const BasicResponse response(OCSP_BASICRESP_new());
  for (int i = 0; i < what.count; ++i) {
    const mech::Owned<ASN1_INTEGER, ASN1_INTEGER_free> serial(ASN1_INTEGER_new());
    ASN1_INTEGER_set(serial.get(), 17 + i);
    const mech::Owned<OCSP_CERTID, OCSP_CERTID_free> id(
        OCSP_cert_id_new(EVP_sha1(), X509_get_subject_name(CaCertificate()),
                         X509_get0_pubkey_bitstr(CaCertificate()), serial.get()));
    const bool revoked = i != 0;
    auto* const answer = OCSP_basic_add1_status(
        response.get(), id.get(), revoked ? V_OCSP_CERTSTATUS_REVOKED : V_OCSP_CERTSTATUS_GOOD,
        OCSP_REVOKED_STATUS_KEYCOMPROMISE, revoked ? TimeOf(kNow - 600).get() : nullptr,
        TimeOf(what.begin).get(), what.end ? TimeOf(*what.end).get() : nullptr);
    EXPECT_NE(answer, nullptr);
    if (what.answer_extension) {
      EXPECT_EQ(OCSP_SINGLERESP_add1_ext_i2d(answer, NID_id_pkix_OCSP_archiveCutoff,
                                             TimeOf(kNow).get(), 0, 0),
                1);
    }
  }
  if (what.nonce) OCSP_basic_add1_nonce(response.get(), nullptr, 16);
  if (what.foreign_extension) {
    EXPECT_EQ(OCSP_BASICRESP_add1_ext_i2d(response.get(), NID_id_pkix_OCSP_archiveCutoff,
                                          TimeOf(kNow).get(), 0, 0),
              1);
  }
  EXPECT_EQ(OCSP_basic_sign(response.get(), CaCertificate(), CaKey(), EVP_sha256(), nullptr,
                            what.by_name ? 0U : OCSP_RESPID_KEY),
            1);
  // OpenSSL writes its own time; what is looked at is signed anew by nobody.
  ASN1_GENERALIZEDTIME_set(
      const_cast<ASN1_GENERALIZEDTIME*>(OCSP_resp_get0_produced_at(response.get())), what.produced);
  return Der(OCSP_resp_get0_respdata(response.get()), i2d_OCSP_RESPDATA);
}

Status Judge(const Answers& what, Scene scene = {}) {
  if (scene.public_key_info.empty()) scene.public_key_info = SpkiOf(CaKey());
  return Check(Form(InputForm::kX509Ocsp), DataOf(what), scene);
}

TEST(X509Ocsp, AcceptsAnswersOfTheKeyItself) {
  ExpectAccepted(Judge({}));
  ExpectAccepted(Judge({.count = 1, .nonce = true}));
  ExpectAccepted(Judge({.by_name = true}));
}

TEST(X509Ocsp, RefusesEverythingElse) {
  ExpectRefused(Judge({.count = 0}), "answers nothing");
  ExpectRefused(Judge({.end = {}}), "end of an answer");
  ExpectRefused(Judge({.end = kNow - 60}), "ends before");
  ExpectRefused(Judge({.begin = kNow + 3000}), "future");
  ExpectRefused(Judge({.produced = kNow + 3000}), "future");
  ExpectRefused(Judge({.foreign_extension = true}), "not permitted");
  ExpectRefused(Judge({.nonce = true, .foreign_extension = true}), "several extensions");
  ExpectRefused(Judge({.answer_extension = true}), "not permitted");
}

TEST(X509Ocsp, TheResponderIsTheKeyThatSigns) {
  const mech::EvpPkey other = NewKey();
  ExpectRefused(Judge({}, {.public_key_info = SpkiOf(other.get())}), "another key");
  const auto name = [](const char* text) {
    return Der<const X509_NAME>(MakeName({{"CN", text}}).get(), i2d_X509_NAME);
  };
  ExpectRefused(Judge({.by_name = true}, {.issuers = {name("Another CA")}}), "issuer");
  ExpectRefused(Judge({}, {.mechanism = Mech(CKM_ECDSA_SHA1)}), "SHA-1");
}

TEST(X509Ocsp, IsNoOtherFormAndNoPartOfOne) {
  const Bytes good = DataOf({});
  const Scene scene{.public_key_info = SpkiOf(CaKey())};
  const authz::InputRule rule = Form(InputForm::kX509Ocsp);
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(Check(rule, ByteSpan(good).first(size), scene).ok()) << size;
  EXPECT_FALSE(Check(rule, Join({good, Bytes{0}}), scene).ok());
  EXPECT_FALSE(Check(Form(InputForm::kX509Csr), good, scene).ok());
  EXPECT_FALSE(Check(Form(InputForm::kX509Crl), good, scene).ok());
  EXPECT_FALSE(Check(Rule(Permitted()), good, scene).ok());
  EXPECT_FALSE(Check(kServer, good, scene).ok());
  EXPECT_FALSE(Check(rule, Tbs(Make(Certificate{}, CaKey()).get()), scene).ok());
}

}  // namespace
}  // namespace keyclave::guard
