#include "enclave/ctl/key_file.h"

#include <arpa/inet.h>
#include <gnutls/abstract.h>
#include <gnutls/x509.h>

#include <memory>
#include <optional>

#include "enclave/base/byte_reader.h"
#include "enclave/base/clock.h"
#include "enclave/base/file.h"
#include "enclave/ctl/key_file_openssl.h"
#include "enclave/mech/key.h"

namespace keyclave::ctl {
namespace {

constexpr size_t kMaxFile = size_t{1} << 20;  // bytes

template <class T, void (*Free)(T)>
struct Deinit {
  using pointer = T;
  void operator()(T handle) const { Free(handle); }
};
using PrivateKey = std::unique_ptr<gnutls_x509_privkey_t,
                                   Deinit<gnutls_x509_privkey_t, gnutls_x509_privkey_deinit>>;
using Crt = std::unique_ptr<gnutls_x509_crt_t, Deinit<gnutls_x509_crt_t, gnutls_x509_crt_deinit>>;
using Pubkey = std::unique_ptr<gnutls_pubkey_t, Deinit<gnutls_pubkey_t, gnutls_pubkey_deinit>>;

// What GnuTLS allocated; wiped before it is freed.
class Output {
 public:
  Output() = default;
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output() {
    Wipe({datum_.data, datum_.size});
    gnutls_free(datum_.data);
  }
  gnutls_datum_t* out() { return &datum_; }
  ByteSpan bytes() const { return {datum_.data, datum_.size}; }

