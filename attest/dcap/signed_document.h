// The documents of Intel's provisioning certification service: {"<name>": {…}, "signature": "…"}.
// The signature is over the bytes of the first member as they stand in the text; so they are found
// in it, and never written anew.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "attest/collateral.h"
#include "attest/dcap/tcb_status.h"

namespace keyclave::attest::dcap {

// A text and its signature (ECDSA P-256 with SHA-256; r and s). Immutable; copies share it, and
// threads may.
class SignedText {
 public:
  SignedText() = default;  // nobody's
  SignedText(Bytes bytes, const ByteArray<64>& signature)
      : state_(std::make_shared<State>(std::move(bytes), signature)) {}

  // That this key made the signature; what was once found good is not computed again.
  // kEvidenceSignature.
  Status VerifyUnder(const PublicKey& key) const;

 private:
  struct State {
    State(Bytes b, const ByteArray<64>& s) : bytes(std::move(b)), signature(s) {}
    const Bytes bytes;
    const ByteArray<64> signature;
    GoodUnder good;
  };
  std::shared_ptr<State> state_;
};

// What all of them have.
struct Statement {
  std::string source;  // file name, for messages
  SignedText text;     // not verified
  uint64_t version = 0;
  UnixTime issue_date = 0;
  UnixTime next_update = 0;
  uint64_t evaluation_number = 0;  // tcbEvaluationDataNumber

  bool ValidAt(UnixTime now) const { return issue_date <= now && now <= next_update; }
};

// The bytes of the member `name` of the object that the text is, and its signature. The object must
// have these two members and no other. kCollateralInvalid.
struct SignedMember {
  ByteSpan member;
  ByteArray<64> signature{};
};
Result<SignedMember> FindSignedMember(ByteSpan text, std::string_view name);

// Reads the signed member of a document and fills the Statement from it; `json` is that member.
// kCollateralInvalid, the document's source in front.
Status ReadStatement(const Document& document, std::string_view name, Statement& statement,
                     nlohmann::json& json);

// Members of JSON objects, by type; kCollateralInvalid if absent or of another type or range.
Result<const nlohmann::json*> GetMember(const nlohmann::json& object, const char* name);
Result<std::string> GetText(const nlohmann::json& object, const char* name);
Result<uint64_t> GetNumber(const nlohmann::json& object, const char* name, uint64_t max);
Result<UnixTime> GetTime(const nlohmann::json& object, const char* name);
// Hexadecimal text in either case, of exactly this many bytes.
Result<Bytes> GetHex(const nlohmann::json& object, const char* name, size_t size);
template <size_t N>
Result<ByteArray<N>> GetHexArray(const nlohmann::json& object, const char* name) {
  KC_ASSIGN(const Bytes bytes, GetHex(object, name, N));
  ByteArray<N> array;
  std::copy(bytes.begin(), bytes.end(), array.begin());
  return array;
}
// A non-empty array.
Result<const nlohmann::json*> GetArray(const nlohmann::json& object, const char* name);
// tcbStatus, tcbDate and advisoryIDs (which may be absent) of an entry of "tcbLevels".
Result<TcbFinding> GetFinding(const nlohmann::json& level);

}  // namespace keyclave::attest::dcap
