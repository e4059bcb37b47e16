// Turns message structs into deterministic CBOR and back. A message lists its fields once, as
//   template <class V> void Visit(V& v) { v(1, key); v(2, mechanism); }
// and Encode writes a map of those numbers, ascending; an optional field that is empty is left out.
// Decode is strict: a number that the struct does not list, a missing field, a duplicate, a wrong
// type or a trailing byte is kBadMessage. Limits: kMaxField bytes per string, kMaxItems items per
// list, nesting as deep as the structs themselves.
#pragma once

#include <concepts>
#include <limits>
#include <optional>
#include <type_traits>

#include "enclave/base/cbor.h"
#include "enclave/base/secret_bytes.h"

namespace keyclave::wire {

inline constexpr size_t kMaxField = size_t{1} << 20;  // bytes
inline constexpr uint64_t kMaxItems = 4096;

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsVector : std::false_type {};
template <class T, class A>
struct IsVector<std::vector<T, A>> : std::true_type {};
template <class T>
struct IsByteArray : std::false_type {};
template <size_t N>
struct IsByteArray<std::array<uint8_t, N>> : std::true_type {};
template <class T>
concept Visitable = std::is_class_v<T> && requires(T t) {
  t.Visit([](uint64_t, auto&) {});
};

template <class T>
void EncodeValue(CborWriter& out, const T& value);

template <Visitable T>
void EncodeStruct(CborWriter& out, const T& value) {
  uint64_t present = 0;
  auto& fields = const_cast<T&>(
      value);  // NOLINT(cppcoreguidelines-pro-type-const-cast): Visit only reads here
  fields.Visit([&](uint64_t, auto& field) {
    if constexpr (IsOptional<std::decay_t<decltype(field)>>::value) {
      present += field.has_value() ? 1U : 0U;
    } else {
      ++present;
    }
  });
  out.Map(present);
  fields.Visit([&](uint64_t number, auto& field) {
    if constexpr (IsOptional<std::decay_t<decltype(field)>>::value) {
      if (!field.has_value()) return;
      out.Uint(number);
      EncodeValue(out, *field);
    } else {
      out.Uint(number);
      EncodeValue(out, field);
    }
  });
}

template <class T>
void EncodeValue(CborWriter& out, const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    out.Bool(value);
  } else if constexpr (std::is_enum_v<T>) {
    out.Uint(static_cast<uint64_t>(value));
  } else if constexpr (std::unsigned_integral<T>) {
    out.Uint(value);
  } else if constexpr (std::signed_integral<T>) {
    out.Int(value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    out.Text(value);
  } else if constexpr (std::is_same_v<T, Bytes> || IsByteArray<T>::value) {
    out.ByteString(value);
  } else if constexpr (std::is_same_v<T, SecretBytes>) {
    out.ByteString(value.Expose(SecretAccess()));
  } else if constexpr (IsVector<T>::value) {
    out.Array(value.size());
    for (const auto& item : value) EncodeValue(out, item);
  } else {
    EncodeStruct(out, value);
  }
}

// What decoding does alike for every struct and every field of a kind: compiled once (codec.cc).
Status TakeBool(CborReader& in, bool& value);
Result<uint64_t> TakeUint(CborReader& in, uint64_t most);
Result<uint64_t> TakeEnum(CborReader& in, uint64_t last);
Status TakeInt(CborReader& in, int64_t& value);
Status TakeText(CborReader& in, std::string& value);
Status TakeBytes(CborReader& in, Bytes& value);
Status TakeSecret(CborReader& in, SecretBytes& value);
Status TakeArray(CborReader& in, std::span<uint8_t> value);  // exactly as many bytes

// The map of one struct. Its fields come in the struct's own order, which ascends: so one pass
// finds missing, doubled and unknown ones.
class FieldReader {
 public:
  explicit FieldReader(CborReader& in);
  // Whether this field's value comes next. One that is not there and must be is an error.
  bool IsNext(uint64_t number, bool is_optional);
  // How decoding that value went; nothing is next after an error.
  void Took(Status outcome);
  // An error of before, or that a field is left.
  Status End();

 private:
  void ReadKey();

  CborReader& in_;
  uint64_t left_ = 0;
  std::optional<uint64_t> key_;
  Status status_;
};

template <class T>
Status DecodeValue(CborReader& in, T& value);

template <Visitable T>
Status DecodeStruct(CborReader& in, T& value) {
  FieldReader fields(in);
  value.Visit([&](uint64_t number, auto& field) {
    if constexpr (IsOptional<std::decay_t<decltype(field)>>::value) {
      if (fields.IsNext(number, true)) {
        fields.Took(DecodeValue(in, field.emplace()));
      } else {
        field.reset();
      }
    } else {
      if (fields.IsNext(number, false)) fields.Took(DecodeValue(in, field));
    }
  });
  return fields.End();
}

template <class T>
Status DecodeValue(CborReader& in, T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return TakeBool(in, value);
  } else if constexpr (std::is_enum_v<T>) {
    KC_ASSIGN(const uint64_t number, TakeEnum(in, static_cast<uint64_t>(T::kLast)));
    value = static_cast<T>(number);
    return Done{};
  } else if constexpr (std::unsigned_integral<T>) {
    KC_ASSIGN(const uint64_t number, TakeUint(in, std::numeric_limits<T>::max()));
    value = static_cast<T>(number);
    return Done{};
  } else if constexpr (std::signed_integral<T>) {
    static_assert(sizeof(T) == 8);
    return TakeInt(in, value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return TakeText(in, value);
  } else if constexpr (std::is_same_v<T, Bytes>) {
    return TakeBytes(in, value);
  } else if constexpr (std::is_same_v<T, SecretBytes>) {
    return TakeSecret(in, value);
  } else if constexpr (IsByteArray<T>::value) {
    return TakeArray(in, value);
  } else if constexpr (IsVector<T>::value) {
    KC_ASSIGN(const uint64_t count, in.Array(kMaxItems));
    value.clear();
    for (uint64_t i = 0; i < count; ++i) KC_CHECK_OK(DecodeValue(in, value.emplace_back()));
    return Done{};
  } else {
    return DecodeStruct(in, value);
  }
}

template <Visitable T>
Bytes Encode(const T& message) {
  CborWriter out;
  EncodeStruct(out, message);
  return std::move(out).Finish();
}

// Nothing may follow the struct; every error is kBadMessage.
Status EndDecoding(const CborReader& in, Status outcome);

template <Visitable T>
Result<T> Decode(ByteSpan body) {
  T message;
  CborReader in(body);
  KC_CHECK_OK(EndDecoding(in, DecodeStruct(in, message)));
  return message;
}

}  // namespace keyclave::wire
