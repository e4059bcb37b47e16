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

template <class T>
Status DecodeValue(CborReader& in, T& value);

template <Visitable T>
Status DecodeStruct(CborReader& in, T& value) {
  KC_ASSIGN(uint64_t left, in.Map(256));
  Status status;
  std::optional<uint64_t> key;
  const auto next_key = [&]() -> Status {
    key.reset();
    if (left == 0) return Done{};
    --left;
    KC_ASSIGN(key, in.Uint());
    return Done{};
  };
  status = next_key();
  // Fields come in the struct's own order, which ascends: so one pass finds missing, doubled and
  // unknown ones.
  value.Visit([&](uint64_t number, auto& field) {
    if (!status.ok()) return;
    using Field = std::decay_t<decltype(field)>;
    if (key != number) {
      if constexpr (IsOptional<Field>::value) {
        field.reset();
      } else {
        status = Fail(Code::kBadMessage, "field " + std::to_string(number) + " is missing");
      }
      return;
    }
    if constexpr (IsOptional<Field>::value) {
      status = DecodeValue(in, field.emplace());
    } else {
      status = DecodeValue(in, field);
    }
    if (status.ok()) status = next_key();
  });
  KC_CHECK_OK(status);
  if (key.has_value())
    return Fail(Code::kBadMessage,
                "field " + std::to_string(*key) + " is unknown, doubled or out of order");
  return Done{};
}

template <class T>
Status DecodeValue(CborReader& in, T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    KC_ASSIGN(value, in.Bool());
  } else if constexpr (std::is_enum_v<T>) {
    KC_ASSIGN(const uint64_t number, in.Uint());
    if (number > static_cast<uint64_t>(T::kLast))
      return Fail(Code::kBadMessage, "number of an enumeration");
    value = static_cast<T>(number);
  } else if constexpr (std::unsigned_integral<T>) {
    KC_ASSIGN(const uint64_t number, in.Uint());
    if (number > std::numeric_limits<T>::max()) return Fail(Code::kBadMessage, "number too large");
    value = static_cast<T>(number);
  } else if constexpr (std::signed_integral<T>) {
    static_assert(sizeof(T) == 8);
    KC_ASSIGN(value, in.Int());
  } else if constexpr (std::is_same_v<T, std::string>) {
    KC_ASSIGN(const std::string_view text, in.Text(kMaxField));
    value = text;
  } else if constexpr (std::is_same_v<T, Bytes>) {
    KC_ASSIGN(const ByteSpan bytes, in.ByteString(kMaxField));
    value.assign(bytes.begin(), bytes.end());
  } else if constexpr (std::is_same_v<T, SecretBytes>) {
    KC_ASSIGN(const ByteSpan bytes, in.ByteString(kMaxField));
    value = SecretBytes::CopyOf(bytes);
  } else if constexpr (IsByteArray<T>::value) {
    KC_ASSIGN(const ByteSpan bytes, in.ByteString(value.size()));
    if (bytes.size() != value.size())
      return Fail(Code::kBadMessage, "byte string of another length");
    std::copy(bytes.begin(), bytes.end(), value.begin());
  } else if constexpr (IsVector<T>::value) {
    KC_ASSIGN(const uint64_t count, in.Array(kMaxItems));
    value.clear();
    for (uint64_t i = 0; i < count; ++i) KC_CHECK_OK(DecodeValue(in, value.emplace_back()));
  } else {
    KC_CHECK_OK(DecodeStruct(in, value));
  }
  return Done{};
}

template <Visitable T>
Bytes Encode(const T& message) {
  CborWriter out;
  EncodeStruct(out, message);
  return std::move(out).Finish();
}

template <Visitable T>
Result<T> Decode(ByteSpan body) {
  T message;
  CborReader in(body);
  Status status = DecodeStruct(in, message);
  if (status.ok()) status = in.ExpectEnd();
  if (!status.ok()) return Fail(Code::kBadMessage, status.error().Text());
  return message;
}

}  // namespace keyclave::wire
