// What every row of the store has to be: its id, version and tag (TagOf), and one digest over all
// of them, which the sealed head holds.
//
// The digest is a tree of SHA-256 over canonical encodings: rows fall into 4096 buckets by the
// first 12 bits of their ids (ids are keyed hashes, so buckets fill evenly), 64 buckets make a
// group, 64 groups the root.
//   bucket = SHA-256("keyclave/bucket/1" | u16 bucket | u32 rows | rows by id: id | u64 version |
//   tag)
//   group  = SHA-256("keyclave/group/1" | u16 group | 64 bucket digests)
//   root   = SHA-256("keyclave/root/1" | 64 group digests)
// A change costs the hashing of its bucket, one group and the root: about 18 KB at 1,000,000 rows.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <vector>

#include "enclave/keys/records.h"

namespace keyclave::keys {

class RowIndex {
 public:
  struct Entry {
    store::RowId id{};
    uint64_t version = 0;
    RowTag tag{};
    bool tombstone = false;  // not in the digest: the tag stands for it, and for the generation
    uint32_t generation = kFirstGeneration;  // kNoGeneration: it is never sealed anew
  };
  static constexpr uint32_t kNoGeneration = UINT32_MAX;

  // For tags that are made as heads of this format want them.
  explicit RowIndex(uint8_t head_format = kHeadFormat);
  uint8_t head_format() const { return head_format_; }

  // Fills an empty index: Load each row in any order, then FinishLoading. kStoreCorrupt if an id
  // came twice. Reserve, before, takes the memory for so many rows at once.
  void Reserve(uint64_t rows);
  void Load(const Entry& entry);
  Status FinishLoading();

  const Entry* Find(const store::RowId& id) const;
  // Those above `id` (without it all), by id, at most `limit`.
  std::vector<Entry> After(const std::optional<store::RowId>& id, size_t limit) const;
  size_t size() const { return size_; }
  uint64_t CountBefore(uint32_t generation) const;  // rows of older ones
  const ByteArray<32>& digest() const { return root_; }

  // What changes when rows are added or replaced: made without touching the index, applied by
  // Apply.
  struct Delta {
    std::vector<Entry> changed;  // by id
    std::map<size_t, ByteArray<32>> bucket_digests;
    std::map<size_t, ByteArray<32>> group_digests;
    ByteArray<32> root{};
    size_t size = 0;
  };
  // No row is in `changed` twice.
  Delta Prepare(std::vector<Entry> changed) const;
  void Apply(const Delta& delta);

 private:
  static constexpr size_t kBuckets = 4096;
  static constexpr size_t kGroups = 64;
  static constexpr size_t kBucketsPerGroup = kBuckets / kGroups;

  static size_t BucketOf(const store::RowId& id);
  ByteArray<32> DigestBucket(size_t bucket, std::span<const Entry> changed) const;
  void Put(const Entry& entry);
  template <class DigestOfBucket>
  static ByteArray<32> DigestGroup(size_t group, const DigestOfBucket& digest_of);
  template <class DigestOfGroup>
  static ByteArray<32> DigestRoot(const DigestOfGroup& digest_of);

  uint8_t head_format_;
  std::map<uint32_t, uint64_t> of_generation_;  // how many rows
  std::vector<std::vector<Entry>> buckets_;     // each sorted by id
  std::vector<ByteArray<32>> bucket_digests_;
  std::vector<ByteArray<32>> group_digests_;
  ByteArray<32> root_{};
  size_t size_ = 0;
};

RowIndex::Entry EntryOf(const store::RowId& row, const RowHeader& header, const RowTag& tag);

}  // namespace keyclave::keys
