#include "enclave/keys/row_index.h"

#include "enclave/base/byte_reader.h"
#include "enclave/base/hash.h"

namespace keyclave::keys {
namespace {

constexpr size_t kSpareEntries = 8;

bool IdBelow(const RowIndex::Entry& entry, const store::RowId& id) { return entry.id < id; }

}  // namespace

RowIndex::RowIndex() : buckets_(kBuckets), bucket_digests_(kBuckets), group_digests_(kGroups) {}

size_t RowIndex::BucketOf(const store::RowId& id) {
  return static_cast<size_t>(id[0]) << 4 | static_cast<size_t>(id[1] >> 4);
}

ByteArray<32> RowIndex::DigestBucket(size_t bucket, const std::vector<Entry>& entries) {
  ByteWriter out;
  out.PutPrefixed(AsBytes("keyclave/bucket/1"));
  out.PutBe(static_cast<uint16_t>(bucket));
  out.PutBe(static_cast<uint32_t>(entries.size()));
  for (const Entry& entry : entries) {
    out.Put(entry.id);
    out.PutBe(entry.version);
    out.Put(entry.tag);
  }
  return Sha256(out.bytes());
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

void RowIndex::Load(const Entry& entry) {
  buckets_[BucketOf(entry.id)].push_back(entry);
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
    bucket_digests_[i] = DigestBucket(i, entries);
    entries.shrink_to_fit();
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

RowIndex::Delta RowIndex::Prepare(const std::vector<Entry>& changed) const {
  Delta delta;
  delta.size = size_;
  for (const Entry& entry : changed) {
    const size_t bucket = BucketOf(entry.id);
    const auto [at, first] = delta.buckets.try_emplace(bucket);
    std::vector<Entry>& entries = at->second;
    if (first) {
      // Room for this change, and little more: by doubling, an index would soon take twice the
      // memory.
      entries.reserve(buckets_[bucket].size() + kSpareEntries);
      entries = buckets_[bucket];
    }
    const auto place = std::lower_bound(entries.begin(), entries.end(), entry.id, IdBelow);
    if (place != entries.end() && place->id == entry.id) {
      *place = entry;
    } else {
      entries.insert(place, entry);
      ++delta.size;
    }
  }
  for (const auto& [bucket, entries] : delta.buckets) {
    delta.bucket_digests[bucket] = DigestBucket(bucket, entries);
    delta.group_digests[bucket / kBucketsPerGroup] = {};
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

void RowIndex::Apply(Delta delta) {
  for (auto& [bucket, entries] : delta.buckets) buckets_[bucket] = std::move(entries);
  for (const auto& [bucket, digest] : delta.bucket_digests) bucket_digests_[bucket] = digest;
  for (const auto& [group, digest] : delta.group_digests) group_digests_[group] = digest;
  root_ = delta.root;
  size_ = delta.size;
}

}  // namespace keyclave::keys
