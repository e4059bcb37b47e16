// configfs-tsm, and TDX quotes by it.

#include <fcntl.h>

#include "attest/produce/configfs_tsm.h"
#include "tests/fakes/fake_enclaves.h"
#include "tests/fakes/fake_guests.h"
#include "tests/unit/attest/produce_fixture.h"

namespace keyclave::attest {
namespace {

using fakes::Call;
using fakes::FakeTsm;

class ProduceTdxTest : public ProduceTest {
 protected:
  ProduceTdxTest() {
    tsm_.provider = "tdx_guest";
    tsm_.make = [](const FakeTsm::Item& item) {
      ReportData carried{};
      if (item.inblob.size() == carried.size())
        std::copy(item.inblob.begin(), item.inblob.end(), carried.begin());
      return fakes::FormOfTdxQuote(4, carried);
    };
  }
  void TearDown() override {
    EXPECT_TRUE(tsm_.items.empty());  // on every way out
    ProduceTest::TearDown();
  }
  FakeTsm tsm_;
  fakes::FakeFiles devices_;
};

TEST_F(ProduceTdxTest, GivesAQuoteOfOurReportData) {
  host_.Add(tsm_);
  const auto quote = ProduceTdx(report_data_, Config());
  ASSERT_TRUE(quote.ok()) << quote.error().Text();
  EXPECT_EQ(*quote, fakes::FormOfTdxQuote(4, report_data_));
  EXPECT_EQ(tsm_.made, 1);
}

TEST_F(ProduceTdxTest, ByShortReadsInterruptionsAndBusyInterfaces) {
  host_.Add(tsm_);
  host_.most_at_once = 9;
  for (const Call call : {Call::kOpen, Call::kRead, Call::kWrite, Call::kMakeFolder}) {
    host_.FailNext(call, "", EINTR, 2);
    host_.FailNext(call, "", EBUSY, 2);
  }
  host_.FailNext(Call::kRemoveFolder, "", EINTR);
  EXPECT_TRUE(ProduceTdx(report_data_, Config()).ok());
}

TEST_F(ProduceTdxTest, PaddingIsCutOff) {
  host_.Add(tsm_);
  tsm_.make = [this](const FakeTsm::Item&) {
    Bytes quote = fakes::FormOfTdxQuote(5, report_data_);
    quote.resize(8000);  // as one cloud pads them
    return quote;
  };
  EXPECT_EQ(*ProduceTdx(report_data_, Config()), fakes::FormOfTdxQuote(5, report_data_));
}

TEST_F(ProduceTdxTest, StaleOutblobIsReadAgain) {
  host_.Add(tsm_);
  tsm_.stale_reads = 3;
  EXPECT_TRUE(ProduceTdx(report_data_, Config()).ok());
  tsm_.stale_reads = 1000;
  ExpectUnavailable(ProduceTdx(report_data_, Config()),
                    {"outblob", "Resource temporarily unavailable"});
}

// lesson 2: evidence belongs to the session that asked for it; a report that somebody else may
// have had a hand in is thrown away.
TEST_F(ProduceTdxTest, AnotherWriterMakesItStartAgainInANewFolder) {
  host_.Add(tsm_);
  int disturbances = 2;
  tsm_.other_writer = [&](FakeTsm::Item& item) {
    if (disturbances-- <= 0) return;
    item.inblob = Bytes(64, 0xbb);
    ++item.generation;
  };
  EXPECT_EQ(*ProduceTdx(report_data_, Config()), fakes::FormOfTdxQuote(4, report_data_));
  EXPECT_EQ(tsm_.made, 3);
}

TEST_F(ProduceTdxTest, AnotherWriterThatDoesNotStop) {
  host_.Add(tsm_);
  tsm_.other_writer = [](FakeTsm::Item& item) { item.generation += 2; };
  const auto quote = ProduceTdx(report_data_, Config());
  ExpectUnavailable(quote, {"another process writes", "generation"});
  EXPECT_EQ(tsm_.made, 3);
}

TEST_F(ProduceTdxTest, ALostWriteIsNoticed) {
  host_.Add(tsm_);
  tsm_.lost_inblobs = 1;
  EXPECT_TRUE(ProduceTdx(report_data_, Config()).ok());
  EXPECT_EQ(tsm_.made, 2);
  tsm_.lost_inblobs = 3;
  ExpectUnavailable(ProduceTdx(report_data_, Config()), {"wanted 1, got 0"});
}

TEST_F(ProduceTdxTest, AReportWhoseGenerationIsRightAndItsDataAreNot) {
  host_.Add(tsm_);
  tsm_.make = [](const FakeTsm::Item&) { return fakes::FormOfTdxQuote(4, {}); };
  ExpectUnavailable(ProduceTdx(report_data_, Config()), {"other report data"});
}

TEST_F(ProduceTdxTest, AnotherProvider) {
  host_.Add(tsm_);
  tsm_.provider = "sev_guest";
  ExpectUnavailable(ProduceTdx(report_data_, Config()),
                    {"provider", "wanted tdx_guest", "got sev_guest"});
}

TEST_F(ProduceTdxTest, NamesThatAreTakenAreLeftAlone) {
  host_.Add(tsm_);
  host_.FailNext(Call::kMakeFolder, "-0", EEXIST);
  host_.FailNext(Call::kMakeFolder, "-1", EEXIST);
  EXPECT_TRUE(ProduceTdx(report_data_, Config()).ok());
  host_.FailNext(Call::kMakeFolder, "", EEXIST, 1000);
  ExpectUnavailable(ProduceTdx(report_data_, Config()), {"File exists"});
}

TEST_F(ProduceTdxTest, EachMissingPieceIsNamed) {
  ExpectUnavailable(ProduceTdx(report_data_, Config()),
                    {"/sys/kernel/config/tsm/report", "No such file", "Linux 6.7", "configfs",
                     "modprobe tdx-guest", "/dev/tdx_guest is not there"});
  host_.Add(devices_);
  devices_.content["/dev/tdx_guest"] = {};
  ExpectUnavailable(ProduceTdx(report_data_, Config()),
                    {"/dev/tdx_guest is there, but gives no quotes by itself"});
  host_.Add(tsm_);
  tsm_.provider.clear();
  ExpectUnavailable(ProduceTdx(report_data_, Config()),
                    {"No such device or address", "modprobe tdx-guest"});
  tsm_.provider = "tdx_guest";
  host_.FailNext(Call::kMakeFolder, "", EACCES);
  ExpectUnavailable(ProduceTdx(report_data_, Config()), {"Permission denied", "root"});
  host_.FailNext(Call::kMakeFolder, "", EROFS);
  ExpectUnavailable(ProduceTdx(report_data_, Config()), {"read-only", "container"});
}

TEST_F(ProduceTdxTest, WhatTheHostFailsAtIsNamed) {
  host_.Add(tsm_);
  const std::pair<int, const char*> failures[] = {
      {ETIMEDOUT, "qgsd"}, {EIO, "qgsd"},       {EBUSY, "earlier request"}, {EFBIG, "larger"},
      {ENXIO, "unloaded"}, {EINVAL, "refuses"}, {ENOMEM, "kernel's log"}};
  for (const auto& [error, word] : failures) {
    host_.FailNext(Call::kRead, "outblob", error, error == EBUSY ? 1000 : 1);
    ExpectUnavailable(ProduceTdx(report_data_, Config()), {"outblob", word});
    host_.ForgetFaults();
  }
}

TEST_F(ProduceTdxTest, AnEmptyQuoteIsNone) {
  host_.Add(tsm_);
  tsm_.make = [](const FakeTsm::Item&) { return Bytes(); };
  ExpectUnavailable(ProduceTdx(report_data_, Config()), {"outblob is empty", "qgsd"});
}

TEST_F(ProduceTdxTest, GarbageIsNoQuote) {
  host_.Add(tsm_);
  for (const size_t size : {1u, 47u, 48u, 1024u, 65536u}) {
    tsm_.make = [size](const FakeTsm::Item&) { return Bytes(size, 0xff); };
    ExpectUnavailable(ProduceTdx(report_data_, Config()),
                      {"configfs-tsm", size < 48 ? "ends too early" : "quote version"});
  }
  tsm_.make = [](const FakeTsm::Item&) { return Bytes(65537, 0xff); };
  ExpectUnavailable(ProduceTdx(report_data_, Config()), {"outblob", "File too large"});
}

TEST_F(ProduceTdxTest, EveryFileMayFail) {
  host_.Add(tsm_);
  for (const char* attribute : {"provider", "generation", "inblob", "outblob"}) {
    host_.FailNext(Call::kOpen, attribute, EACCES);
    ExpectUnavailable(ProduceTdx(report_data_, Config()), {attribute, "Permission denied"});
    host_.FailNext(attribute == std::string("inblob") ? Call::kWrite : Call::kRead, attribute, EIO);
    ExpectUnavailable(ProduceTdx(report_data_, Config()), {attribute, "Input/output error"});
  }
}

TEST_F(ProduceTdxTest, AFolderThatCannotBeRemovedIsNoFailure) {
  host_.Add(tsm_);
  host_.FailNext(Call::kRemoveFolder, "", EPERM);
  EXPECT_TRUE(ProduceTdx(report_data_, Config()).ok());
  EXPECT_EQ(tsm_.items.size(), 1u);
  tsm_.items.clear();
}

}  // namespace
}  // namespace keyclave::attest
