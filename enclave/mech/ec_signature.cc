#include "enclave/mech/ec_signature.h"

#include "enclave/mech/evp.h"

namespace keyclave::mech {

Result<Bytes> ToHalves(ByteSpan der, size_t half) {
  const uint8_t* next = der.data();
  const EcdsaSig signature(d2i_ECDSA_SIG(nullptr, &next, static_cast<long>(der.size())));
  Bytes halves(2 * half);
  const int width = static_cast<int>(half);
  if (signature == nullptr ||
      BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), halves.data(), width) != width ||
      BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), halves.data() + half, width) != width) {
    return OpensslError("ECDSA signature");
  }
  return halves;
}

Result<EcdsaSig> SignatureOf(ByteSpan halves) {
  const int width = static_cast<int>(halves.size() / 2);
  EcdsaSig signature(ECDSA_SIG_new());
  BigNum r(BN_bin2bn(halves.data(), width, nullptr));
  BigNum s(BN_bin2bn(halves.data() + width, width, nullptr));
  if (!signature || !r || !s || ECDSA_SIG_set0(signature.get(), r.get(), s.get()) != 1) {
    return OpensslError("ECDSA signature");
  }
  // The signature owns both now.
  (void)r.release();
  (void)s.release();
  return signature;
}

Result<Bytes> FromHalves(ByteSpan halves) {
  KC_ASSIGN(const EcdsaSig signature, SignatureOf(halves));
  const int size = i2d_ECDSA_SIG(signature.get(), nullptr);
  if (size <= 0) return OpensslError("ECDSA signature");
  Bytes der(static_cast<size_t>(size));
  uint8_t* next = der.data();
  if (i2d_ECDSA_SIG(signature.get(), &next) != size) return OpensslError("ECDSA signature");
  return der;
}

}  // namespace keyclave::mech
