// Nitro documents by /dev/nsm.

#include "enclave/base/cbor.h"
#include "tests/fakes/fake_enclaves.h"
#include "tests/unit/attest/produce_fixture.h"

namespace keyclave::attest {
namespace {

using fakes::Call;

const Bytes kDocument(5000, 0xd2);

Bytes Answer(std::string_view kind, std::string_view field, ByteSpan document) {
  CborWriter writer;
  writer.Map(1);
  writer.Text(kind);
  writer.Map(1);
  writer.Text(field);
  writer.ByteString(document);
  return std::move(writer).Finish();
}

Bytes Refusal(std::string_view error) {
  CborWriter writer;
  writer.Map(1);
  writer.Text("Error");
  writer.Text(error);
  return std::move(writer).Finish();
}

class ProduceNitroTest : public ProduceTest {
 protected:
  ProduceNitroTest() { nsm_.answer = Answer("Attestation", "document", kDocument); }
  fakes::FakeNsm nsm_;
};

TEST_F(ProduceNitroTest, GivesTheDocument) {
  host_.Add(nsm_);
  const auto document = ProduceNitro(report_data_, Config());
  ASSERT_TRUE(document.ok()) << document.error().Text();
  EXPECT_EQ(*document, kDocument);
}

TEST_F(ProduceNitroTest, AsksForOurReportDataAndNothingElse) {
  host_.Add(nsm_);
  ASSERT_TRUE(ProduceNitro(report_data_, Config()).ok());
  // {"Attestation": {"user_data": h'…64 bytes…', "nonce": null, "public_key": null}}
  const std::string wanted =
      "a16b4174746573746174696f6ea3"
      "69757365725f64617461"
      "5840" +
      ToHex(report_data_) +
      "656e6f6e6365"
      "f6"
      "6a7075626c69635f6b6579"
      "f6";
  EXPECT_EQ(ToHex(nsm_.last_request), wanted);
}

TEST_F(ProduceNitroTest, BusyAndInterrupted) {
  host_.Add(nsm_);
  host_.FailNext(Call::kIoctl, "nsm", EINTR, 2);
  host_.FailNext(Call::kIoctl, "nsm", EBUSY, 2);
  host_.FailNext(Call::kOpen, "nsm", EBUSY, 2);
  EXPECT_TRUE(ProduceNitro(report_data_, Config()).ok());
}

TEST_F(ProduceNitroTest, EachMissingPieceIsNamed) {
  ExpectUnavailable(ProduceNitro(report_data_, Config()),
                    {"/dev/nsm", "No such file", "Nitro enclave", "modprobe nsm", "Linux 6.8"});
  host_.Add(nsm_);
  host_.FailNext(Call::kOpen, "nsm", EACCES);
  ExpectUnavailable(ProduceNitro(report_data_, Config()), {"Permission denied", "root"});
  host_.FailNext(Call::kIoctl, "nsm", ETIMEDOUT);
  ExpectUnavailable(ProduceNitro(report_data_, Config()), {"Connection timed out"});
}

TEST_F(ProduceNitroTest, ItsRefusalIsTold) {
  host_.Add(nsm_);
  nsm_.answer = Refusal("InputTooLarge");
  ExpectUnavailable(ProduceNitro(report_data_, Config()), {"/dev/nsm", "refuses: InputTooLarge"});
}

TEST_F(ProduceNitroTest, AnswersThatMakeNoSenseAreRefused) {
  host_.Add(nsm_);
  const Bytes whole = nsm_.answer;
  for (const size_t size : {size_t{0}, size_t{1}, size_t{12}, size_t{30}, whole.size() - 1}) {
    nsm_.answer = ToBytes(ByteSpan(whole).first(size));
    ExpectUnavailable(ProduceNitro(report_data_, Config()), {"/dev/nsm"});
  }
  nsm_.answer = whole;
  nsm_.answer.push_back(0);
  ExpectUnavailable(ProduceNitro(report_data_, Config()), {"after its end"});
  nsm_.answer = Answer("GetRandom", "random", kDocument);
  ExpectUnavailable(ProduceNitro(report_data_, Config()), {"Attestation", "GetRandom"});
  nsm_.answer = Answer("Attestation", "dokument", kDocument);
  ExpectUnavailable(ProduceNitro(report_data_, Config()), {"document", "dokument"});
  nsm_.answer = Answer("Attestation", "document", Bytes(0x3000));  // cut by the driver
  ExpectUnavailable(ProduceNitro(report_data_, Config()), {"/dev/nsm"});
}

TEST_F(ProduceNitroTest, AnAnswerLongerThanTheBufferIsRefused) {
  host_.Add(nsm_);
  for (const uint64_t announced : {uint64_t{0x3001}, UINT64_MAX}) {
    nsm_.announced = announced;
    ExpectUnavailable(ProduceNitro(report_data_, Config()), {std::to_string(announced)});
  }
}

}  // namespace
}  // namespace keyclave::attest
