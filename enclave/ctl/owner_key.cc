#include "enclave/ctl/owner_key.h"

#include <sys/stat.h>

#include "attest/gnutls_handles.h"
#include "enclave/base/name.h"
#include "enclave/ctl/key_file.h"
#include "enclave/ctl/output.h"
#include "enclave/ctl/pkcs11_key.h"
#include "enclave/ctl/secret_input.h"

namespace keyclave::ctl {
namespace {

using attest::AsDatum;
using attest::GnutlsError;
using attest::GnutlsHandle;
using attest::OwnedDatum;
using PrivateKey = GnutlsHandle<gnutls_privkey_t, gnutls_privkey_deinit>;
using PublicKey = GnutlsHandle<gnutls_pubkey_t, gnutls_pubkey_deinit>;
using X509Key = GnutlsHandle<gnutls_x509_privkey_t, gnutls_x509_privkey_deinit>;

constexpr unsigned kMinRsa = 2048;  // bits
constexpr unsigned kNewRsa = 3072;
constexpr unsigned kOthers = S_IRWXG | S_IRWXO;

Result<gnutls_sign_algorithm_t> SignatureOf(gnutls_pubkey_t key, const std::string& name) {
  unsigned bits = 0;
  const int kind = gnutls_pubkey_get_pk_algorithm(key, &bits);
  gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
  if (kind == GNUTLS_PK_RSA && bits >= kMinRsa) return GNUTLS_SIGN_RSA_PSS_RSAE_SHA256;
  if (kind == GNUTLS_PK_EDDSA_ED25519) return GNUTLS_SIGN_EDDSA_ED25519;
  const bool is_p256 = kind == GNUTLS_PK_ECDSA &&
                       gnutls_pubkey_export_ecc_raw2(key, &curve, nullptr, nullptr, 0) == 0 &&
                       curve == GNUTLS_ECC_CURVE_SECP256R1;
  if (is_p256) return GNUTLS_SIGN_ECDSA_SHA256;
  return Fail(Code::kUnsupported,
              "the key of owner " + name + " is none of P-256, Ed25519 and RSA from 2048 bits");
}

void WarnIfShared(const std::string& path) {
  struct stat about {};
  if (stat(path.c_str(), &about) != 0 || (about.st_mode & kOthers) == 0) return;
  PrintNote("keyclave: warning: other users may read " + Harmless(path) +
            ", an owner's key (chmod 600)\n");
}

Status ImportFile(gnutls_privkey_t key, const std::string& path,
                  const std::string& passphrase_file) {
  WarnIfShared(path);
  KC_ASSIGN(const SecretBytes pkcs8, ReadSigningKey(path, [&]() -> Result<SecretBytes> {
              if (!passphrase_file.empty()) return ReadSecretFile(passphrase_file);
              return AskSecret("passphrase of " + path);
            }));
  const gnutls_datum_t data = AsDatum(pkcs8.Expose(SecretAccess()));
  const int rc = gnutls_privkey_import_x509_raw(key, &data, GNUTLS_X509_FMT_DER, nullptr, 0);
  if (rc == 0) return Done{};
  return Fail(Code::kKeyFileInvalid, path + ": " + gnutls_strerror(rc));
}

}  // namespace

class OwnerKey::Handle {
 public:
  static Result<std::unique_ptr<Handle>> Open(const OwnerKeySpec& spec,
                                              const std::string& passphrase_file) {
    gnutls_privkey_t raw = nullptr;
    if (gnutls_privkey_init(&raw) != 0) return Fail(Code::kOutOfMemory);
    auto handle = std::make_unique<Handle>(raw);
    if (!spec.IsUri()) {
      KC_CHECK_OK(ImportFile(raw, spec.key, passphrase_file));
      return handle;
    }
    KC_ASSIGN(const Pkcs11KeyUri uri, ParsePkcs11KeyUri(spec.key));
    KC_CHECK_OK(LoadPkcs11(uri.module_path));
    handle->pin = std::make_unique<PinSource>(uri.pin_file);
    KC_CHECK_OK(ImportPkcs11Key(raw, uri, *handle->pin));
    return handle;
  }
  explicit Handle(gnutls_privkey_t raw) : key(raw) {}

