// The `tpm:` block of a configuration, and each mistake with its place.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "attest/producer_config.h"

namespace keyclave::attest {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

Status Read(std::string_view text, ProducerConfig& producer) {
  KC_ASSIGN(const YamlValue yaml, ParseYaml(text, "client.yaml"));
  KC_ASSIGN(YamlMap map, yaml.AsMap());
  KC_CHECK_OK(ReadProducer(map, producer));
  return map.Finish();
}

std::string Refused(const std::string& text) {
  ProducerConfig producer;
  const Status read = Read(text, producer);
  return read.ok() ? "accepted" : read.error().Text();
}

TEST(TpmConfig, WithoutABlockTheMachinesOwnTpm) {
  ProducerConfig producer;
  ASSERT_TRUE(Read("", producer).ok());
  EXPECT_EQ(producer.tpm.tcti, "device:/dev/tpmrm0");
  EXPECT_EQ(producer.tpm.key_handle, 0x8101'8001U);
  EXPECT_EQ(producer.tpm.counter_index, 0x0180'0001U);
}

TEST(TpmConfig, ReadsWhatTheTpmBlockNames) {
  ProducerConfig producer;
  const Status read = Read(R"(
tpm:
  tcti: "swtpm:host=127.0.0.1,port=2321"
  key: 0x81010002
  pcrs: {bank: sha384, registers: [7, 11]}
  certificate: /etc/keyclave/ak.pem
  counter: 0x01800002
)",
                           producer);
  ASSERT_TRUE(read.ok()) << read.error().Text();
  EXPECT_EQ(producer.tpm.tcti, "swtpm:host=127.0.0.1,port=2321");
  EXPECT_EQ(producer.tpm.key_handle, 0x8101'0002U);
  EXPECT_EQ(producer.tpm.pcrs.bank, "sha384");
  EXPECT_THAT(producer.tpm.pcrs.registers, ElementsAre(7, 11));
  EXPECT_EQ(producer.tpm.certificate_file, "/etc/keyclave/ak.pem");
  EXPECT_EQ(producer.tpm.counter_index, 0x0180'0002U);
}

TEST(TpmConfig, MistakesInTheTpmBlockHaveTheirPlace) {
  const auto says = [](const char* place, const char* what) {
    return AllOf(HasSubstr(place), HasSubstr(what));
  };
  EXPECT_THAT(Refused("tpm: {tcti: /dev/tpm0}\n"), says("client.yaml:1: tpm.tcti", "device:"));
  // A program that is run as the TPM: no configuration should have it by mistake.
  EXPECT_THAT(Refused("tpm: {tcti: \"cmd:nc host 1\"}\n"), says("tpm.tcti", "device:"));
  for (const char* handle : {"0x80000001", "0x81800000", "0x810180", "81018001", "x"}) {
    EXPECT_THAT(Refused("tpm: {key: " + std::string(handle) + "}\n"),
                says("tpm.key", "0x81000000 to 0x817fffff"));
  }
  EXPECT_THAT(Refused("tpm: {counter: 0x81018001}\n"), says("tpm.counter", "0x01000000"));
  EXPECT_THAT(Refused("tpm: {certificate: ak.pem}\n"), says("tpm.certificate", "absolute"));
  EXPECT_THAT(Refused("tpm: {pcrs: {bank: sha1}}\n"), says("tpm.pcrs.bank", "sha256"));
  EXPECT_THAT(Refused("tpm: {pcrs: {registers: []}}\n"), HasSubstr("tpm.pcrs.registers"));
  EXPECT_THAT(Refused("tpm: {pcrs: {registers: [24]}}\n"), HasSubstr("tpm.pcrs.registers"));
  EXPECT_THAT(Refused("tpm: {device: x}\n"), HasSubstr("device"));
}

}  // namespace
}  // namespace keyclave::attest
