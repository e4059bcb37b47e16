#include "enclave/client/key_reference.h"

#include <gnutls/gnutls.h>
#include <libtasn1.h>

#include "enclave/base/file.h"

namespace keyclave::client {
namespace {

#include "enclave/client/key_reference_asn1.inc"

constexpr std::string_view kDescription = "PKCS#11 Provider URI v1.0";
constexpr size_t kMaxPinFile = 4096;  // bytes

// One KeyReference value in libtasn1's hands.
class KeyReferenceNode {
 public:
  static Result<KeyReferenceNode> Create() {
    KeyReferenceNode made;
    if (asn1_array2tree(kKeyReferenceAsn1, &made.definitions_, nullptr) != ASN1_SUCCESS ||
        asn1_create_element(made.definitions_, "KEYCLAVE.KeyReference", &made.value_) !=
            ASN1_SUCCESS) {
      return Fail(Code::kInternal, "the ASN.1 definition of key references");
    }
    return made;
  }
  KeyReferenceNode(KeyReferenceNode&& other) noexcept
      : definitions_(std::exchange(other.definitions_, nullptr)),
        value_(std::exchange(other.value_, nullptr)) {}
  KeyReferenceNode(const KeyReferenceNode&) = delete;
  KeyReferenceNode& operator=(const KeyReferenceNode&) = delete;
  KeyReferenceNode& operator=(KeyReferenceNode&&) = delete;
  ~KeyReferenceNode() {
    asn1_delete_structure(&value_);
    asn1_delete_structure(&definitions_);
  }

  Status Write(const char* field, std::string_view text) {
    if (asn1_write_value(value_, field, text.data(), static_cast<int>(text.size())) != ASN1_SUCCESS)
      return Fail(Code::kInvalidArgument, "a key reference cannot hold this URI");
    return Done{};
  }
  Result<Bytes> Encode() {
    int size = 0;
    if (asn1_der_coding(value_, "", nullptr, &size, nullptr) != ASN1_MEM_ERROR)
      return Fail(Code::kInternal, "encoding a key reference");
    Bytes der(static_cast<size_t>(size));
    if (asn1_der_coding(value_, "", der.data(), &size, nullptr) != ASN1_SUCCESS)
      return Fail(Code::kInternal, "encoding a key reference");
    der.resize(static_cast<size_t>(size));
    return der;
  }
  Status Decode(ByteSpan der) {
    int size = static_cast<int>(der.size());
    if (asn1_der_decoding2(&value_, der.data(), &size, ASN1_DECODE_FLAG_STRICT_DER, nullptr) !=
            ASN1_SUCCESS ||
        static_cast<size_t>(size) != der.size()) {
      return Fail(Code::kMalformed, "not a key reference");
    }
    return Done{};
  }
  Result<std::string> Read(const char* field) {
    int size = 0;
    if (asn1_read_value(value_, field, nullptr, &size) != ASN1_MEM_ERROR || size <= 0)
      return Fail(Code::kMalformed, "a key reference with an empty field");
    Bytes read(static_cast<size_t>(size));
    if (asn1_read_value(value_, field, read.data(), &size) != ASN1_SUCCESS)
      return Fail(Code::kMalformed, "not a key reference");
    const std::string_view text = AsText(read);
    // A NUL would end the URI early for some of its readers.
    if (text.find('\0') != std::string_view::npos)
      return Fail(Code::kMalformed, "a key reference with a NUL inside");
    return std::string(text);
  }

 private:
  KeyReferenceNode() = default;
  asn1_node definitions_ = nullptr;
  asn1_node value_ = nullptr;
};

// gnutls_datum_t points to bytes that may be written, though its readers do not write.
struct Datum {
  explicit Datum(ByteSpan bytes) : copy(ToBytes(bytes)) {}
  gnutls_datum_t c() { return {copy.data(), static_cast<unsigned int>(copy.size())}; }
  Bytes copy;
};

// What GnuTLS allocated.
struct OwnedDatum {
  ~OwnedDatum() { gnutls_free(datum.data); }
  ByteSpan bytes() const { return {datum.data, datum.size}; }
  gnutls_datum_t datum{nullptr, 0};
};

}  // namespace

Result<Bytes> EncodeKeyReference(const std::string& uri) {
  if (uri.empty() || uri.size() > kMaxUri || uri.find('\0') != std::string::npos)
    return Fail(Code::kInvalidArgument, "the URI is empty or too long");
  KC_ASSIGN(KeyReferenceNode node, KeyReferenceNode::Create());
  KC_CHECK_OK(node.Write("description", kDescription));
  KC_CHECK_OK(node.Write("uri", uri));
  return node.Encode();
}

Result<std::string> EncodeKeyReferencePem(const std::string& uri) {
  KC_ASSIGN(const Bytes der, EncodeKeyReference(uri));
  Datum in(der);
  const gnutls_datum_t data = in.c();
  OwnedDatum pem;
  if (gnutls_pem_base64_encode2(kKeyReferencePemLabel.data(), &data, &pem.datum) < 0)
    return Fail(Code::kOutOfMemory, "encoding a key reference");
  return std::string(AsText(pem.bytes()));
}

Result<std::string> DecodeKeyReference(ByteSpan der) {
  if (der.empty() || der.size() > kMaxUri + 64)
    return Fail(Code::kMalformed, "not a key reference");
  KC_ASSIGN(KeyReferenceNode node, KeyReferenceNode::Create());
  KC_CHECK_OK(node.Decode(der));
  KC_ASSIGN(const std::string description, node.Read("description"));
  if (description != kDescription)
    return Fail(Code::kMalformed, "a key reference of another version");
  return node.Read("uri");
}

Result<std::string> DecodeKeyReferencePem(std::string_view pem) {
  Datum in(AsBytes(pem));
  const gnutls_datum_t data = in.c();
  OwnedDatum der;
  if (gnutls_pem_base64_decode2(kKeyReferencePemLabel.data(), &data, &der.datum) < 0)
    return Fail(Code::kMalformed, "not a key-reference file");
  return DecodeKeyReference(der.bytes());
}

Result<SecretBytes> ReadPin(const KeyUri& uri) {
  if (uri.pin_value.has_value()) return SecretBytes::CopyOf(*uri.pin_value);
  if (!uri.pin_source.has_value()) return Fail(Code::kInvalidArgument, "the URI names no PIN");
  std::string_view path = *uri.pin_source;
  if (path.starts_with("file://")) {
    path.remove_prefix(7);
  } else if (path.starts_with("file:")) {
    path.remove_prefix(5);
  }
  if (!path.starts_with('/'))
    return Fail(Code::kInvalidArgument, "pin-source must be file: and an absolute path");
  KC_ASSIGN(const Bytes content, ReadFile(std::string(path), kMaxPinFile));
  const auto end = std::find_if(content.begin(), content.end(),
                                [](uint8_t byte) { return byte == '\n' || byte == '\r'; });
  return SecretBytes::CopyOf(ByteSpan(content).first(static_cast<size_t>(end - content.begin())));
}

}  // namespace keyclave::client
