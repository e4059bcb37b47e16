// Backup files as they come: in pieces of any size, cut, changed, and of another kind.
#include "enclave/wire/backup_file.h"

#include <gtest/gtest.h>

#include "enclave/wire/codec.h"

namespace keyclave::wire {
namespace {

struct Seen {
  std::vector<std::string> headers;
  std::vector<std::pair<ByteArray<32>, Bytes>> rows;
  size_t ends = 0;
};

void Append(Bytes& to, BackupItem type, ByteSpan bytes) {
  const Bytes item = EncodeBackupItem(type, bytes).value();
  to.insert(to.end(), item.begin(), item.end());
}

Bytes RowOf(uint8_t id, size_t size) {
  Bytes row(32, id);
  row.resize(32 + size, static_cast<uint8_t>(id + 1));
  return row;
}

Bytes Begin() {
  Bytes file = ToBytes(AsBytes(kBackupMagic));
  Append(file, BackupItem::kHeader, Encode(BackupHeader{"aa", 7, "1", std::nullopt}));
  return file;
}

void End(Bytes& file, uint64_t rows) {
  Append(file, BackupItem::kEnd, Encode(BackupEnd{ToBytes("head"), rows, Sha256(file), {}}));
}

Bytes Whole() {
  Bytes file = Begin();
  for (uint8_t id = 1; id <= 3; ++id) Append(file, BackupItem::kRow, RowOf(id, 100U * id));
  End(file, 3);
  return file;
}

Status ReadAll(const Bytes& file, size_t piece, Seen& seen) {
  BackupReader reader({.header = [&](const BackupHeader& header) -> Status {
                         seen.headers.push_back(header.enclave_id);
                         return Done{};
                       },
                       .row = [&](const ByteArray<32>& id, ByteSpan sealed) -> Status {
                         seen.rows.emplace_back(id, ToBytes(sealed));
                         return Done{};
                       },
                       .end = [&](const BackupEnd& end) -> Status {
                         EXPECT_EQ(AsText(end.head), "head");
                         ++seen.ends;
                         return Done{};
                       }});
  for (size_t at = 0; at < file.size(); at += piece)
    KC_CHECK_OK(reader.Take(ByteSpan(file).subspan(at, std::min(piece, file.size() - at))));
  return reader.Finish();
}

Code CodeOf(const Bytes& file) {
  Seen seen;
  const Status read = ReadAll(file, 64, seen);
  return read.ok() ? Code::kInternal : read.code();
}

TEST(BackupFile, IsReadInPiecesOfAnySize) {
  const Bytes file = Whole();
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{64}, file.size()}) {
    Seen seen;
    const Status read = ReadAll(file, piece, seen);
    ASSERT_TRUE(read.ok()) << piece << ": " << read.error().Text();
    EXPECT_EQ(seen.headers, std::vector<std::string>{"aa"});
    ASSERT_EQ(seen.rows.size(), 3U);
    EXPECT_EQ(seen.rows[1].first.back(), 2);
    EXPECT_EQ(seen.rows[2].second, Bytes(300, 4));
    EXPECT_EQ(seen.ends, 1U);
  }
}

TEST(BackupFile, WhateverWasCutOffIsMissed) {
  const Bytes file = Whole();
  for (size_t size = 0; size < file.size(); ++size)
    EXPECT_EQ(CodeOf(Bytes(file.begin(), file.begin() + static_cast<ptrdiff_t>(size))),
              Code::kBackupDamaged)
        << size;
}

// The MAC in the end is the enclave's to check: what comes behind it is not looked at here.
TEST(BackupFile, WhateverWasChangedIsNoticed) {
  const Bytes file = Whole();
  const Bytes end = Encode(BackupEnd{ToBytes("head"), 3, {}, {}});
  for (size_t at = 0; at + end.size() < file.size(); ++at) {
    Bytes changed = file;
    changed[at] ^= 0x40;
    const Code code = CodeOf(changed);
    EXPECT_TRUE(code == Code::kBackupDamaged || code == Code::kStoreNewer) << at;
  }
}

TEST(BackupFile, WhatIsNoneIsCalledThat) {
  EXPECT_EQ(CodeOf(ToBytes("-----BEGIN CERTIFICATE-----")), Code::kBackupDamaged);
  EXPECT_EQ(CodeOf(ToBytes("keyclave-backup 2\n")), Code::kStoreNewer);
  Bytes more = Whole();
  more.push_back(0);
  EXPECT_EQ(CodeOf(more), Code::kBackupDamaged);
  Bytes twice = Begin();
  Append(twice, BackupItem::kHeader, Encode(BackupHeader{"aa", 7, "1", std::nullopt}));
  EXPECT_EQ(CodeOf(twice), Code::kBackupDamaged);
  Bytes headless = ToBytes(AsBytes(kBackupMagic));
  Append(headless, BackupItem::kRow, RowOf(1, 1));
  EXPECT_EQ(CodeOf(headless), Code::kBackupDamaged);
  Bytes wrong_count = Begin();
  End(wrong_count, 1);
  EXPECT_EQ(CodeOf(wrong_count), Code::kBackupDamaged);
  Bytes short_row = Begin();
  Append(short_row, BackupItem::kRow, Bytes(31));
  EXPECT_EQ(CodeOf(short_row), Code::kBackupDamaged);
  Bytes huge = Begin();
  huge.push_back(2);
  huge.insert(huge.end(), 4, 0xff);
  EXPECT_EQ(CodeOf(huge), Code::kBackupDamaged) << "before 4 GiB are waited for";
  EXPECT_EQ(EncodeBackupItem(BackupItem::kRow, Bytes(kMaxBackupItem + 1)).code(), Code::kTooLarge);
}

}  // namespace
}  // namespace keyclave::wire
