#include "enclave/ctl/receipt_file.h"

#include "enclave/audit/verify.h"
#include "enclave/base/clock.h"
#include "enclave/base/file.h"

namespace keyclave::ctl {
namespace {

constexpr size_t kMaxFile = size_t{64} << 10;  // bytes
constexpr const char* kVersion = "1";

Result<Bytes> Member(const Json& file, const char* name) {
  const auto found = file.find(name);
  if (found == file.end() || !found->is_string())
    return Fail(Code::kReceiptInvalid, std::string("there is no \"") + name + "\"");
  auto bytes = FromBase64(found->get<std::string>());
  if (!bytes.ok()) return Fail(Code::kReceiptInvalid, std::string(name) + " is no base64");
  return bytes;
}

}  // namespace

Status WriteReceipt(const std::string& path, const SignedReceipt& receipt) {
  Json file = {{"keyclave_receipt", kVersion},
               {"receipt", ToBase64(receipt.receipt)},
               {"signature", ToBase64(receipt.signature)}};
  if (receipt.jws.has_value()) file["jws"] = *receipt.jws;
  return ReplaceFile(path, AsBytes(file.dump(2) + "\n"), 0644);
}

Result<SignedReceipt> ReadReceipt(const std::string& path) {
  KC_ASSIGN(const Bytes content, ReadFile(path, kMaxFile));
  const std::string_view text = AsText(content);
  const Json file = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  // To the parser a NUL is the end of the text, whatever follows it.
  const bool good = file.is_object() && text.find('\0') == std::string_view::npos &&
                    file.value("keyclave_receipt", Json()) == kVersion;
  if (!good) return Fail(Code::kReceiptInvalid, path + " is no receipt of this version");
  SignedReceipt receipt;
  KC_ASSIGN(receipt.receipt, Member(file, "receipt"));
  KC_ASSIGN(receipt.signature, Member(file, "signature"));
  return receipt;
}

Result<wire::ReleaseReceipt> VerifyReceipt(const SignedReceipt& receipt, ByteSpan public_key) {
  const Status signed_by_it =
      audit::VerifySignature(public_key, wire::ReceiptDigest(receipt.receipt), receipt.signature);
  if (!signed_by_it.ok())
    return Fail(Code::kReceiptInvalid, "the signature is not by the given audit key");
  return wire::ParseReceipt(receipt.receipt);
}

Json ReceiptJson(const wire::ReleaseReceipt& receipt) {
  return {{"enclave", receipt.enclave_id},
          {"object", ToHex(receipt.object)},
          {"label", Harmless(AsText(receipt.object_label))},
          {"policy", receipt.policy},
          {"policy_version", receipt.policy_version},
          {"policy_digest", ToHex(receipt.policy_digest)},
          {"permit", receipt.permit},
          {"evidence", ToHex(receipt.evidence)},
          {"tee", receipt.tee},
          {"measurement", receipt.measurement},
          {"recipient", receipt.recipient},
          {"recipient_key", ToHex(receipt.recipient_spki)},
          {"form", receipt.form},
          {"wrapped", ToHex(receipt.wrapped)},
          {"time", FormatTime(receipt.released_at)},
          {"audit_sequence", receipt.audit_sequence},
          {"nonce", ToHex(receipt.nonce)}};
}

std::string ReceiptText(const wire::ReleaseReceipt& receipt) {
  Fields fields;
  const Json json = ReceiptJson(receipt);
  for (const auto& [name, value] : json.items())
    fields.Add(name, value.is_string() ? value.get<std::string>() : value.dump());
  return fields.Text();
}

}  // namespace keyclave::ctl
