// Offline verification of an audit log: chain and checkpoint signatures, with GnuTLS.

#include <gnutls/abstract.h>

#include <memory>

#include "enclave/audit/line.h"

namespace keyclave::audit {
namespace {

struct PublicKeyFree {
  void operator()(gnutls_pubkey_st* key) const { gnutls_pubkey_deinit(key); }
};
using PublicKey = std::unique_ptr<gnutls_pubkey_st, PublicKeyFree>;

gnutls_datum_t Datum(ByteSpan bytes) {
  return {const_cast<uint8_t*>(bytes.data()), static_cast<unsigned>(bytes.size())};
}

Result<PublicKey> ImportPublicKey(ByteSpan spki) {
  gnutls_pubkey_t raw = nullptr;
  if (gnutls_pubkey_init(&raw) != 0) return Fail(Code::kOutOfMemory);
  PublicKey key(raw);
  const gnutls_datum_t datum = Datum(spki);
  if (gnutls_pubkey_import(key.get(), &datum, GNUTLS_X509_FMT_DER) != 0) {
    return Fail(Code::kInvalidArgument, "the audit key is not a SubjectPublicKeyInfo");
  }
  return key;
}

bool IsSignature(const PublicKey& key, ByteSpan digest, ByteSpan signature) {
  const gnutls_datum_t hash = Datum(digest);
  const gnutls_datum_t sig = Datum(signature);
  return gnutls_pubkey_verify_hash2(key.get(), GNUTLS_SIGN_ECDSA_SHA256, 0, &hash, &sig) >= 0;
}

Status VerifyCheckpoint(const PublicKey& key, const ChainEnd& before, const Line& line) {
  const auto signature = FromBase64(line.signature);
  if (signature.ok() && IsSignature(key, CheckpointDigest(before), *signature)) return Done{};
  return Fail(Code::kAuditBroken,
              "checkpoint " + std::to_string(line.sequence) + " is not signed by the given key");
}

}  // namespace

Status VerifySignature(ByteSpan public_key, ByteSpan digest, ByteSpan signature) {
  KC_ASSIGN(const PublicKey key, ImportPublicKey(public_key));
  if (IsSignature(key, digest, signature)) return Done{};
  return Fail(Code::kAuditBroken, "the signature is not by the given key");
}

Result<VerifyReport> VerifyAuditLines(const std::vector<std::string>& lines, ByteSpan public_key) {
  PublicKey key;
  if (!public_key.empty()) {
    KC_ASSIGN(key, ImportPublicKey(public_key));
  }
  VerifyReport report;
  ChainEnd end;
  for (const std::string& text : lines) {
    KC_ASSIGN(const Line line, ParseLine(text));
    const ChainEnd before = end;
    KC_CHECK_OK(Follow(end, line));
    ++report.records;
    ++report.unsigned_tail;
    if (key != nullptr && line.event == kCheckpointEvent) {
      KC_CHECK_OK(VerifyCheckpoint(key, before, line));
      ++report.checkpoints;
      report.unsigned_tail = 0;
    }
  }
  return report;
}

}  // namespace keyclave::audit