 private:
  gnutls_datum_t datum_{nullptr, 0};
};

// GnuTLS's inputs are not const, but it only reads them.
gnutls_datum_t In(ByteSpan bytes) {
  return {const_cast<unsigned char*>(bytes.data()), static_cast<unsigned>(bytes.size())};  // NOLINT
}

bool IsPem(ByteSpan file) { return AsText(file).find("-----BEGIN ") != std::string_view::npos; }

bool SaysEncrypted(ByteSpan file) {
  const std::string_view text = AsText(file);
  return text.find("BEGIN ENCRYPTED PRIVATE KEY") != std::string_view::npos ||
         text.find("Proc-Type: 4,ENCRYPTED") != std::string_view::npos;
}

Error BadKey(const std::string& path, const std::string& why) {
  return Fail(Code::kKeyFileInvalid, path + ": " + why);
}

// Whether the file is one whole DER SEQUENCE. GnuTLS takes some beginnings of keys for keys.
Status CheckWholeDer(const std::string& path, ByteSpan file) {
  constexpr uint8_t kSequence = 0x30;
  const Error cut = BadKey(path, "neither PEM nor a whole DER key: it may be cut short");
  ByteReader reader(file);
  const auto tag = reader.TakeLe<uint8_t>();
  const auto first = reader.TakeLe<uint8_t>();
  if (!tag.ok() || !first.ok() || *tag != kSequence) return cut;
  size_t length = *first;
  if (*first == 0x81) {
    const auto longer = reader.TakeBe<uint8_t>();
    if (!longer.ok()) return cut;
    length = *longer;
  } else if (*first == 0x82) {
    const auto longer = reader.TakeBe<uint16_t>();
    if (!longer.ok()) return cut;
    length = *longer;
  } else if (*first > 0x82) {
    return cut;
  }
  if (reader.remaining() == length) return Done{};
  if (reader.remaining() < length) return cut;
  return BadKey(path, "bytes follow after the key's end");
}

// Why GnuTLS refused the file, in words that help.
Error KeyError(const std::string& path, int code, ByteSpan file) {
  const std::string_view text = AsText(file);
  if (file.empty()) return BadKey(path, "the file is empty");
  if (!IsPem(file)) {
    return BadKey(path, std::string("no private key in DER (") + gnutls_strerror(code) + ")");
  }
  if (text.find("-----END ") == std::string_view::npos) {
    return BadKey(path, "the PEM file is cut short: it has no -----END line");
  }
  if (text.find("PRIVATE KEY-----") == std::string_view::npos) {
    return BadKey(path, "the PEM file holds no private key");
  }
  return BadKey(
      path, std::string("the key inside is damaged or cut short (") + gnutls_strerror(code) + ")");
}

Result<PrivateKey> NewPrivateKey() {
  gnutls_x509_privkey_t raw = nullptr;
  if (gnutls_x509_privkey_init(&raw) != 0) return Fail(Code::kOutOfMemory);
  return PrivateKey(raw);
}

Result<PrivateKey> Import(const std::string& path, ByteSpan file, const Passphrase& passphrase) {
  KC_ASSIGN(PrivateKey key, NewPrivateKey());
  const gnutls_datum_t data = In(file);
  const auto format = IsPem(file) ? GNUTLS_X509_FMT_PEM : GNUTLS_X509_FMT_DER;
  if (format == GNUTLS_X509_FMT_DER && !file.empty()) KC_CHECK_OK(CheckWholeDer(path, file));
  bool encrypted = SaysEncrypted(file);
  if (!encrypted) {
    const int rc = gnutls_x509_privkey_import2(key.get(), &data, format, nullptr, 0);
    if (rc == 0) return key;
    encrypted = rc == GNUTLS_E_DECRYPTION_FAILED;  // DER does not say so in words
    if (!encrypted) return KeyError(path, rc, file);
    KC_ASSIGN(key, NewPrivateKey());
  }
  KC_ASSIGN(const SecretBytes secret, passphrase());
  // GnuTLS wants a C string: a copy that is wiped.
  Bytes text = ToBytes(secret.Expose(SecretAccess()));
  text.push_back(0);
  const int rc = gnutls_x509_privkey_import2(key.get(), &data, format, AsText(text).data(), 0);
  if (rc == GNUTLS_E_DECRYPTION_FAILED) return BadKey(path, "the passphrase is not the right one");
  if (rc != 0) return KeyError(path, rc, file);
  return key;
}

Result<SecretBytes> ToPkcs8(const std::string& path, gnutls_x509_privkey_t key) {
  Output pkcs8;
  const int rc = gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_DER, nullptr,
                                                   GNUTLS_PKCS_PLAIN, pkcs8.out());
  if (rc != 0) return BadKey(path, gnutls_strerror(rc));
  return SecretBytes::CopyOf(pkcs8.bytes());
}

// Subject alternative names as a request may ask for them; other kinds are left out.
std::vector<std::string> AlternativeNames(gnutls_x509_crt_t crt) {
  std::vector<std::string> names;
  std::array<uint8_t, 256> name{};
  for (unsigned i = 0;; ++i) {
    size_t size = name.size();
    const int kind = gnutls_x509_crt_get_subject_alt_name(crt, i, name.data(), &size, nullptr);
    if (kind == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE) return names;
    const ByteSpan value = ByteSpan(name).first(std::min(size, name.size()));
    if (kind == GNUTLS_SAN_DNSNAME) names.emplace_back(AsText(value));
    if (kind == GNUTLS_SAN_IPADDRESS) {
      std::array<char, INET6_ADDRSTRLEN> text{};
      const int family = value.size() == sizeof(in_addr) ? AF_INET : AF_INET6;
      if (inet_ntop(family, value.data(), text.data(), text.size()) != nullptr)
        names.emplace_back(text.data());
    }
  }
}

Result<SecretBytes> ReadByGnutls(const std::string& path, ByteSpan file,
                                 const Passphrase& passphrase) {
  KC_ASSIGN(const PrivateKey key, Import(path, file, passphrase));
  if (gnutls_x509_privkey_get_pk_algorithm(key.get()) == GNUTLS_PK_RSA &&
      gnutls_x509_privkey_verify_params(key.get()) != 0) {
    return BadKey(path, "the parts of the RSA key do not belong together: it is damaged");
  }
  return ToPkcs8(path, key.get());
}

Result<Certificate> Describe(gnutls_x509_crt_t crt) {
  Certificate certificate;
  Output der;
  Output subject;
  Output issuer;
  Output subject_text;
  if (gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, der.out()) != 0 ||
      gnutls_x509_crt_get_raw_dn(crt, subject.out()) != 0 ||
      gnutls_x509_crt_get_raw_issuer_dn(crt, issuer.out()) != 0) {
    return Fail(Code::kMalformed, "certificate without subject or issuer");
  }
  certificate.der = ToBytes(der.bytes());
  certificate.subject = ToBytes(subject.bytes());
  certificate.issuer = ToBytes(issuer.bytes());
  if (gnutls_x509_crt_get_dn3(crt, subject_text.out(), 0) == 0) {
    certificate.subject_text = AsText(subject_text.bytes());
  }
  certificate.names = AlternativeNames(crt);
  std::array<uint8_t, 128> serial{};
  size_t size = serial.size();
  if (gnutls_x509_crt_get_serial(crt, serial.data(), &size) != 0 || size > 127) {
    return Fail(Code::kMalformed, "certificate without a serial number");
  }
  certificate.serial = {0x02, static_cast<uint8_t>(size)};  // DER INTEGER, short form
  certificate.serial.insert(certificate.serial.end(), serial.begin(),
                            serial.begin() + static_cast<ptrdiff_t>(size));
  certificate.not_after = FormatTime(gnutls_x509_crt_get_expiration_time(crt));

  gnutls_pubkey_t raw = nullptr;
  if (gnutls_pubkey_init(&raw) != 0) return Fail(Code::kOutOfMemory);
  const Pubkey key(raw);
  Output spki;
  if (gnutls_pubkey_import_x509(key.get(), crt, 0) != 0 ||
      gnutls_pubkey_export2(key.get(), GNUTLS_X509_FMT_DER, spki.out()) != 0) {
    return Fail(Code::kUnsupported, "the certificate's public key");
  }
  certificate.public_key_info = ToBytes(spki.bytes());
  return certificate;
}

}  // namespace

