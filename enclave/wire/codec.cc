#include "enclave/wire/codec.h"

#include <algorithm>

namespace keyclave::wire {

Status TakeBool(CborReader& in, bool& value) {
  KC_ASSIGN(value, in.Bool());
  return Done{};
}

Result<uint64_t> TakeUint(CborReader& in, uint64_t most) {
  KC_ASSIGN(const uint64_t number, in.Uint());
  if (number > most) return Fail(Code::kBadMessage, "number too large");
  return number;
}

Result<uint64_t> TakeEnum(CborReader& in, uint64_t last) {
  KC_ASSIGN(const uint64_t number, in.Uint());
  if (number > last) return Fail(Code::kBadMessage, "number of an enumeration");
  return number;
}

Status TakeInt(CborReader& in, int64_t& value) {
  KC_ASSIGN(value, in.Int());
  return Done{};
}

Status TakeText(CborReader& in, std::string& value) {
  KC_ASSIGN(const std::string_view text, in.Text(kMaxField));
  value = text;
  return Done{};
}

Status TakeBytes(CborReader& in, Bytes& value) {
  KC_ASSIGN(const ByteSpan bytes, in.ByteString(kMaxField));
  value.assign(bytes.begin(), bytes.end());
  return Done{};
}

Status TakeSecret(CborReader& in, SecretBytes& value) {
  KC_ASSIGN(const ByteSpan bytes, in.ByteString(kMaxField));
  value = SecretBytes::CopyOf(bytes);
  return Done{};
}

Status TakeArray(CborReader& in, std::span<uint8_t> value) {
  KC_ASSIGN(const ByteSpan bytes, in.ByteString(value.size()));
  if (bytes.size() != value.size()) return Fail(Code::kBadMessage, "byte string of another length");
  std::copy(bytes.begin(), bytes.end(), value.begin());
  return Done{};
}

FieldReader::FieldReader(CborReader& in) : in_(in) {
  const auto fields = in_.Map(256);
  if (fields.ok()) {
    left_ = *fields;
    ReadKey();
  } else {
    status_ = fields.error();
  }
}

void FieldReader::ReadKey() {
  key_.reset();
  if (left_ == 0) return;
  --left_;
  const auto key = in_.Uint();
  if (key.ok()) {
    key_ = *key;
  } else {
    status_ = key.error();
  }
}

bool FieldReader::IsNext(uint64_t number, bool is_optional) {
  if (!status_.ok()) return false;
  if (key_ == number) return true;
  if (!is_optional)
    status_ = Fail(Code::kBadMessage, "field " + std::to_string(number) + " is missing");
  return false;
}

void FieldReader::Took(Status outcome) {
  status_ = std::move(outcome);
  if (status_.ok()) ReadKey();
}

Status FieldReader::End() {
  if (status_.ok() && key_.has_value())
    return Fail(Code::kBadMessage,
                "field " + std::to_string(*key_) + " is unknown, doubled or out of order");
  return std::move(status_);
}

Status EndDecoding(const CborReader& in, Status outcome) {
  if (outcome.ok()) outcome = in.ExpectEnd();
  if (!outcome.ok()) return Fail(Code::kBadMessage, outcome.error().Text());
  return Done{};
}

}  // namespace keyclave::wire
