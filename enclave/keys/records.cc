#include "enclave/keys/records.h"

#include "enclave/base/byte_reader.h"
#include "enclave/base/hash.h"
#include "enclave/keys/seal.h"

namespace keyclave::keys {
namespace {

constexpr std::string_view kHeadMagic = "KCHD";
constexpr std::string_view kMarkMagic = "KCWT";
constexpr size_t kRowHeaderSize = 74;  // bytes, unsealed

constexpr uint8_t kFirstRowFormat = 1;  // without a generation

// Labels of what is bound to a row's two parts.
struct RowLabels {
  std::string_view header;
  std::string_view body;
};
constexpr RowLabels kLabels = {"keyclave/row-header/2", "keyclave/row-body/2"};
constexpr RowLabels kFirstLabels = {"keyclave/row-header/1", "keyclave/row-body/1"};

// A row as it lies: which format and generation it says, in clear.
struct RowClear {
  uint8_t format = kRowFormat;
  uint32_t generation = kFirstGeneration;
  const RowLabels& labels() const { return format == kFirstRowFormat ? kFirstLabels : kLabels; }
};

// What a row's two parts are bound to: a label, the row's id, for the body the whole header, and
// the generation.
Bytes AssociatedData(std::string_view label, const store::RowId& row, ByteSpan header,
                     const RowClear& clear) {
  ByteWriter out;
  out.PutPrefixed(AsBytes(label));
  out.PutPrefixed(row);
  out.PutPrefixed(header);
  if (clear.format != kFirstRowFormat) out.PutBe(clear.generation);
  return std::move(out).Finish();
}

Result<RowClear> TakeRowClear(ByteReader& in) {
  RowClear clear;
  const Result<uint8_t> format = in.TakeBe<uint8_t>();
  if (!format.ok()) return Fail(Code::kSealFailed, "an empty row");
  clear.format = *format;
  if (clear.format < kFirstRowFormat || clear.format > kRowFormat)
    return Fail(clear.format > kRowFormat ? Code::kStoreNewer : Code::kSealFailed,
                "row format " + std::to_string(clear.format));
  if (clear.format == kFirstRowFormat) return clear;
  const Result<uint32_t> generation = in.TakeBe<uint32_t>();
  if (!generation.ok()) return Fail(Code::kSealFailed, "a row cut short");
  clear.generation = *generation;
  return clear;
}

// What tells of generations is for machines that do not have them yet.
bool MayBeOf(uint32_t generation, const RowHeader& header, uint32_t oldest) {
  if (header.key.type == RecordType::kGeneration) return generation == kFirstGeneration;
  return generation >= oldest;
}

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
    case RecordType::kMember:
    case RecordType::kGeneration: return static_cast<RecordType>(number);
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

SecretBytes RowSealer::RecordKeyOf(const Generation& generation, const RowHeader& header,
                                   const store::RowId& row) {
  const SecretBytes* token_key = nullptr;  // stays valid: nothing is ever taken out of the map
  {
    const MutexLock lock(mutex_);
    const auto name = std::pair(generation.serial, header.key.token);
    auto found = token_keys_.find(name);
    if (found == token_keys_.end())
      found = token_keys_.emplace(name, generation.keys.TokenKey(header.key.token)).first;
    token_key = &found->second;
  }
  return KeySchedule::RecordKey(*token_key, row, header.version);
}

Result<Bytes> RowSealer::Seal(const store::RowId& row, const RowHeader& header, ByteSpan body) {
  if (body.size() > kMaxBody) return Fail(Code::kTooLarge, "a record's body");
  const RowClear clear{kRowFormat, header.generation};
  const auto generation = keys_.Find(header.generation);
  if (generation == nullptr || !MayBeOf(header.generation, header, kFirstGeneration))
    return Fail(Code::kInternal, "a row for a generation that it cannot be of");
  const Bytes plain_header = EncodeRowHeader(header);
  KC_ASSIGN(const Bytes sealed_header,
            keys::Seal(generation->keys.RowHeaderKey(row),
                       AssociatedData(clear.labels().header, row, {}, clear), plain_header));
  KC_ASSIGN(
      const Bytes sealed_body,
      keys::Seal(RecordKeyOf(*generation, header, row),
                 AssociatedData(clear.labels().body, row, plain_header, clear), PadBody(body)));
  ByteWriter out;
  out.PutBe(clear.format);
  out.PutBe(clear.generation);
  out.Put(sealed_header);
  out.Put(sealed_body);
  return std::move(out).Finish();
}

Result<OpenedRow> RowSealer::Open(const store::RowId& row, ByteSpan sealed) {
  ByteReader in(sealed);
  KC_ASSIGN(const RowClear clear, TakeRowClear(in));
  const auto generation = keys_.Find(clear.generation);
  if (generation == nullptr)
    return Fail(Code::kSealFailed, "a row of generation " + std::to_string(clear.generation) +
                                       " of the root secret, which is not here");
  const Result<ByteSpan> sealed_header = in.Take(kRowHeaderSize + kSealOverhead);
  if (!sealed_header.ok()) return Fail(Code::kSealFailed, "a row cut short");
  KC_ASSIGN(const Bytes plain_header,
            Unseal(generation->keys.RowHeaderKey(row),
                   AssociatedData(clear.labels().header, row, {}, clear), *sealed_header));
  OpenedRow opened;
  KC_ASSIGN(opened.header, ParseRowHeader(plain_header));
  opened.header.generation = clear.generation;
  if (IdOf(opened.header.key) != row)
    return Fail(Code::kSealFailed, "a row whose header has another id");
  if (!MayBeOf(clear.generation, opened.header, keys_.oldest()))
    return Fail(Code::kSealFailed,
                "a row of generation " + std::to_string(clear.generation) +
                    " of the root secret, under which nothing is sealed any more");
  KC_ASSIGN(const Bytes padded,
            Unseal(RecordKeyOf(*generation, opened.header, row),
                   AssociatedData(clear.labels().body, row, plain_header, clear), in.rest()));
  KC_ASSIGN(opened.body, UnpadBody(padded));
  return opened;
}

Result<RowTag> TagOf(ByteSpan sealed_row, uint8_t head_format) {
  if (sealed_row.size() < kTagSize) return Fail(Code::kTruncated, "a row");
  if (head_format == kFirstHeadFormat)
    return ByteReader(sealed_row.last(kTagSize)).TakeArray<kTagSize>();
  const ByteArray<32> digest = Sha256(sealed_row);
  return ByteReader(digest).TakeArray<kTagSize>();
}

Result<Bytes> SealHead(const KeyGenerations& keys, const Head& head) {
  const auto generation = keys.Find(head.generation);
  if (generation == nullptr)
    return Fail(Code::kInternal, "a head for a generation that is not there");
  ByteWriter out;
  out.Put(AsBytes(kHeadMagic));
  out.PutBe(kHeadFormat);
  out.Put(keys.names().EnclaveId());
  out.PutBe(head.generation);
  out.PutBe(head.epoch);
  ByteWriter secret;
  secret.Put(head.digest);
  secret.PutBe(head.rows);
  KC_ASSIGN(const Bytes sealed,
            Seal(generation->keys.HeadKey(head.epoch), out.bytes(), secret.bytes()));
  out.Put(sealed);
  return std::move(out).Finish();
}

namespace {

Error DamagedHead() { return Fail(Code::kStoreCorrupt, "the head was damaged or edited"); }

// What a head says in clear: epoch, generation and format.
Result<Head> TakeHeadClear(const KeyGenerations& keys, ByteReader& in) {
  const Result<ByteSpan> magic = in.Take(kHeadMagic.size());
  if (!magic.ok() || AsText(*magic) != kHeadMagic) return DamagedHead();
  const Result<uint8_t> format = in.TakeBe<uint8_t>();
  if (!format.ok() || *format == 0) return DamagedHead();
  if (*format > kHeadFormat)
    return Fail(Code::kStoreNewer, "head format " + std::to_string(*format));
  const Result<ByteArray<16>> enclave = in.TakeArray<16>();
  if (!enclave.ok()) return DamagedHead();
  const ByteArray<16> own = keys.names().EnclaveId();
  if (*enclave != own)
    return Fail(Code::kStoreForeign, "it is of enclave " + ToHex(*enclave) +
                                         ", the root secret here of enclave " + ToHex(own));
  Head head;
  head.format = *format;
  if (head.format != kFirstHeadFormat) {
    const Result<uint32_t> generation = in.TakeBe<uint32_t>();
    if (!generation.ok()) return DamagedHead();
    head.generation = *generation;
  }
  const Result<uint64_t> epoch = in.TakeBe<uint64_t>();
  if (!epoch.ok()) return DamagedHead();
  head.epoch = *epoch;
  return head;
}

}  // namespace

Result<uint32_t> GenerationOfHead(const KeyGenerations& keys, ByteSpan sealed) {
  ByteReader in(sealed);
  KC_ASSIGN(const Head head, TakeHeadClear(keys, in));
  return head.generation;
}

Result<Head> OpenHead(const KeyGenerations& keys, ByteSpan sealed) {
  ByteReader in(sealed);
  KC_ASSIGN(Head head, TakeHeadClear(keys, in));
  const auto generation = keys.Find(head.generation);
  const std::string number = std::to_string(head.generation);
  if (generation == nullptr)
    return Fail(Code::kStoreCorrupt, "the head is of generation " + number +
                                         " of the root secret, which root.key does not have");
  if (head.generation < keys.oldest())
    return Fail(Code::kStoreRolledBack, "the head is of generation " + number +
                                            " of the root secret, under which nothing is sealed "
                                            "since a member left the fleet");
  const ByteSpan clear = sealed.first(sealed.size() - in.remaining());
  const Result<Bytes> secret = Unseal(generation->keys.HeadKey(head.epoch), clear, in.rest());
  if (!secret.ok()) return DamagedHead();
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
