// URIs of keys, by p11-kit.

#include <p11-kit/uri.h>

#include "enclave/base/byte_reader.h"
#include "enclave/client/key_reference.h"

namespace keyclave::client {
namespace {

constexpr std::string_view kScheme = "pkcs11:";
constexpr std::string_view kAlias = "keyclave:";
constexpr const char* kMaker = "Keyclave";  // manufacturer and model, as the PKCS#11 module says
constexpr const char* kSpkiQuery = "x-keyclave-spki";
constexpr const char* kPolicyQuery = "x-keyclave-policy";
constexpr const char* kVersionQuery = "x-keyclave-version";
constexpr const char* kMeasurementQuery = "x-keyclave-measurement";

struct UriFree {
  void operator()(P11KitUri* uri) const { p11_kit_uri_free(uri); }
};
using Uri = std::unique_ptr<P11KitUri, UriFree>;

Uri NewUri() {
  Uri uri(p11_kit_uri_new());
  if (!uri) throw std::bad_alloc();
  return uri;
}

bool HasScheme(std::string_view text, std::string_view scheme) {
  const auto same = [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  };
  return text.size() >= scheme.size() &&
         std::equal(scheme.begin(), scheme.end(), text.begin(),
                    [&](char wanted, char is) { return same(is, wanted); });
}

// A field of CK_TOKEN_INFO: padded with spaces; p11-kit leaves one that the URI does not name as
// zeros.
template <size_t N>
std::optional<std::string> TokenField(const CK_UTF8CHAR (&field)[N]) {
  if (field[0] == 0) return std::nullopt;
  std::string_view text = AsText(FromC(field, N));
  while (text.ends_with(' ')) text.remove_suffix(1);
  return std::string(text);
}

template <size_t N>
Status SetTokenField(CK_UTF8CHAR (&field)[N], const std::string& text, const char* what) {
  if (text.empty() || text.size() > N)
    return Fail(Code::kInvalidArgument, std::string(what) + " is empty or too long");
  std::fill(std::begin(field), std::end(field), static_cast<CK_UTF8CHAR>(' '));
  std::copy(text.begin(), text.end(), std::begin(field));
  return Done{};
}

std::optional<Bytes> AttributeBytes(P11KitUri* uri, CK_ATTRIBUTE_TYPE type) {
  const CK_ATTRIBUTE* attribute = p11_kit_uri_get_attribute(uri, type);
  if (attribute == nullptr) return std::nullopt;
  return ToBytes(FromC(attribute->pValue, attribute->ulValueLen));
}

Status SetAttribute(P11KitUri* uri, CK_ATTRIBUTE_TYPE type, ByteSpan value) {
  Bytes copy = ToBytes(value);
  CK_ATTRIBUTE attribute{type, copy.data(), copy.size()};
  if (p11_kit_uri_set_attribute(uri, &attribute) != P11_KIT_URI_OK) throw std::bad_alloc();
  return Done{};
}

Result<wire::ObjectRef> ObjectOf(P11KitUri* uri) {
  wire::ObjectRef object;
  const CK_TOKEN_INFO* token = p11_kit_uri_get_token_info(uri);
  // Other modules' tokens may have the same label as one of ours.
  if (TokenField(token->manufacturerID).value_or(kMaker) != kMaker ||
      TokenField(token->model).value_or(kMaker) != kMaker) {
    return Fail(Code::kTokenNotFound, "the URI names a token of another manufacturer or model");
  }
  object.token_label = TokenField(token->label);
  object.token_serial = TokenField(token->serialNumber);
  object.cka_id = AttributeBytes(uri, CKA_ID);
  if (const auto label = AttributeBytes(uri, CKA_LABEL)) object.label = AsText(*label);
  if (const auto object_class = AttributeBytes(uri, CKA_CLASS)) {
    ByteReader reader(*object_class);
    KC_ASSIGN(object.object_class, reader.TakeLe<uint64_t>());
  }
  return object;
}

// What the URI pins. A pin that cannot be read must not pin nothing.
Status ReadPins(P11KitUri* uri, KeyUri& out) {
  if (const char* digest = p11_kit_uri_get_vendor_query(uri, kPolicyQuery)) {
    const auto bytes = FromHex(digest);
    if (!bytes.ok() || bytes->size() != 32) {
      return Fail(Code::kInvalidArgument,
                  "x-keyclave-policy is not the 64 hexadecimal digits of a policy's digest");
    }
    std::copy(bytes->begin(), bytes->end(), out.object.policies.emplace(1).front().begin());
  }
  if (const char* measurement = p11_kit_uri_get_vendor_query(uri, kMeasurementQuery)) {
    const auto bytes = FromHex(measurement);
    if (!bytes.ok() || bytes->empty())
      return Fail(Code::kInvalidArgument, "x-keyclave-measurement is not hexadecimal");
    out.measurement = ToHex(*bytes);
  }
  return Done{};
}

// A version goes by the key's label: what names one key already must not name another.
Status ReadVersion(P11KitUri* uri, KeyUri& out) {
  const char* version = p11_kit_uri_get_vendor_query(uri, kVersionQuery);
  if (version == nullptr) return Done{};
  out.version = version;
  const bool number = !out.version.empty() && out.version.size() <= 18 &&
                      out.version.find_first_not_of("0123456789") == std::string::npos;
  if (out.version != kCurrentVersion && !number)
    return Fail(Code::kInvalidArgument, "x-keyclave-version is `current` or a number");
  if (!out.object.label || out.object.cka_id || !out.spki.empty()) {
    return Fail(Code::kInvalidArgument,
                "x-keyclave-version needs object= and goes without id= and x-keyclave-spki");
  }
  return Done{};
}

// Unlike its neighbours, p11_kit_uri_set_vendor_query returns 1 for success.
void SetVendorQuery(P11KitUri* uri, const char* name, const std::string& value) {
  if (!value.empty() && p11_kit_uri_set_vendor_query(uri, name, value.c_str()) != 1)
    throw std::bad_alloc();
}

const char* Reason(int code) {
  switch (code) {
    case P11_KIT_URI_BAD_ENCODING: return "the URI has a bad percent-encoding";
    case P11_KIT_URI_BAD_SYNTAX: return "the URI's syntax is wrong";
    case P11_KIT_URI_BAD_VERSION: return "the URI has a bad version number";
    default: return "the URI cannot be read";
  }
}

}  // namespace

bool IsKeyUri(std::string_view text) { return HasScheme(text, kScheme) || HasScheme(text, kAlias); }

Result<KeyUri> ParseKeyUri(const std::string& uri) {
  if (uri.size() > kMaxUri) return Fail(Code::kTooLarge, "the URI");
  if (!IsKeyUri(uri) || uri.find('\0') != std::string::npos)
    return Fail(Code::kInvalidArgument, "a key's URI begins with pkcs11: or keyclave:");
  const std::string text = std::string(kScheme) + uri.substr(uri.find(':') + 1);
  const Uri parsed = NewUri();
  if (const int code = p11_kit_uri_parse(text.c_str(), P11_KIT_URI_FOR_ANY, parsed.get());
      code != P11_KIT_URI_OK) {
    return Fail(Code::kInvalidArgument, Reason(code));
  }
  if (p11_kit_uri_any_unrecognized(parsed.get()) != 0)
    return Fail(Code::kInvalidArgument, "the URI has an attribute that RFC 7512 does not define");
  KeyUri result;
  KC_ASSIGN(result.object, ObjectOf(parsed.get()));
  if (const char* spki = p11_kit_uri_get_vendor_query(parsed.get(), kSpkiQuery)) {
    KC_ASSIGN(result.spki, FromBase64(spki));
  }
  KC_CHECK_OK(ReadPins(parsed.get(), result));
  KC_CHECK_OK(ReadVersion(parsed.get(), result));
  if (const char* value = p11_kit_uri_get_pin_value(parsed.get()))
    result.pin_value = ToBytes(AsBytes(value));
  if (const char* source = p11_kit_uri_get_pin_source(parsed.get())) result.pin_source = source;
  return result;
}

Result<wire::ObjectRef> RefFromUri(const std::string& uri) {
  KC_ASSIGN(KeyUri parsed, ParseKeyUri(uri));
  return std::move(parsed.object);
}

Result<std::string> MakeUri(const wire::ObjectRef& object, ByteSpan spki,
                            const std::string& measurement, const std::string& version) {
  const Uri uri = NewUri();
  CK_TOKEN_INFO* token = p11_kit_uri_get_token_info(uri.get());
  if (object.token_label)
    KC_CHECK_OK(SetTokenField(token->label, *object.token_label, "the token's label"));
  if (object.token_serial)
    KC_CHECK_OK(SetTokenField(token->serialNumber, *object.token_serial, "the token's serial"));
  if (object.cka_id) KC_CHECK_OK(SetAttribute(uri.get(), CKA_ID, *object.cka_id));
  if (object.label) KC_CHECK_OK(SetAttribute(uri.get(), CKA_LABEL, AsBytes(*object.label)));
  if (object.object_class)
    KC_CHECK_OK(SetAttribute(uri.get(), CKA_CLASS, wire::UlongBytes(*object.object_class)));
  SetVendorQuery(uri.get(), kSpkiQuery, ToBase64Url(spki));
  if (object.policies && !object.policies->empty())
    SetVendorQuery(uri.get(), kPolicyQuery, ToHex(object.policies->front()));
  SetVendorQuery(uri.get(), kMeasurementQuery, measurement);
  SetVendorQuery(uri.get(), kVersionQuery, version);
  char* text = nullptr;
  const int code = p11_kit_uri_format(uri.get(), P11_KIT_URI_FOR_OBJECT_ON_TOKEN, &text);
  const std::unique_ptr<char, decltype(&std::free)> owned(text, &std::free);
  if (code != P11_KIT_URI_OK) return Fail(Code::kInvalidArgument, Reason(code));
  return std::string(owned.get());
}

}  // namespace keyclave::client
