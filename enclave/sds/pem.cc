#include "enclave/sds/pem.h"

#include <openssl/pem.h>

#include <ctime>

#include "enclave/mech/evp.h"

namespace keyclave::sds {

std::string CertificatePem(ByteSpan der) {
  const mech::Owned<BIO, BIO_free> out(BIO_new(BIO_s_mem()));
  if (!out || PEM_write_bio(out.get(), PEM_STRING_X509, "", der.data(),
                            static_cast<long>(der.size())) <= 0) {
    return {};
  }
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<size_t>(size)};
}

Result<CertificateLife> ReadLife(ByteSpan certificate) {
  const uint8_t* next = certificate.data();
  const mech::X509Cert parsed(d2i_X509(nullptr, &next, static_cast<long>(certificate.size())));
  std::tm parts{};
  if (parsed == nullptr || ASN1_TIME_to_tm(X509_get0_notAfter(parsed.get()), &parts) != 1)
    return mech::OpensslError(Code::kMalformed, "the enclave's certificate");
  const ASN1_INTEGER* const serial = X509_get0_serialNumber(parsed.get());
  return CertificateLife{.serial = ToHex(FromC(ASN1_STRING_get0_data(serial),
                                               static_cast<size_t>(ASN1_STRING_length(serial)))),
                         .not_after = static_cast<UnixTime>(timegm(&parts))};
}

}  // namespace keyclave::sds
