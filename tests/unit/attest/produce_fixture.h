// What the producers' tests share: a fake machine, some report data, and what an error must say.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "attest/produce/produce.h"
#include "tests/fakes/fake_host.h"

namespace keyclave::attest {

class ProduceTest : public testing::Test {
 protected:
  ProduceTest() {
    for (size_t i = 0; i < report_data_.size(); ++i) report_data_[i] = static_cast<uint8_t>(i + 1);
  }
  // Whatever happened, nothing is left open.
  void TearDown() override { EXPECT_EQ(host_.open_files(), 0u); }

  ProducerConfig Config() {
    ProducerConfig config;
    config.host = &host_;
    return config;
  }
  template <class T>
  static void ExpectUnavailable(const Result<T>& result, const std::vector<std::string>& words,
                                Code code = Code::kEvidenceUnavailable) {
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.code(), code);
    for (const std::string& word : words)
      EXPECT_THAT(result.error().detail(), testing::HasSubstr(word));
  }

  fakes::FakeHost host_;
  ReportData report_data_{};
};

}  // namespace keyclave::attest
