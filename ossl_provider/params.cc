#include "ossl_provider/params.h"

#include <openssl/bn.h>
#include <openssl/params.h>

#include <charconv>
#include <cstring>

namespace keyclave::ossl {
namespace {

Error WrongType(const char* key) {
  return Fail(Code::kInvalidArgument, std::string("the parameter ") + key);
}

}  // namespace

Result<std::optional<std::string_view>> TextParam(const OSSL_PARAM params[], const char* key) {
  using Found = std::optional<std::string_view>;
  const OSSL_PARAM* param = params == nullptr ? nullptr : OSSL_PARAM_locate_const(params, key);
  if (param == nullptr) return Found();
  const char* text = nullptr;
  if (OSSL_PARAM_get_utf8_string_ptr(param, &text) != 1 || text == nullptr) return WrongType(key);
  // data_size may be left out by the caller; the text ends at its NUL in any case.
  return Found(std::string_view(text));
}

Result<std::optional<int>> IntParam(const OSSL_PARAM params[], const char* key) {
  const OSSL_PARAM* param = params == nullptr ? nullptr : OSSL_PARAM_locate_const(params, key);
  if (param == nullptr) return std::optional<int>();
  int value = 0;
  if (OSSL_PARAM_get_int(param, &value) != 1) return WrongType(key);
  return std::optional<int>(value);
}

Result<std::optional<Bytes>> NumberParam(const OSSL_PARAM params[], const char* key) {
  const OSSL_PARAM* param = params == nullptr ? nullptr : OSSL_PARAM_locate_const(params, key);
  if (param == nullptr) return std::optional<Bytes>();
  BIGNUM* number = nullptr;
  if (OSSL_PARAM_get_BN(param, &number) != 1) return WrongType(key);
  Bytes bytes(static_cast<size_t>(BN_num_bytes(number)));
  BN_bn2bin(number, bytes.data());
  BN_free(number);
  return std::optional<Bytes>(std::move(bytes));
}

Result<std::optional<int>> NamedParam(const OSSL_PARAM params[], const char* key,
                                      std::span<const NamedNumber> names) {
  const OSSL_PARAM* param = params == nullptr ? nullptr : OSSL_PARAM_locate_const(params, key);
  if (param == nullptr) return std::optional<int>();
  if (param->data_type != OSSL_PARAM_UTF8_STRING) return IntParam(params, key);
  KC_ASSIGN(const auto text, TextParam(params, key));
  for (const NamedNumber& row : names) {
    if (*text == row.name) return std::optional<int>(row.number);
  }
  int value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size()) return WrongType(key);
  return std::optional<int>(value);
}

Result<std::optional<Bytes>> BytesParam(const OSSL_PARAM params[], const char* key) {
  const OSSL_PARAM* param = params == nullptr ? nullptr : OSSL_PARAM_locate_const(params, key);
  if (param == nullptr) return std::optional<Bytes>();
  const void* data = nullptr;
  size_t size = 0;
  if (OSSL_PARAM_get_octet_string_ptr(param, &data, &size) != 1) return WrongType(key);
  return std::optional<Bytes>(ToBytes(FromC(data, size)));
}

bool Asks(const OSSL_PARAM params[], const char* key) {
  return params != nullptr && OSSL_PARAM_locate_const(params, key) != nullptr;
}

Status AnswerText(OSSL_PARAM params[], const char* key, const char* value) {
  OSSL_PARAM* param = OSSL_PARAM_locate(params, key);
  if (param != nullptr && OSSL_PARAM_set_utf8_string(param, value) != 1) return WrongType(key);
  return Done{};
}

Status AnswerInt(OSSL_PARAM params[], const char* key, int value) {
  OSSL_PARAM* param = OSSL_PARAM_locate(params, key);
  if (param != nullptr && OSSL_PARAM_set_int(param, value) != 1) return WrongType(key);
  return Done{};
}

Status AnswerBytes(OSSL_PARAM params[], const char* key, ByteSpan value) {
  OSSL_PARAM* param = OSSL_PARAM_locate(params, key);
  if (param != nullptr && OSSL_PARAM_set_octet_string(param, value.data(), value.size()) != 1)
    return WrongType(key);
  return Done{};
}

Status AnswerNamed(OSSL_PARAM params[], const char* key, int value,
                   std::span<const NamedNumber> names) {
  OSSL_PARAM* param = OSSL_PARAM_locate(params, key);
  if (param == nullptr) return Done{};
  if (param->data_type != OSSL_PARAM_UTF8_STRING) return AnswerInt(params, key, value);
  for (const NamedNumber& row : names) {
    if (row.number == value) return AnswerText(params, key, row.name);
  }
  return AnswerText(params, key, std::to_string(value).c_str());
}

}  // namespace keyclave::ossl
