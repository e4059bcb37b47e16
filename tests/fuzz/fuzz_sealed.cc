// Fuzz target: the bytes that an untrusted disk hands to the vault. The first byte chooses the
// door. Doors behind the AEAD get their plaintext directly too, because no fuzzer forges a tag; the
// root secret is fixed, so that sealed seeds open.
//
// KEYCLAVE_WRITE_SEEDS=DIR makes the replay program write its seed files there.
#include <cstdlib>
#include <fstream>

#include "enclave/base/hash.h"
#include "enclave/keys/object_records.h"
#include "enclave/keys/records.h"
#include "enclave/keys/root_file.h"

namespace keyclave::keys {
namespace {

enum class Door : uint8_t {
  kRow,
  kHead,
  kMark,
  kRowHeader,
  kBody,
  kToken,
  kPolicy,
  kObject,
  kRoot
};
constexpr uint8_t kDoors = 9;

SecretBytes FixedSecret() { return SecretBytes(kRootSecretSize); }

RecordKey FixedKey() { return {RecordType::kObject, {0x11}, {0x22}}; }

// What opens must seal again to something that opens to the same.
void CheckRow(RowSealer& sealer, ByteSpan bytes) {
  const store::RowId row = sealer.IdOf(FixedKey());
  const Result<OpenedRow> opened = sealer.Open(row, bytes);
  if (!opened.ok()) return;
  const Result<Bytes> again = sealer.Seal(row, opened->header, opened->body);
  if (!again.ok() || sealer.Open(row, *again).value().body != opened->body) std::abort();
}

void CheckHeader(ByteSpan bytes) {
  const Result<RowHeader> header = ParseRowHeader(bytes);
  if (header.ok() && !Equal(EncodeRowHeader(*header), bytes)) std::abort();
}

void CheckBody(ByteSpan bytes) {
  const Result<Bytes> body = UnpadBody(bytes);
  if (body.ok() && !Equal(PadBody(*body), bytes)) std::abort();
}

void CheckRecord(Door door, ByteSpan bytes) {
  Record record;
  record.key = FixedKey();
  record.version = 1;
  record.body = ToBytes(bytes);
  switch (door) {
    case Door::kToken: static_cast<void>(ParseToken(record).ok()); return;
    case Door::kPolicy: static_cast<void>(ParsePolicy(record).ok()); return;
    default: static_cast<void>(ParseObject(record).ok()); return;
  }
}

void Knock(Door door, ByteSpan bytes) {
  static const KeyGenerations kKeys(FixedSecret());
  static RowSealer sealer(kKeys);
  static const SecretBytes kWitnessKey = kKeys.names().WitnessKey();
  switch (door) {
    case Door::kRow: return CheckRow(sealer, bytes);
    case Door::kHead: static_cast<void>(OpenHead(kKeys, bytes).ok()); return;
    case Door::kMark: static_cast<void>(ParseMark(kWitnessKey, bytes).ok()); return;
    case Door::kRowHeader: return CheckHeader(bytes);
    case Door::kBody: return CheckBody(bytes);
    case Door::kToken:
    case Door::kPolicy:
    case Door::kObject: return CheckRecord(door, bytes);
    case Door::kRoot: static_cast<void>(OpenRootFile(bytes, FileSealer()).ok()); return;
  }
}

void WriteSeed(const std::string& directory, Door door, std::string_view name, ByteSpan bytes) {
  std::ofstream out(directory + "/" + std::string(name), std::ios::binary);
  out.put(static_cast<char>(door));
  out << AsText(bytes);
}

void WriteSeeds(const std::string& directory) {
  const KeyGenerations keys(FixedSecret());
  RowSealer sealer(keys);
  Object object;
  object.token = FixedKey().token;
  object.id = FixedKey().id;
  object.policy = "p";
  object.has_material = true;
  object.version = 1;
  object.attributes.SetUlong(CKA_CLASS, CKO_SECRET_KEY);
  object.attributes.SetText(CKA_LABEL, "key");
  object.attributes.Set(kCkaPolicyDigest, ByteArray<32>{});
  const Record record = ObjectChange(object, SecretBytes(16), {}).record;
  Token token;
  token.id = FixedKey().token;
  token.label = "t";
  const RowHeader header{FixedKey(), false, 1, {}};
  WriteSeed(directory, Door::kRow, "row",
            sealer.Seal(sealer.IdOf(FixedKey()), header, record.body).value());
  WriteSeed(directory, Door::kHead, "head", SealHead(keys, {7, 3, {}}).value());
  WriteSeed(directory, Door::kMark, "mark", EncodeMark(keys.names().WitnessKey(), {{7, {}}, 0}));
  WriteSeed(directory, Door::kRowHeader, "row_header", EncodeRowHeader(header));
  WriteSeed(directory, Door::kBody, "body", PadBody(ToBytes("body")));
  WriteSeed(directory, Door::kToken, "token", TokenChange(token).record.body);
  WriteSeed(directory, Door::kPolicy, "policy", PolicyChange({}, {"p", 1, "x", {}}).record.body);
  WriteSeed(directory, Door::kObject, "object", record.body);
  WriteSeed(directory, Door::kRoot, "root",
            AsBytes("keyclave-root-secret 2\nenclave " + ToHex(keys.names().EnclaveId()) +
                    "\nsealing file\nsealed " + std::string(64, '0') + "\n"));
}

}  // namespace
}  // namespace keyclave::keys

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace keyclave;
  static const bool kSeeded = [] {
    const char* directory = std::getenv("KEYCLAVE_WRITE_SEEDS");
    if (directory != nullptr) keys::WriteSeeds(directory);
    return directory != nullptr;
  }();
  if (size == 0 || kSeeded) return 0;
  const ByteSpan input = FromC(data, size);
  keys::Knock(static_cast<keys::Door>(input[0] % keys::kDoors), input.subspan(1));
  return 0;
}
