// Key derivation of NIST SP 800-108 in counter and feedback mode (pkcs11-curr-v3.0 §2.44) with HMAC
// or AES-CMAC.
//
// PKCS#11 lets a caller lay out the PRF's input field by field; OpenSSL's KBKDF computes one
// layout: the iteration variable first (in feedback mode with the counter behind it), the counter
// big-endian, then everything that is fixed. Other layouts are refused, and so are additional keys:
// each would need the loop of SP 800-108 itself, which is OpenSSL's to write.

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "enclave/mech/aes.h"
#include "enclave/mech/evp.h"
#include "enclave/mech/families.h"
#include "enclave/mech/kdf_run.h"

namespace keyclave::mech {
namespace {

constexpr MechRow kRows[] = {
    {CKM_SP800_108_COUNTER_KDF, 1, kMaxGenericSecret, CKF_HW | CKF_DERIVE},
    {CKM_SP800_108_FEEDBACK_KDF, 1, kMaxGenericSecret, CKF_HW | CKF_DERIVE},
};

constexpr uint64_t kUsualCounterBits = 32;
constexpr const char* kCounterBits = "r";  // OSSL_KDF_PARAM_KBKDF_R, of newer OpenSSL

EVP_KDF* Kbkdf() {
  static EVP_KDF* const kdf = EVP_KDF_fetch(Library(), "KBKDF", nullptr);
  return kdf;
}

Error Unfit(std::string_view what) { return Fail(Code::kMechanismParamInvalid, std::string(what)); }

// Whether this OpenSSL counts in other widths than 32 bits.
bool HasCounterWidths() {
  static const bool has =
      OSSL_PARAM_locate_const(EVP_KDF_settable_ctx_params(Kbkdf()), kCounterBits) != nullptr;
  return has;
}

struct Prf {
  const HashAlg* hash = nullptr;  // HMAC's; nullptr: AES-CMAC
  size_t size = kAesBlock;        // bytes of one segment
};

Result<Prf> PrfOf(const Key& key, uint64_t number) {
  Prf prf;
  if (number == CKM_AES_CMAC) {
    KC_CHECK_OK(AesKey(key));
    return prf;
  }
  prf.hash = FindHash(&HashAlg::hmac, number);
  if (prf.hash == nullptr) return Unfit("prfType");
  if (key.key_type() != CKK_GENERIC_SECRET && key.key_type() != prf.hash->hmac_key_type) {
    return Fail(Code::kKeyTypeInconsistent);
  }
  prf.size = prf.hash->size;
  return prf;
}

Status CheckCounter(const wire::KbkdfField& field) {
  const uint64_t bits = field.width_bits;
  if (bits != 8 && bits != 16 && bits != 24 && bits != 32) {
    return Unfit("ulWidthInBits of the counter: 8, 16, 24 or 32");
  }
  if (field.little_endian && bits != 8) return Unfit("a little-endian counter is not supported");
  if (bits != kUsualCounterBits && !HasCounterWidths()) {
    return Unfit("ulWidthInBits of the counter: this OpenSSL counts in 32 bits only");
  }
  return Done{};
}

// "The length in bits of the derived keying material represented as a binary string" (§2.44.2.2).
Result<Bytes> EncodeLength(const wire::KbkdfField& field, size_t size, size_t segment) {
  const uint64_t bits = field.width_bits;
  if (bits < 8 || bits > 64 || bits % 8 != 0) return Unfit("ulWidthInBits of the length");
  uint64_t length = 0;
  if (field.length_method == CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS) {
    length = size * 8;
  } else if (field.length_method == CK_SP800_108_DKM_LENGTH_SUM_OF_SEGMENTS) {
    length = (size + segment - 1) / segment * segment * 8;
  } else {
    return Unfit("dkmLengthMethod");
  }
  if (bits < 64 && length >> bits != 0) return Unfit("the length does not fit ulWidthInBits");
  Bytes encoded;
  for (uint64_t shift = 0; shift < bits; shift += 8) {
    encoded.push_back(static_cast<uint8_t>(length >> shift));
  }
  if (!field.little_endian) std::reverse(encoded.begin(), encoded.end());
  return encoded;
}

const char* CmacCipher(size_t key_size) {
  if (key_size == 16) return "AES-128-CBC";
  return key_size == 24 ? "AES-192-CBC" : "AES-256-CBC";
}

struct Layout {
  uint64_t counter_bits = kUsualCounterBits;
  Bytes fixed;
};

// What stands before the fixed fields: counter mode's iteration variable is its counter, feedback
// mode's is K(i-1), with the counter behind it.
Result<size_t> ReadHead(const wire::KbkdfParam& param, bool feedback, Layout& layout) {
  const std::vector<wire::KbkdfField>& fields = param.fields;
  const size_t counter = feedback ? 1 : 0;
  if (fields.size() <= counter || fields[0].kind != CK_SP800_108_ITERATION_VARIABLE) {
    return Unfit("CK_SP800_108_ITERATION_VARIABLE does not come first");
  }
  if (feedback && fields[counter].kind != CK_SP800_108_OPTIONAL_COUNTER) {
    return Unfit("CK_SP800_108_COUNTER does not come second");
  }
  KC_CHECK_OK(CheckCounter(fields[counter]));
  layout.counter_bits = fields[counter].width_bits;
  if (feedback && layout.counter_bits != kUsualCounterBits) return Unfit("a counter of 32 bits");
  return counter + 1;
}

Result<Layout> LayoutOf(const wire::KbkdfParam& param, bool feedback, size_t size, size_t segment) {
  Layout layout;
  KC_ASSIGN(const size_t head, ReadHead(param, feedback, layout));
  bool has_length = false;
  for (size_t i = head; i < param.fields.size(); ++i) {
    const wire::KbkdfField& field = param.fields[i];
    Bytes bytes = field.data;
    if (field.kind == CK_SP800_108_DKM_LENGTH && !has_length) {
      has_length = true;
      KC_ASSIGN(bytes, EncodeLength(field, size, segment));
    } else if (field.kind != CK_SP800_108_BYTE_ARRAY || bytes.empty()) {
      return Unfit("CK_PRF_DATA_PARAM: only byte arrays, and one length, after the counter");
    }
    layout.fixed.insert(layout.fixed.end(), bytes.begin(), bytes.end());
  }
  return layout;
}

// NIST SP 800-108 §5.1: no more segments than the counter can count.
size_t Available(const Layout& layout, size_t segment) {
  const uint64_t segments = (uint64_t{1} << layout.counter_bits) - 1;
  return segments > kMaxGenericSecret ? kMaxGenericSecret : segments * segment;
}

Result<SecretBytes> Derive(const Key& key, const wire::Mechanism& mechanism, size_t asked) {
  if (key.object_class() != CKO_SECRET_KEY) return Fail(Code::kKeyTypeInconsistent);
  KC_ASSIGN(const wire::KbkdfParam* param, ExpectShape(mechanism, &wire::Mechanism::kbkdf));
  const bool feedback = mechanism.type == CKM_SP800_108_FEEDBACK_KDF;
  KC_ASSIGN(const Prf prf, PrfOf(key, param->prf));
  const size_t size = asked == 0 ? prf.size : asked;
  KC_ASSIGN(const Layout layout, LayoutOf(*param, feedback, size, prf.size));
  KC_CHECK_OK(CheckDerivedSize(size, Available(layout, prf.size)));
  if (!param->iv.empty() && (!feedback || param->iv.size() != prf.size)) {
    return Unfit("pIV: none, or as long as the PRF's output");
  }
  KdfRun run(Kbkdf());
  run.Text(OSSL_KDF_PARAM_MODE, feedback ? "FEEDBACK" : "COUNTER")
      .Text(OSSL_KDF_PARAM_MAC, prf.hash != nullptr ? "HMAC" : "CMAC")
      .Secret(OSSL_KDF_PARAM_KEY, key.secret())
      .Octets(OSSL_KDF_PARAM_SALT, layout.fixed)
      .Octets(OSSL_KDF_PARAM_SEED, param->iv)
      .Number(OSSL_KDF_PARAM_KBKDF_USE_L, 0)
      .Number(OSSL_KDF_PARAM_KBKDF_USE_SEPARATOR, 0);
  if (prf.hash != nullptr) {
    run.Digest(*prf.hash);
  } else {
    run.Text(OSSL_KDF_PARAM_CIPHER, CmacCipher(key.secret().size()));
  }
  if (layout.counter_bits != kUsualCounterBits) {
    run.Number(kCounterBits, static_cast<int>(layout.counter_bits));
  }
  return run.Derive(size, "SP 800-108");
}

}  // namespace

constinit const MechFamily kKbkdfFamily = {
    .name = "sp800-108",
    .rows = kRows,
    .derive = Derive,
};

}  // namespace keyclave::mech