  std::unique_ptr<PinSource> pin;  // the key holds a pointer to it
  PrivateKey key;
  gnutls_sign_algorithm_t signature = GNUTLS_SIGN_UNKNOWN;
};

OwnerKey::OwnerKey(std::string name, std::unique_ptr<Handle> key, Bytes spki)
    : name_(std::move(name)), key_(std::move(key)), spki_(std::move(spki)) {}
OwnerKey::OwnerKey(OwnerKey&&) noexcept = default;
OwnerKey& OwnerKey::operator=(OwnerKey&&) noexcept = default;
OwnerKey::~OwnerKey() = default;

Result<OwnerKeySpec> ParseOwnerKeySpec(const std::string& text) {
  const size_t split = text.find('=');
  if (split == std::string::npos || split + 1 == text.size())
    return Fail(Code::kInvalidArgument, "an owner is NAME=FILE or NAME=pkcs11:URI");
  OwnerKeySpec spec{text.substr(0, split), text.substr(split + 1)};
  if (!IsName(spec.name))
    return Fail(Code::kInvalidArgument, "owner " + spec.name + ": " + std::string(kNameRule));
  return spec;
}

Result<OwnerKey> OwnerKey::Open(const OwnerKeySpec& spec, const std::string& passphrase_file) {
  KC_ASSIGN(std::unique_ptr<Handle> handle, Handle::Open(spec, passphrase_file));
  gnutls_pubkey_t raw = nullptr;
  if (gnutls_pubkey_init(&raw) != 0) return Fail(Code::kOutOfMemory);
  const PublicKey key(raw);
  OwnedDatum spki;
  int rc = gnutls_pubkey_import_privkey(raw, handle->key.get(), 0, 0);
  if (rc == 0) rc = gnutls_pubkey_export2(raw, GNUTLS_X509_FMT_DER, spki.get());
  if (rc != 0)
    return Fail(Code::kKeyFileInvalid, "the key of owner " + spec.name +
                                           " has no public half that can be read (" +
                                           gnutls_strerror(rc) + ")");
  KC_ASSIGN(handle->signature, SignatureOf(raw, spec.name));
  return OwnerKey(spec.name, std::move(handle), ToBytes(spki.bytes()));
}

Result<Bytes> OwnerKey::Sign(ByteSpan message) const {
  const gnutls_datum_t data = AsDatum(message);
  OwnedDatum signature;
  const int rc =
      gnutls_privkey_sign_data2(key_->key.get(), key_->signature, 0, &data, signature.get());
  if (rc != 0) return GnutlsError(rc).In("signing as owner " + name_);
  return ToBytes(signature.bytes());
}

Result<wire::NewOwner> OwnerKey::Enrol(const std::string& enclave_id,
                                       const std::string& token_label, wire::OwnerRole role) const {
  wire::NewOwner fresh;
  fresh.owner = {.name = name_, .role = role, .spki = spki_};
  const wire::OwnerEnrolment enrolment{.label = std::string(wire::kOwnerEnrolmentLabel),
                                       .enclave_id = enclave_id,
                                       .token = token_label,
                                       .owner = fresh.owner};
  KC_ASSIGN(fresh.proof, Sign(wire::Encode(enrolment)));
  return fresh;
}

Result<std::vector<OwnerKey>> OpenOwnerKeys(const std::vector<OwnerKeySpec>& specs,
                                            const std::string& passphrase_file) {
  std::vector<OwnerKey> keys;
  for (const OwnerKeySpec& spec : specs) {
    KC_ASSIGN(OwnerKey key, OwnerKey::Open(spec, passphrase_file));
    for (const OwnerKey& other : keys) {
      if (other.name() == key.name() || other.spki() == key.spki())
        return Fail(Code::kInvalidArgument,
                    "owner " + key.name() + " has the name or key of " + other.name());
    }
    keys.push_back(std::move(key));
  }
  return keys;
}

Result<SecretBytes> MakeOwnerKey(OwnerKeyType type) {
  gnutls_x509_privkey_t raw = nullptr;
  if (gnutls_x509_privkey_init(&raw) != 0) return Fail(Code::kOutOfMemory);
  const X509Key key(raw);
  int rc = 0;
  switch (type) {
    case OwnerKeyType::kP256:
      rc = gnutls_x509_privkey_generate(raw, GNUTLS_PK_ECDSA,
                                        GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
      break;
    case OwnerKeyType::kEd25519:
      rc = gnutls_x509_privkey_generate(raw, GNUTLS_PK_EDDSA_ED25519,
                                        GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_ED25519), 0);
      break;
    case OwnerKeyType::kRsa:
      rc = gnutls_x509_privkey_generate(raw, GNUTLS_PK_RSA, kNewRsa, 0);
      break;
  }
  OwnedDatum pem;
  if (rc == 0)
    rc = gnutls_x509_privkey_export2_pkcs8(raw, GNUTLS_X509_FMT_PEM, nullptr, GNUTLS_PKCS_PLAIN,
                                           pem.get());
  if (rc != 0) return GnutlsError(rc);
  return SecretBytes::CopyOf(pem.bytes());
}

}  // namespace keyclave::ctl
