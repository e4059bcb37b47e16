#include "tests/fakes/fake_pck.h"

#include <libtasn1.h>

namespace keyclave::test {
namespace {

constexpr uint8_t kBoolean = 0x01;
constexpr uint8_t kInteger = 0x02;
constexpr uint8_t kOctetString = 0x04;
constexpr uint8_t kObjectIdentifier = 0x06;
constexpr uint8_t kEnumerated = 0x0a;
constexpr uint8_t kSequence = 0x30;
// 1.2.840.113741.1.13.1
constexpr ByteArray<9> kArc = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};

void Append(Bytes& to, const Bytes& bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

Bytes Number(uint8_t tag, uint16_t number) {
  Bytes content;
  if (number > 0x7fff) content.push_back(0);
  if (number > 0x7f) content.push_back(static_cast<uint8_t>(number >> 8));
  content.push_back(static_cast<uint8_t>(number));
  return Der(tag, content);
}

Bytes Flag(bool value) {
  return Der(kBoolean, ByteArray<1>{static_cast<uint8_t>(value ? 0xff : 0)});
}

Bytes Tcb(const FakePlatform& platform) {
  Bytes fields;
  for (uint8_t i = 0; i < 16; ++i)
    Append(fields,
           SgxField({2, static_cast<uint8_t>(i + 1)}, Number(kInteger, platform.components.at(i))));
  Append(fields, SgxField({2, 17}, Number(kInteger, platform.pcesvn)));
  const auto& cpusvn = platform.cpusvn == ByteArray<16>{} ? platform.components : platform.cpusvn;
  Append(fields, SgxField({2, 18}, Der(kOctetString, cpusvn)));
  return Der(kSequence, fields);
}

Bytes Configuration(const FakePlatform& platform) {
  Bytes fields = SgxField({7, 1}, Flag(platform.dynamic_platform));
  Append(fields, SgxField({7, 2}, Flag(platform.cached_keys)));
  Append(fields, SgxField({7, 3}, Flag(platform.smt_enabled)));
  return Der(kSequence, fields);
}

}  // namespace

Bytes Der(uint8_t tag, ByteSpan content) {
  ByteArray<8> length{};
  int size = static_cast<int>(length.size());
  asn1_length_der(content.size(), length.data(), &size);
  Bytes value = {tag};
  value.insert(value.end(), length.begin(), length.begin() + size);
  value.insert(value.end(), content.begin(), content.end());
  return value;
}

Bytes SgxField(const std::vector<uint8_t>& numbers, ByteSpan value) {
  Bytes id(kArc.begin(), kArc.end());
  id.insert(id.end(), numbers.begin(), numbers.end());
  Bytes pair = Der(kObjectIdentifier, id);
  pair.insert(pair.end(), value.begin(), value.end());
  return Der(kSequence, pair);
}

Bytes SgxExtension(const FakePlatform& platform) {
  Bytes fields = SgxField({1}, Der(kOctetString, platform.ppid));
  Append(fields, SgxField({2}, Tcb(platform)));
  Append(fields, SgxField({3}, Der(kOctetString, platform.pceid)));
  Append(fields, SgxField({4}, Der(kOctetString, platform.fmspc)));
  Append(fields,
         SgxField({5}, Number(kEnumerated, platform.multi_package ? platform.sgx_type : 0)));
  if (platform.multi_package) {
    Append(fields, SgxField({6}, Der(kOctetString, Bytes(16, platform.instance))));
    Append(fields, SgxField({7}, Configuration(platform)));
  }
  return Der(kSequence, fields);
}

}  // namespace keyclave::test