Result<PrivateKeyFile> ReadPrivateKey(const std::string& path, const Passphrase& passphrase) {
  KC_ASSIGN(const Bytes file, ReadFile(path, kMaxFile));
  return ParsePrivateKey(path, file, passphrase);
}

Result<PrivateKeyFile> ParsePrivateKey(const std::string& path, ByteSpan file,
                                       const Passphrase& passphrase) {
  std::optional<SecretBytes> known;
  const Passphrase asked_once = [&]() -> Result<SecretBytes> {
    if (!known) {
      KC_ASSIGN(known, passphrase());
    }
    return known->Clone();
  };
  Result<SecretBytes> pkcs8 = ReadByGnutls(path, file, asked_once);
  if (!pkcs8.ok() && (IsPem(file) || CheckWholeDer(path, file).ok())) {
    auto other = ReadPrivateKeyByOpenssl(file, asked_once);
    if (other.ok()) pkcs8 = std::move(other);
  }
  if (!pkcs8.ok()) return pkcs8.error();
  auto checked = mech::MaterialFromPkcs8(pkcs8->Expose(SecretAccess()));
  if (!checked.ok()) return checked.error().In(path);
  return PrivateKeyFile{std::move(pkcs8).value(), std::move(checked->attributes)};
}

Result<SecretBytes> ReadSigningKey(const std::string& path, const Passphrase& passphrase) {
  KC_ASSIGN(const Bytes file, ReadFile(path, kMaxFile));
  KC_ASSIGN(const PrivateKey key, Import(path, file, passphrase));
  return ToPkcs8(path, key.get());
}

Result<Certificate> ParseCertificate(ByteSpan der) {
  gnutls_x509_crt_t raw = nullptr;
  if (gnutls_x509_crt_init(&raw) != 0) return Fail(Code::kOutOfMemory);
  const Crt crt(raw);
  const gnutls_datum_t data = In(der);
  const int rc = gnutls_x509_crt_import(crt.get(), &data, GNUTLS_X509_FMT_DER);
  if (rc != 0) return Fail(Code::kMalformed, gnutls_strerror(rc));
  return Describe(crt.get());
}

Result<std::vector<Certificate>> ReadCertificates(const std::string& path) {
  KC_ASSIGN(const Bytes file, ReadFile(path, kMaxFile));
  gnutls_x509_crt_t* list = nullptr;
  unsigned count = 0;
  const gnutls_datum_t data = In(file);
  const auto format = IsPem(file) ? GNUTLS_X509_FMT_PEM : GNUTLS_X509_FMT_DER;
  const int rc = gnutls_x509_crt_list_import2(&list, &count, &data, format, 0);
  if (rc != 0) {
    return Fail(Code::kMalformed,
                path + ": no whole certificate, PEM or DER (" + gnutls_strerror(rc) + ")");
  }
  std::vector<Crt> owned;
  for (unsigned i = 0; i < count; ++i) owned.emplace_back(list[i]);  // NOLINT
  gnutls_free(list);
  std::vector<Certificate> certificates;
  for (const Crt& crt : owned) {
    auto described = Describe(crt.get());
    if (!described.ok()) return described.error().In(path);
    certificates.push_back(std::move(described).value());
  }
  return certificates;
}

Result<Bytes> DerOfPem(const char* label, ByteSpan pem) {
  Bytes copy = ToBytes(pem);
  const gnutls_datum_t in{copy.data(), static_cast<unsigned int>(copy.size())};
  gnutls_datum_t out{nullptr, 0};
  if (gnutls_pem_base64_decode2(label, &in, &out) < 0)
    return Fail(Code::kMalformed, "not PEM of a " + std::string(label));
  Bytes der(out.data, out.data + out.size);
  gnutls_free(out.data);
  return der;
}

std::string ToPem(std::string_view label, ByteSpan der) {
  constexpr size_t kLine = 64;
  const std::string base64 = ToBase64(der);
  std::string pem = "-----BEGIN " + std::string(label) + "-----\n";
  for (size_t at = 0; at < base64.size(); at += kLine) pem += base64.substr(at, kLine) + "\n";
  return pem + "-----END " + std::string(label) + "-----\n";
}

Result<Bytes> ReadPublicKey(const std::string& path) {
  KC_ASSIGN(const Bytes file, ReadFile(path, kMaxFile));
  gnutls_pubkey_t raw = nullptr;
  if (gnutls_pubkey_init(&raw) != 0) return Fail(Code::kOutOfMemory);
  const Pubkey key(raw);
  const gnutls_datum_t data = In(file);
  const auto format = IsPem(file) ? GNUTLS_X509_FMT_PEM : GNUTLS_X509_FMT_DER;
  const int rc = gnutls_pubkey_import(key.get(), &data, format);
  Output der;
  if (rc != 0 || gnutls_pubkey_export2(key.get(), GNUTLS_X509_FMT_DER, der.out()) != 0) {
    return Fail(Code::kMalformed,
                path + ": not a public key, PEM or DER (" + gnutls_strerror(rc) + ")");
  }
  return ToBytes(der.bytes());
}

}  // namespace keyclave::ctl
