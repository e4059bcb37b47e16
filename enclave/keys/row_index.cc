#include "enclave/keys/row_index.h"

#include "enclave/base/byte_reader.h"
#include "enclave/base/hash.h"

namespace keyclave::keys {
namespace {

constexpr size_t kSpareEntries = 8;
constexpr size_t kDigestedEntry = 56;  // bytes of an entry in its bucket's digest

bool IdBelow(const RowIndex::Entry& entry, const store::RowId& id) { return entry.id < id; }

// id | version, big-endian | tag
void PutEntry(const RowIndex::Entry& entry, Bytes& text) {
  ByteArray<8> version{};
  for (size_t i = 0; i < version.size(); ++i)
    version[i] = static_cast<uint8_t>(entry.version >> (56 - 8 * i));
  text.insert(text.end(), entry.id.begin(), entry.id.end());
  text.insert(text.end(), version.begin(), version.end());
  text.insert(text.end(), entry.tag.begin(), entry.tag.end());
}

}  // namespace

RowIndex::Entry EntryOf(const store::RowId& row, const RowHeader& header, const RowTag& tag) {
  const bool is_fixed = header.key.type == RecordType::kGeneration;
  return {row, header.version, tag, header.tombstone,
          is_fixed ? RowIndex::kNoGeneration : header.generation};
}

RowIndex::RowIndex(uint8_t head_format)
    : head_format_(head_format),
      buckets_(kBuckets),
      bucket_digests_(kBuckets),
      group_digests_(kGroups) {}

uint64_t RowIndex::CountBefore(uint32_t generation) const {
  uint64_t count = 0;
  for (const auto& [number, rows] : of_generation_) count += number < generation ? rows : 0;
  return count;
}

size_t RowIndex::BucketOf(const store::RowId& id) {
  return static_cast<size_t>(id[0]) << 4 | static_cast<size_t>(id[1] >> 4);
}

// Of the bucket's entries with `changed` among them: both sorted, `changed` in the place of those
// with its ids.
ByteArray<32> RowIndex::DigestBucket(size_t bucket, std::span<const Entry> changed) const {
  const std::vector<Entry>& entries = buckets_[bucket];
  const auto is_replaced = [&](const Entry& entry) {
    return std::binary_search(
        changed.begin(), changed.end(), entry,
        [](const Entry& one, const Entry& other) { return one.id < other.id; });
  };
  const auto replaced = std::count_if(changed.begin(), changed.end(), [&](const Entry& entry) {
    return Find(entry.id) != nullptr;
  });
  const size_t count = entries.size() + changed.size() - static_cast<size_t>(replaced);
  ByteWriter head;
  head.PutPrefixed(AsBytes("keyclave/bucket/1"));
  head.PutBe(static_cast<uint16_t>(bucket));
  head.PutBe(static_cast<uint32_t>(count));
  Bytes text = std::move(head).Finish();
  text.reserve(text.size() + count * kDigestedEntry);
  auto next = changed.begin();
  for (const Entry& entry : entries) {
    for (; next != changed.end() && next->id < entry.id; ++next) PutEntry(*next, text);
    if (!is_replaced(entry)) PutEntry(entry, text);
  }
  for (; next != changed.end(); ++next) PutEntry(*next, text);
  return Sha256(text);
}

template <class DigestOfBucket>
ByteArray<32> RowIndex::DigestGroup(size_t group, const DigestOfBucket& digest_of) {
  ByteWriter out;
  out.PutPrefixed(AsBytes("keyclave/group/1"));
  out.PutBe(static_cast<uint16_t>(group));
  for (size_t i = 0; i < kBucketsPerGroup; ++i) out.Put(digest_of(group * kBucketsPerGroup + i));
  return Sha256(out.bytes());
}

template <class DigestOfGroup>
ByteArray<32> RowIndex::DigestRoot(const DigestOfGroup& digest_of) {
  ByteWriter out;
  out.PutPrefixed(AsBytes("keyclave/root/1"));
  for (size_t i = 0; i < kGroups; ++i) out.Put(digest_of(i));
  return Sha256(out.bytes());
}

// An eighth above the mean is enough for nearly every bucket: ids are hashes.
void RowIndex::Reserve(uint64_t rows) {
  const size_t mean = rows / kBuckets;
  if (mean == 0) return;
  for (std::vector<Entry>& entries : buckets_) entries.reserve(mean + mean / 8 + kSpareEntries);
}

void RowIndex::Load(const Entry& entry) {
  buckets_[BucketOf(entry.id)].push_back(entry);
  ++of_generation_[entry.generation];
  ++size_;
}

Status RowIndex::FinishLoading() {
  for (size_t i = 0; i < kBuckets; ++i) {
    std::vector<Entry>& entries = buckets_[i];
    std::sort(entries.begin(), entries.end(),
              [](const Entry& a, const Entry& b) { return a.id < b.id; });
    const auto twice =
        std::adjacent_find(entries.begin(), entries.end(),
                           [](const Entry& a, const Entry& b) { return a.id == b.id; });
    if (twice != entries.end())
      return Fail(Code::kStoreCorrupt, "row " + ToHex(twice->id) + " is there twice");
    bucket_digests_[i] = DigestBucket(i, {});
  }
  for (size_t i = 0; i < kGroups; ++i)
    group_digests_[i] = DigestGroup(i, [this](size_t bucket) { return bucket_digests_[bucket]; });
  root_ = DigestRoot([this](size_t group) { return group_digests_[group]; });
  return Done{};
}

const RowIndex::Entry* RowIndex::Find(const store::RowId& id) const {
  const std::vector<Entry>& entries = buckets_[BucketOf(id)];
  const auto found = std::lower_bound(entries.begin(), entries.end(), id, IdBelow);
  return found == entries.end() || found->id != id ? nullptr : &*found;
}

// Ids begin with the number of their bucket, and buckets are sorted.
std::vector<RowIndex::Entry> RowIndex::After(const std::optional<store::RowId>& id,
                                             size_t limit) const {
  std::vector<Entry> found;
  for (size_t i = id.has_value() ? BucketOf(*id) : 0; i < kBuckets && found.size() < limit; ++i) {
    for (const Entry& entry : buckets_[i]) {
      if (found.size() == limit) break;
      if (!id.has_value() || *id < entry.id) found.push_back(entry);
    }
  }
  return found;
}

RowIndex::Delta RowIndex::Prepare(std::vector<Entry> changed) const {
  Delta delta;
  std::sort(changed.begin(), changed.end(),
            [](const Entry& a, const Entry& b) { return a.id < b.id; });
  delta.changed = std::move(changed);
  delta.size = size_;
  // Ids begin with the number of their bucket: each one's changes stand together.
  for (std::span<const Entry> rest(delta.changed); !rest.empty();) {
    const size_t bucket = BucketOf(rest.front().id);
    const auto end = std::find_if(rest.begin(), rest.end(),
                                  [&](const Entry& one) { return BucketOf(one.id) != bucket; });
    const auto these = rest.first(static_cast<size_t>(end - rest.begin()));
    for (const Entry& entry : these) {
      if (Find(entry.id) == nullptr) ++delta.size;
    }
    delta.bucket_digests[bucket] = DigestBucket(bucket, these);
    delta.group_digests[bucket / kBucketsPerGroup] = {};
    rest = rest.subspan(these.size());
  }
  for (auto& [group, digest] : delta.group_digests) {
    digest = DigestGroup(group, [&](size_t bucket) {
      const auto found = delta.bucket_digests.find(bucket);
      return found == delta.bucket_digests.end() ? bucket_digests_[bucket] : found->second;
    });
  }
  delta.root = DigestRoot([&](size_t group) {
    const auto found = delta.group_digests.find(group);
    return found == delta.group_digests.end() ? group_digests_[group] : found->second;
  });
  return delta;
}

// Room is made by an eighth: by doubling, an index would soon take twice the memory.
void RowIndex::Put(const Entry& entry) {
  std::vector<Entry>& entries = buckets_[BucketOf(entry.id)];
  const auto place = std::lower_bound(entries.begin(), entries.end(), entry.id, IdBelow);
  ++of_generation_[entry.generation];
  if (place != entries.end() && place->id == entry.id) {
    --of_generation_[place->generation];
    *place = entry;
    return;
  }
  const auto before = place - entries.begin();
  if (entries.size() == entries.capacity())
    entries.reserve(entries.size() + entries.size() / 8 + kSpareEntries);
  entries.insert(entries.begin() + before, entry);
}

void RowIndex::Apply(const Delta& delta) {
  for (const Entry& entry : delta.changed) Put(entry);
  for (const auto& [bucket, digest] : delta.bucket_digests) bucket_digests_[bucket] = digest;
  for (const auto& [group, digest] : delta.group_digests) group_digests_[group] = digest;
  root_ = delta.root;
  size_ = delta.size;
}

}  // namespace keyclave::keys
