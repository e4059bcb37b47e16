#include "enclave/wire/backup_file.h"

#include "enclave/base/byte_reader.h"
#include "enclave/wire/codec.h"

namespace keyclave::wire {
namespace {

constexpr size_t kItemHead = 5;  // bytes: type and length
constexpr std::string_view kMagicBeginning = "keyclave-backup ";

}  // namespace

Result<Bytes> EncodeBackupItem(BackupItem type, ByteSpan bytes) {
  if (bytes.size() > kMaxBackupItem) return Fail(Code::kTooLarge, "an item of a backup");
  ByteWriter out;
  out.PutBe(static_cast<uint8_t>(type));
  out.PutPrefixed(bytes);
  return std::move(out).Finish();
}

BackupReader::BackupReader(Sink sink)
    : sink_(std::move(sink)), digest_(Hasher::Create(HashAlgorithm::kSha256).value()) {}

BackupReader::~BackupReader() = default;

Error BackupReader::Damaged(std::string what) const {
  return Fail(Code::kBackupDamaged, "byte " + std::to_string(offset_) + ": " + std::move(what));
}

Status BackupReader::TakeMagic() {
  const std::string_view text = AsText(buffer_).substr(0, kBackupMagic.size());
  if (kBackupMagic.starts_with(text)) return Done{};
  if (text.starts_with(kMagicBeginning))
    return Fail(Code::kStoreNewer, "a backup of a format that this version does not know");
  return Damaged("this is no backup");
}

Status BackupReader::Take(ByteSpan bytes) {
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  size_t used = 0;
  if (expect_ == Expect::kMagic) {
    KC_CHECK_OK(TakeMagic());
    if (buffer_.size() < kBackupMagic.size()) return Done{};
    used = kBackupMagic.size();
    KC_CHECK_OK(digest_.Update(ByteSpan(buffer_).first(used)));
    expect_ = Expect::kHeader;
  }
  const uint64_t start = offset_;
  for (;;) {
    offset_ = start + used;
    ByteReader reader(ByteSpan(buffer_).subspan(used));
    if (reader.remaining() < kItemHead) break;
    KC_ASSIGN(const uint8_t type, reader.TakeBe<uint8_t>());
    KC_ASSIGN(const uint32_t length, reader.TakeBe<uint32_t>());
    if (length > kMaxBackupItem) return Damaged("an item of " + std::to_string(length) + " bytes");
    if (reader.remaining() < length) break;
    KC_ASSIGN(const ByteSpan item, reader.Take(length));
    KC_CHECK_OK(TakeItem(static_cast<BackupItem>(type), item));
    if (expect_ != Expect::kNothing)
      KC_CHECK_OK(digest_.Update(ByteSpan(buffer_).subspan(used, kItemHead + length)));
    used += kItemHead + length;
  }
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<ptrdiff_t>(used));
  return Done{};
}

Status BackupReader::TakeItem(BackupItem type, ByteSpan bytes) {
  switch (type) {
    case BackupItem::kHeader: {
      if (expect_ != Expect::kHeader) return Damaged("a second header");
      auto header = Decode<BackupHeader>(bytes);
      if (!header.ok()) return Damaged("the header: " + header.error().Text());
      expect_ = Expect::kRows;
      return sink_.header(*std::move(header));
    }
    case BackupItem::kRow: {
      ByteReader reader(bytes);
      const auto id = reader.TakeArray<32>();
      if (expect_ != Expect::kRows || !id.ok()) return Damaged("a row that is none");
      ++rows_;
      return sink_.row(*id, reader.rest());
    }
    case BackupItem::kEnd: return TakeEnd(bytes);
  }
  return Damaged("an item of an unknown type");
}

Status BackupReader::TakeEnd(ByteSpan bytes) {
  if (expect_ != Expect::kRows) return Damaged("an end where there is none");
  auto end = Decode<BackupEnd>(bytes);
  if (!end.ok()) return Damaged("the end: " + end.error().Text());
  KC_ASSIGN(const Bytes digest, digest_.Finish());
  if (!Equal(digest, end->digest)) return Damaged("something before it was changed");
  if (rows_ != end->rows)
    return Damaged(std::to_string(rows_) + " rows instead of " + std::to_string(end->rows));
  expect_ = Expect::kNothing;
  return sink_.end(*std::move(end));
}

Status BackupReader::Finish() const {
  if (expect_ != Expect::kNothing) return Damaged("the file ends before the backup does");
  if (!buffer_.empty()) return Damaged("more behind the end");
  return Done{};
}

}  // namespace keyclave::wire
