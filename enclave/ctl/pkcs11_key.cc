#include "enclave/ctl/pkcs11_key.h"

#include <gnutls/pkcs11.h>
#include <p11-kit/uri.h>

#include <algorithm>
#include <memory>

#include "enclave/ctl/output.h"
#include "enclave/ctl/secret_input.h"

namespace keyclave::ctl {
namespace {

constexpr std::string_view kFileSource = "file:";

struct UriFree {
  void operator()(P11KitUri* uri) const { p11_kit_uri_free(uri); }
};
struct CFree {
  void operator()(char* text) const { free(text); }  // NOLINT: p11-kit allocated it with malloc
};

std::string TextOr(const char* text) { return text == nullptr ? std::string() : text; }

Error BadUri(const std::string& why) { return Fail(Code::kInvalidArgument, "pkcs11: URI " + why); }

}  // namespace

Result<Pkcs11KeyUri> ParsePkcs11KeyUri(const std::string& text) {
  const std::unique_ptr<P11KitUri, UriFree> uri(p11_kit_uri_new());
  if (!uri) return Fail(Code::kOutOfMemory);
  // The text is not repeated: it may hold what should not be shown.
  const int rc = p11_kit_uri_parse(text.c_str(), P11_KIT_URI_FOR_ANY, uri.get());
  if (rc != P11_KIT_URI_OK)
    return BadUri(std::string("of an owner's key: ") + p11_kit_uri_message(rc));
  if (p11_kit_uri_get_pin_value(uri.get()) != nullptr)
    return BadUri(
        "with pin-value: other users could read the PIN there. Leave it out to be asked, or "
        "say pin-source=file:/path");
  Pkcs11KeyUri parsed;
  std::string source = TextOr(p11_kit_uri_get_pin_source(uri.get()));
  if (source.starts_with(kFileSource)) source.erase(0, kFileSource.size());
  if (!source.empty() && !source.starts_with('/'))
    return BadUri("with pin-source: wanted file:/path");
  parsed.pin_file = source;
  parsed.module_path = TextOr(p11_kit_uri_get_module_path(uri.get()));
  p11_kit_uri_set_pin_source(uri.get(), nullptr);
  p11_kit_uri_set_module_path(uri.get(), nullptr);
  char* formatted = nullptr;
  if (p11_kit_uri_format(uri.get(), P11_KIT_URI_FOR_ANY, &formatted) != P11_KIT_URI_OK)
    return BadUri("of an owner's key cannot be written");
  const std::unique_ptr<char, CFree> owned(formatted);
  parsed.uri = formatted;
  return parsed;
}

void PinSource::SetFor(gnutls_privkey_t key) { gnutls_privkey_set_pin_function(key, Answer, this); }

Status PinSource::Read(const std::string& token_label) {
  if (!file_.empty()) {
    KC_ASSIGN(pin_, ReadSecretFile(file_));
    return Done{};
  }
  KC_ASSIGN(pin_, AskSecret("PIN of PKCS#11 token " + Harmless(token_label)));
  return Done{};
}

int PinSource::Answer(void* self, int attempt, const char* /*token_url*/, const char* token_label,
                      unsigned flags, char* pin, size_t pin_max) {
  PinSource& source = *static_cast<PinSource*>(self);
  // A wrong PIN in a file stays wrong, and tokens count.
  const bool wrong = attempt > 0 || (flags & GNUTLS_PIN_WRONG) != 0;
  if (wrong && !source.file_.empty()) return GNUTLS_E_PKCS11_PIN_ERROR;
  if (wrong || source.pin_.empty()) {
    const Status read = source.Read(TextOr(token_label));
    if (!read.ok()) {
      PrintNote("keyclave: " + Harmless(read.error().Text()) + "\n");
      return GNUTLS_E_PKCS11_PIN_ERROR;
    }
  }
  const ByteSpan typed = source.pin_.Expose(SecretAccess());
  if (typed.size() >= pin_max) return GNUTLS_E_PKCS11_PIN_ERROR;
  std::copy(typed.begin(), typed.end(), pin);
  pin[typed.size()] = '\0';
  return 0;
}

Status LoadPkcs11(const std::string& module_path) {
  // The first of these calls in a process decides whether p11-kit's modules are there.
  const unsigned which = module_path.empty() ? GNUTLS_PKCS11_FLAG_AUTO : GNUTLS_PKCS11_FLAG_MANUAL;
  int rc = gnutls_pkcs11_init(which, nullptr);
  if (rc == 0 && !module_path.empty())
    rc = gnutls_pkcs11_add_provider(module_path.c_str(), nullptr);
  if (rc == 0) return Done{};
  return Fail(Code::kUnsupported, "PKCS#11 module " + module_path + ": " + gnutls_strerror(rc));
}

Status ImportPkcs11Key(gnutls_privkey_t key, const Pkcs11KeyUri& uri, PinSource& pin) {
  pin.SetFor(key);
  const int rc = gnutls_privkey_import_url(key, uri.uri.c_str(), 0);
  if (rc == 0) return Done{};
  return Fail(Code::kKeyFileInvalid, uri.uri + ": " + gnutls_strerror(rc));
}

}  // namespace keyclave::ctl
