// The two-call convention of PKCS#11 (base specification 2.40 §5.2), in one place.
//
// What holds for every call that returns bytes or a list through it:
// - no buffer (NULL): the needed length is written, nothing else happens, and the operation stays
// active;
// - a buffer that is too small: the needed length is written, kP11BufferTooSmall, and the operation
// stays active;
// - enough room: the output and its length are written.
// What an operation made although the buffer turned out too small is kept (`pending`) and handed
// out by the next call: one operation is one request to the enclave, however often its output is
// asked for.
#pragma once

#include <optional>
#include <span>

#include "enclave/base/bytes.h"
#include "pkcs11/cryptoki3.h"

namespace keyclave::pkcs11 {

// Whether the output was handed over, or only its length.
enum class Delivery { kDelivered, kLengthOnly };

// What is known of an output's length before it is made. `exact`: it is never shorter.
struct OutputSize {
  size_t bytes = 0;
  bool exact = true;
};

// The caller's array and its length: `data` may be null, `size` may not.
template <class T>
class OutArray {
 public:
  OutArray(T* data, CK_ULONG* size) : data_(data), size_(size) {}

  Status Check() const {
    if (size_ == nullptr) return Fail(Code::kP11ArgumentsBad, "no place for the length");
    return Done{};
  }
  bool IsQuery() const { return data_ == nullptr; }
  bool Fits(size_t n) const { return data_ != nullptr && n <= *size_; }

  // Answers with a length alone.
  Result<Delivery> Length(size_t n) const {
    const bool query = IsQuery();
    *size_ = n;
    if (!query) return Fail(Code::kP11BufferTooSmall);
    return Delivery::kLengthOnly;
  }
  template <class Range>
  Result<Delivery> Put(const Range& output) const {
    if (!Fits(output.size())) return Length(output.size());
    std::copy(output.begin(), output.end(), data_);
    *size_ = output.size();
    return Delivery::kDelivered;
  }

 private:
  T* data_;
  CK_ULONG* size_;
};
using OutBuffer = OutArray<CK_BYTE>;

// Hands out what `produce` (() -> Result<Bytes>) makes; it runs only if its output is likely to
// fit, and once.
template <class Produce>
Result<Delivery> Deliver(const OutBuffer& out, const std::optional<OutputSize>& size,
                         std::optional<Bytes>& pending, Produce&& produce) {
  if (!pending.has_value()) {
    const bool answer_now =
        size.has_value() && (out.IsQuery() || (size->exact && !out.Fits(size->bytes)));
    if (answer_now) return out.Length(size->bytes);
    KC_ASSIGN(pending, produce());
  }
  Result<Delivery> delivery = out.Put(*pending);
  if (delivery.ok() && *delivery == Delivery::kDelivered) pending.reset();
  return delivery;
}

// For calls that only list something.
inline Status IgnoreDelivery(const Result<Delivery>& delivery) {
  if (!delivery.ok()) return delivery.error();
  return Done{};
}

}  // namespace keyclave::pkcs11
