#include "enclave/keys/records.h"

#include "enclave/base/byte_reader.h"
#include "enclave/keys/seal.h"

namespace keyclave::keys {
namespace {

constexpr std::string_view kHeadMagic = "KCHD";
constexpr std::string_view kMarkMagic = "KCWT";
constexpr size_t kRowHeaderSize = 74;  // bytes, unsealed

// What a row's two parts are bound to: a label, the row's id and, for the body, the whole header.
Bytes AssociatedData(std::string_view label, const store::RowId& row, ByteSpan header) {
  ByteWriter out;
  out.PutPrefixed(AsBytes(label));
  out.PutPrefixed(row);
  out.PutPrefixed(header);
  return std::move(out).Finish();
}

constexpr std::string_view kHeaderLabel = "keyclave/row-header/1";
constexpr std::string_view kBodyLabel = "keyclave/row-body/1";

Result<RecordType> ParseType(uint8_t number) {
  switch (static_cast<RecordType>(number)) {
    case RecordType::kEnclave:
    case RecordType::kToken:
    case RecordType::kPolicy:
    case RecordType::kUsage:
    case RecordType::kObject:
    case RecordType::kTombstone:
    case RecordType::kSet:
    case RecordType::kHistory:
    case RecordType::kRevocation:
    case RecordType::kApproval:
    case RecordType::kMember: return static_cast<RecordType>(number);
  }
  return Fail(Code::kMalformed, "record type " + std::to_string(number));
}

// Not inlined: where gcc 14 sees the first bytes' allocation, it takes the room that the vector has
// left for the whole of it and calls the writing of the ids out of bounds.
[[gnu::noinline]] void PutKey(ByteWriter& out, const RecordKey& key) {
  out.PutBe(static_cast<uint8_t>(key.type));
  out.Put(key.token);
  out.Put(key.id);
}

}  // namespace

Bytes EncodeRowHeader(const RowHeader& header) {
  ByteWriter out;
  out.PutBe(static_cast<uint8_t>(header.tombstone ? RecordType::kTombstone : header.key.type));
  PutKey(out, header.key);
  out.PutBe(header.version);
  out.Put(header.policy_digest);
  return std::move(out).Finish();
}

Result<RowHeader> ParseRowHeader(ByteSpan bytes) {
  ByteReader in(bytes);
  RowHeader header;
  KC_ASSIGN(const uint8_t state, in.TakeBe<uint8_t>());
  KC_ASSIGN(const RecordType type, ParseType(state));
  KC_ASSIGN(const uint8_t of, in.TakeBe<uint8_t>());
  KC_ASSIGN(header.key.type, ParseType(of));
  KC_ASSIGN(header.key.token, in.TakeArray<16>());
  KC_ASSIGN(header.key.id, in.TakeArray<16>());
  KC_ASSIGN(header.version, in.TakeBe<uint64_t>());
  KC_ASSIGN(header.policy_digest, in.TakeArray<32>());
  KC_CHECK_OK(in.ExpectEnd());
  header.tombstone = type == RecordType::kTombstone;
  if (header.key.type == RecordType::kTombstone || (!header.tombstone && type != header.key.type))
    return Fail(Code::kMalformed, "record types that contradict each other");
  if (header.version == 0) return Fail(Code::kMalformed, "record version 0");
  return header;
}

Bytes PadBody(ByteSpan body) {
  ByteWriter out;
  out.PutPrefixed(body);
  Bytes padded = std::move(out).Finish();
  padded.resize((padded.size() + kBodyBlock - 1) / kBodyBlock * kBodyBlock);
  return padded;
}

Result<Bytes> UnpadBody(ByteSpan padded) {
  if (padded.size() % kBodyBlock != 0) return Fail(Code::kMalformed, "a body's padding");
  ByteReader in(padded);
  KC_ASSIGN(const ByteSpan body, in.TakePrefixedBe<uint32_t>(kMaxBody));
  if (in.remaining() >= kBodyBlock) return Fail(Code::kMalformed, "a body's padding");
  KC_CHECK_OK(in.ExpectZero(in.remaining()));
  return ToBytes(body);
}

store::RowId RowSealer::IdOf(const RecordKey& key) const {
  ByteWriter out;
  PutKey(out, key);
  return Authenticate(row_id_key_, out.bytes());
}

SecretBytes RowSealer::RecordKeyOf(const ByteArray<16>& token, const store::RowId& row,
                                   uint64_t version) {
  const SecretBytes* token_key = nullptr;  // stays valid: nothing is ever taken out of the map
  {
    const MutexLock lock(mutex_);
    auto found = token_keys_.find(token);
    if (found == token_keys_.end()) found = token_keys_.emplace(token, keys_.TokenKey(token)).first;
    token_key = &found->second;
  }
  return KeySchedule::RecordKey(*token_key, row, version);
}

Result<Bytes> RowSealer::Seal(const store::RowId& row, const RowHeader& header, ByteSpan body) {
  if (body.size() > kMaxBody) return Fail(Code::kTooLarge, "a record's body");
  const Bytes plain_header = EncodeRowHeader(header);
  KC_ASSIGN(
      const Bytes sealed_header,
      keys::Seal(keys_.RowHeaderKey(row), AssociatedData(kHeaderLabel, row, {}), plain_header));
  KC_ASSIGN(const Bytes sealed_body,
            keys::Seal(RecordKeyOf(header.key.token, row, header.version),
                       AssociatedData(kBodyLabel, row, plain_header), PadBody(body)));
  ByteWriter out;
  out.PutBe(kRowFormat);
  out.Put(sealed_header);
  out.Put(sealed_body);
  return std::move(out).Finish();
}

Result<OpenedRow> RowSealer::Open(const store::RowId& row, ByteSpan sealed) {
  ByteReader in(sealed);
  const Result<uint8_t> format = in.TakeBe<uint8_t>();
  if (!format.ok()) return Fail(Code::kSealFailed, "an empty row");
  if (*format != kRowFormat)
    return Fail(*format > kRowFormat ? Code::kStoreNewer : Code::kSealFailed,
                "row format " + std::to_string(*format));
  const Result<ByteSpan> sealed_header = in.Take(kRowHeaderSize + kSealOverhead);
  if (!sealed_header.ok()) return Fail(Code::kSealFailed, "a row cut short");
  KC_ASSIGN(const Bytes plain_header,
            Unseal(keys_.RowHeaderKey(row), AssociatedData(kHeaderLabel, row, {}), *sealed_header));
  OpenedRow opened;
  KC_ASSIGN(opened.header, ParseRowHeader(plain_header));
  if (IdOf(opened.header.key) != row)
    return Fail(Code::kSealFailed, "a row whose header has another id");
  KC_ASSIGN(const Bytes padded,
            Unseal(RecordKeyOf(opened.header.key.token, row, opened.header.version),
                   AssociatedData(kBodyLabel, row, plain_header), in.rest()));
  KC_ASSIGN(opened.body, UnpadBody(padded));
  KC_ASSIGN(opened.tag, TagOf(sealed));
  return opened;
}

Result<RowTag> TagOf(ByteSpan sealed_row) {
  if (sealed_row.size() < kTagSize) return Fail(Code::kTruncated, "a row");
  return ByteReader(sealed_row.last(kTagSize)).TakeArray<kTagSize>();
}

Result<Bytes> SealHead(const KeySchedule& keys, const Head& head) {
  ByteWriter out;
  out.Put(AsBytes(kHeadMagic));
  out.PutBe(kHeadFormat);
  out.Put(keys.EnclaveId());
  out.PutBe(head.epoch);
  ByteWriter secret;
  secret.Put(head.digest);
  secret.PutBe(head.rows);
  KC_ASSIGN(const Bytes sealed, Seal(keys.HeadKey(head.epoch), out.bytes(), secret.bytes()));
  out.Put(sealed);
  return std::move(out).Finish();
}

Result<Head> OpenHead(const KeySchedule& keys, ByteSpan sealed) {
  ByteReader in(sealed);
  const auto damaged = [] { return Fail(Code::kStoreCorrupt, "the head was damaged or edited"); };
  const Result<ByteSpan> magic = in.Take(kHeadMagic.size());
  if (!magic.ok() || AsText(*magic) != kHeadMagic) return damaged();
  const Result<uint8_t> format = in.TakeBe<uint8_t>();
  if (!format.ok() || *format == 0) return damaged();
  if (*format > kHeadFormat)
    return Fail(Code::kStoreNewer, "head format " + std::to_string(*format));
  const Result<ByteArray<16>> enclave = in.TakeArray<16>();
  if (!enclave.ok()) return damaged();
  if (*enclave != keys.EnclaveId())
    return Fail(Code::kStoreForeign, "it is of enclave " + ToHex(*enclave) +
                                         ", the root secret here of enclave " +
                                         ToHex(keys.EnclaveId()));
  Head head;
  const Result<uint64_t> epoch = in.TakeBe<uint64_t>();
  if (!epoch.ok()) return damaged();
  head.epoch = *epoch;
  const ByteSpan clear = sealed.first(sealed.size() - in.remaining());
  const Result<Bytes> secret = Unseal(keys.HeadKey(head.epoch), clear, in.rest());
  if (!secret.ok()) return damaged();
  ByteReader body(*secret);
  KC_ASSIGN(head.digest, body.TakeArray<32>());
  KC_ASSIGN(head.rows, body.TakeBe<uint64_t>());
  KC_CHECK_OK(body.ExpectEnd());
  return head;
}

Bytes EncodeMark(const SecretBytes& witness_key, const CountedMark& counted) {
  ByteWriter out;
  out.Put(AsBytes(kMarkMagic));
  out.PutBe(kMarkFormat);
  out.Put(ByteArray<3>{});
  out.PutBe(counted.mark.epoch);
  out.Put(counted.mark.head_digest);
  out.PutBe(counted.count);
  out.Put(Authenticate(witness_key, out.bytes()));
  return std::move(out).Finish();
}

Result<CountedMark> ParseMark(const SecretBytes& witness_key, ByteSpan bytes) {
  ByteReader in(bytes);
  KC_ASSIGN(const ByteSpan magic, in.Take(kMarkMagic.size()));
  KC_ASSIGN(const uint8_t format, in.TakeBe<uint8_t>());
  KC_CHECK_OK(in.ExpectZero(3));
  CountedMark counted;
  KC_ASSIGN(counted.mark.epoch, in.TakeBe<uint64_t>());
  KC_ASSIGN(counted.mark.head_digest, in.TakeArray<32>());
  KC_ASSIGN(counted.count, in.TakeBe<uint64_t>());
  const ByteSpan authenticated = bytes.first(bytes.size() - in.remaining());
  KC_ASSIGN(const auto tag, in.TakeArray<32>());
  KC_CHECK_OK(in.ExpectEnd());
  if (AsText(magic) != kMarkMagic || format != kMarkFormat)
    return Fail(Code::kMalformed, "not a mark of a witness");
  if (!EqualConstantTime(tag, Authenticate(witness_key, authenticated)))
    return Fail(Code::kSealFailed, "the mark's authentication");
  return counted;
}

}  // namespace keyclave::keys
