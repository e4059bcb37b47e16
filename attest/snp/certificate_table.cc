#include "attest/snp/certificate_table.h"

#include "enclave/base/byte_reader.h"

namespace keyclave::attest {
namespace {

constexpr size_t kMaxEntries = 32;
constexpr size_t kEntrySize = 24;
constexpr size_t kMaxEncoded = size_t{64} << 10;  // bytes

struct Known {
  std::string_view guid;
  std::string_view name;
};
// ASK is also where the ASVK stands.
constexpr Known kKnown[] = {{"63da758d-e664-4564-adc5-f4b93be8accd", "VCEK"},
                            {"a8074bc2-a25a-483e-aae6-39c045a0b8a1", "VLEK"},
                            {"4ab7b379-bbac-4fe4-a02f-05aef327c782", "ASK"},
                            {"c0b406a4-a803-4952-9743-3fb6014cd0ae", "ARK"},
                            {"92f81bc3-5811-4d3d-97ff-d19f88dc67ea", "CRL"}};

struct Place {
  std::string guid;
  uint32_t offset = 0;
  uint32_t length = 0;
};

// The bytes of a GUID stand in the order of its text (RFC 4122, not Microsoft's mixed one).
std::string GuidText(ByteSpan bytes) {
  std::string text = ToHex(bytes);
  for (const size_t at : {size_t{20}, size_t{16}, size_t{12}, size_t{8}}) text.insert(at, 1, '-');
  return text;
}

Result<std::vector<Place>> TakeHeader(ByteReader& reader) {
  std::vector<Place> places;
  while (true) {
    KC_ASSIGN(const ByteSpan entry, reader.Take(kEntrySize));
    if (std::all_of(entry.begin(), entry.end(), [](uint8_t byte) { return byte == 0; }))
      return places;
    if (places.size() == kMaxEntries) return Fail(Code::kTooLarge, "too many entries");
    ByteReader fields(entry);
    Place place;
    KC_ASSIGN(const ByteSpan guid, fields.Take(16));
    place.guid = GuidText(guid);
    KC_ASSIGN(place.offset, fields.TakeLe<uint32_t>());
    KC_ASSIGN(place.length, fields.TakeLe<uint32_t>());
    places.push_back(std::move(place));
  }
}

Status ExpectDifferent(const std::vector<Place>& places) {
  for (size_t i = 0; i < places.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (places[i].guid == places[j].guid)
        return Fail(Code::kMalformed, "GUID " + places[i].guid + " comes twice");
    }
  }
  return Done{};
}

std::string_view NameOf(std::string_view guid) {
  for (const Known& known : kKnown) {
    if (known.guid == guid) return known.name;
  }
  return "";
}

}  // namespace

Result<std::vector<SnpTableEntry>> ParseSnpTable(ByteSpan bytes) {
  ByteReader reader(bytes);
  KC_ASSIGN(std::vector<Place> places, TakeHeader(reader));
  KC_CHECK_OK(ExpectDifferent(places));
  std::stable_sort(places.begin(), places.end(),
                   [](const Place& a, const Place& b) { return a.offset < b.offset; });
  std::vector<SnpTableEntry> entries;
  for (Place& place : places) {
    // Read front to back, so an entry in the header, or in the one before it, lies behind us.
    const size_t here = bytes.size() - reader.remaining();
    if (place.offset < here)
      return Fail(Code::kMalformed, "entry " + place.guid + " overlaps the header or another");
    KC_CHECK_OK(reader.ExpectZero(place.offset - here));
    KC_ASSIGN(const ByteSpan content, reader.Take(place.length));
    entries.push_back({NameOf(place.guid), std::move(place.guid), ToBytes(content)});
  }
  // Tables are padded to whole pages.
  KC_CHECK_OK(reader.ExpectZero(reader.remaining()));
  return entries;
}

Result<Bytes> EncodeSnpTable(const std::vector<SnpTableEntry>& entries) {
  if (entries.size() > kMaxEntries) return Fail(Code::kTooLarge, "too many entries");
  ByteWriter header;
  ByteWriter contents;
  size_t offset = (entries.size() + 1) * kEntrySize;
  for (size_t i = 0; i < entries.size(); ++i) {
    const SnpTableEntry& entry = entries[i];
    const bool twice = std::any_of(entries.begin(), entries.begin() + static_cast<ptrdiff_t>(i),
                                   [&](const auto& other) { return other.name == entry.name; });
    const auto* const known =
        std::find_if(std::begin(kKnown), std::end(kKnown),
                     [&](const Known& one) { return one.name == entry.name; });
    if (twice || known == std::end(kKnown))
      return Fail(Code::kMalformed, std::string(entry.name) + ": unknown, or there twice");
    if (entry.bytes.size() > kMaxEncoded - offset) return Fail(Code::kTooLarge, "certificates");
    std::string guid(known->guid);
    std::erase(guid, '-');
    KC_ASSIGN(const Bytes id, FromHex(guid));
    header.Put(id);
    header.PutLe(static_cast<uint32_t>(offset));
    header.PutLe(static_cast<uint32_t>(entry.bytes.size()));
    contents.Put(entry.bytes);
    offset += entry.bytes.size();
  }
  header.Put(Bytes(kEntrySize));
  header.Put(contents.bytes());
  return std::move(header).Finish();
}

}  // namespace keyclave::attest
