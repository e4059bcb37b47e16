// What C hands over, as what the module works with: pointers and lengths become spans, templates
// attribute lists, blank-padded texts strings, and back. Nothing here trusts a pointer that is NULL
// or a length that is absurd.
#pragma once

#include "enclave/wire/attributes.h"
#include "pkcs11/cryptoki3.h"

namespace keyclave::pkcs11 {

// NULL with a length is kP11ArgumentsBad; any pointer with length 0 is empty.
Result<ByteSpan> InBytes(const void* data, CK_ULONG size);
// kP11ArgumentsBad for NULL.
Status NotNull(const void* pointer);

// A copy of the structure that a void pointer and a length describe, wherever it is aligned;
// `wrong` for another length or NULL.
template <class T>
Result<T> CopyStruct(const void* data, CK_ULONG size, Code wrong) {
  if (data == nullptr || size != sizeof(T)) return Fail(wrong, "a structure of another size");
  T value{};
  const std::span<std::byte> target = std::as_writable_bytes(std::span<T, 1>(&value, 1));
  const std::span<const std::byte> source(static_cast<const std::byte*>(data), sizeof(T));
  std::copy(source.begin(), source.end(), target.begin());
  return value;
}

// A template. kP11ArgumentsBad for NULL with a count, kAttributeValueInvalid for NULL with a length
// or a length above the wire's limit, kTemplateInconsistent for a type that is there twice with
// different values (base §4.1.1, cases 5 and 6).
Result<wire::AttributeList> FromTemplate(const CK_ATTRIBUTE* attributes, CK_ULONG count);

// CKA_WRAP_TEMPLATE and its like: the value is an array of CK_ATTRIBUTE, on the wire the CBOR of an
// AttributeList.
bool IsNestedTemplate(CK_ATTRIBUTE_TYPE type);

// C_GetAttributeValue for one attribute whose value is known: length alone, copy, or
// kP11BufferTooSmall with CK_UNAVAILABLE_INFORMATION.
Status PutAttribute(CK_ATTRIBUTE& out, ByteSpan value);

// Fixed-length texts: blank-padded, never terminated (base §3.2). Cut at a character, not inside
// one.
void PutPadded(std::span<CK_UTF8CHAR> out, std::string_view text);
// The text of a blank-padded field, without its padding; kP11ArgumentsBad if it is not UTF-8.
Result<std::string> FromPadded(ByteSpan field);

}  // namespace keyclave::pkcs11
