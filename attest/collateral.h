// Collateral: what vouches for evidence beside the evidence itself, as files that an operator
// carries in. Nothing of it is believed when it is loaded: each verifier checks the signatures and
// times of what it uses.
#pragma once

#include <any>

#include "attest/memo.h"
#include "attest/x509.h"

namespace keyclave::attest {

// A JSON file, recognised by its first member.
enum class DocumentKind : uint8_t {
  kTcbInfo,          // Intel: {"tcbInfo": …, "signature": …}
  kEnclaveIdentity,  // Intel: {"enclaveIdentity": …, "signature": …}
  kKeySet,           // RFC 7517: a JWK or a JWK set
};

// Immutable; copies share it, and threads may.
class Document {
 public:
  Document(DocumentKind kind, std::string source, Bytes bytes)
      : state_(std::make_shared<State>(kind, std::move(source), std::move(bytes))) {}

  DocumentKind kind() const { return state_->kind; }
  const std::string& source() const { return state_->source; }  // file name, for messages
  const Bytes& bytes() const { return state_->bytes; }          // exactly as it lay there

  // What its kind's one parser makes of it, or its error: made by the first who asks, and kept as
  // long as the document.
  template <class T>
  const T& Parsed(T (*parse)(const Document&)) const {
    const std::any* made = state_->made.Get();
    if (made == nullptr) made = state_->made.Set(std::make_unique<const std::any>(parse(*this)));
    return std::any_cast<const T&>(*made);
  }

 private:
  struct State {
    State(DocumentKind k, std::string s, Bytes b)
        : kind(k), source(std::move(s)), bytes(std::move(b)) {}
    const DocumentKind kind;
    const std::string source;
    const Bytes bytes;
    SetOnce<std::any> made;
  };
  std::shared_ptr<State> state_;
};

// Every regular file of the folder and of its folders, but hidden ones, in the order of names.
// kNotFound, kTooLarge (too many), kIo.
Result<std::vector<std::string>> CollateralFiles(const std::string& folder);
inline constexpr size_t kMaxCollateralFile = size_t{4} << 20;  // bytes; Intel's TCB infos: 60 KB

class Collateral {
 public:
  // All CollateralFiles. One that is none of the things below is an error that names it, so that a
  // damaged one is not passed over.
  // kNotFound, kCollateralInvalid.
  static Result<Collateral> Load(const std::string& folder);

  // Certificates (DER, PEM), revocation lists (DER, PEM, hexadecimal text) or a document,
  // recognised by content. kCollateralInvalid, source in front.
  Status Add(ByteSpan bytes, const std::string& source);

  void AddAll(const Collateral& other);

  const std::vector<Certificate>& certificates() const { return certificates_; }
  const std::vector<RevocationList>& revocation_lists() const { return revocation_lists_; }
  const std::vector<Document>& documents() const { return documents_; }

 private:
  std::vector<Certificate> certificates_;
  std::vector<RevocationList> revocation_lists_;
  std::vector<Document> documents_;
};

}  // namespace keyclave::attest
