// Chain and checkpoint signatures, with GnuTLS.
#include "enclave/audit/verify.h"

#include <gnutls/abstract.h>

#include <charconv>
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

// The first line may be any checkpoint that is signed; its signature is over what came before it.
Status BeginAt(const Line& line, const PublicKey& key, ChainEnd& end) {
  const std::string record = "record " + std::to_string(line.sequence);
  if (line.event != kCheckpointEvent)
    return Fail(Code::kAuditBroken, "the copy begins with " + record +
                                        ", which is no checkpoint: nothing vouches for "
                                        "what came before it");
  if (key == nullptr)
    return Fail(Code::kInvalidArgument,
                "a copy that begins later than at record 1 needs the enclave's audit key");
  end = {line.sequence, line.previous};
  return Done{};
}

Error NotThere(const Mark& mark, const std::string& why) {
  return Fail(Code::kAuditBroken, "record " + std::to_string(mark.sequence) +
                                      " is not the one that is expected: " + why);
}

Status CheckExpected(const Mark& mark, const VerifyReport& report) {
  if (mark.sequence > report.last.sequence)
    return NotThere(mark, "the copy ends at record " + std::to_string(report.last.sequence) +
                              ": its end was cut off");
  if (mark.sequence < report.first)
    return NotThere(mark, "the copy begins at record " + std::to_string(report.first));
  return Done{};
}

}  // namespace

Status VerifySignature(ByteSpan public_key, ByteSpan digest, ByteSpan signature) {
  KC_ASSIGN(const PublicKey key, ImportPublicKey(public_key));
  if (IsSignature(key, digest, signature)) return Done{};
  return Fail(Code::kAuditBroken, "the signature is not by the given key");
}

Result<VerifyReport> VerifyAuditLines(const std::vector<std::string>& lines,
                                      const VerifyRules& rules) {
  PublicKey key;
  if (!rules.public_key.empty()) {
    KC_ASSIGN(key, ImportPublicKey(rules.public_key));
  }
  VerifyReport report;
  ChainEnd end;
  for (const std::string& text : lines) {
    KC_ASSIGN(const Line line, ParseLine(text));
    if (report.records == 0) {
      if (rules.from_checkpoint && line.sequence != 1) KC_CHECK_OK(BeginAt(line, key, end));
      report.first = line.sequence;
    }
    const ChainEnd before = end;
    KC_CHECK_OK(Follow(end, line));
    ++report.records;
    ++report.unsigned_tail;
    report.last = {line.sequence, line.hash};
    for (const Mark& mark : rules.expected) {
      if (mark.sequence == line.sequence && mark.hash != line.hash)
        return NotThere(mark, "its hash is " + line.hash);
    }
    if (key != nullptr && line.event == kCheckpointEvent) {
      KC_CHECK_OK(VerifyCheckpoint(key, before, line));
      ++report.checkpoints;
      report.unsigned_tail = 0;
    }
  }
  for (const Mark& mark : rules.expected) KC_CHECK_OK(CheckExpected(mark, report));
  return report;
}

Result<Mark> ParseMark(std::string_view text) {
  Mark mark;
  const auto [colon, error] =
      std::from_chars(text.data(), text.data() + text.size(), mark.sequence);
  const std::string_view rest = text.substr(static_cast<size_t>(colon - text.data()));
  const bool good = error == std::errc() && mark.sequence != 0 && rest.size() == 65 &&
                    rest.front() == ':' &&
                    rest.find_first_not_of("0123456789abcdef", 1) == std::string_view::npos;
  if (!good)
    return Fail(Code::kInvalidArgument,
                "wanted NUMBER:HASH as `keyclave audit head` prints it, got " + std::string(text));
  mark.hash = rest.substr(1);
  return mark;
}

std::string MarkText(const Mark& mark) { return std::to_string(mark.sequence) + ":" + mark.hash; }

}  // namespace keyclave::audit
