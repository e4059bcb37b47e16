#include "enclave/base/endpoint.h"

#include <gtest/gtest.h>

namespace keyclave {
namespace {

TEST(Endpoint, ReadsAndPrintsBothKinds) {
  for (const std::string text :
       {"unix:/run/keyclave/keyclaved.sock", "unix:/a b", "tcp:127.0.0.1:7700", "tcp:[::1]:7700",
        "tcp:enclave.example:1", "tcp:127.0.0.1:0", "tcp:h:65535"}) {
    const auto endpoint = ParseEndpoint(text);
    ASSERT_TRUE(endpoint.ok()) << text << endpoint.error().Text();
    EXPECT_EQ(endpoint->Text(), text);
  }
  const auto ipv6 = ParseEndpoint("tcp:[fe80::1]:9");
  ASSERT_TRUE(ipv6.ok());
  EXPECT_EQ(ipv6->host, "fe80::1");
  EXPECT_EQ(ipv6->port, 9);
}

TEST(Endpoint, APathMayFillASocketAddress) {
  const std::string longest = "unix:/" + std::string(106, 'a');
  EXPECT_TRUE(ParseEndpoint(longest).ok());
  EXPECT_FALSE(ParseEndpoint(longest + "a").ok());
}

TEST(Endpoint, RefusesEverythingElse) {
  for (const std::string_view text : {"",
                                      "unix:",
                                      "unix:relative",
                                      "unix",
                                      "/run/x.sock",
                                      "tcp:",
                                      "tcp:host",
                                      "tcp:host:",
                                      "tcp::80",
                                      "tcp:host:65536",
                                      "tcp:host:-1",
                                      "tcp:host:+1",
                                      "tcp:host:1x",
                                      "tcp:host: 1",
                                      "tcp:::1:80",
                                      "tcp:[]:80",
                                      "http://host",
                                      "UNIX:/x",
                                      " unix:/x",
                                      "unix:/x\n"}) {
    const auto endpoint = ParseEndpoint(text);
    ASSERT_FALSE(endpoint.ok()) << text;
    EXPECT_EQ(endpoint.code(), Code::kInvalidArgument) << text;
  }
  EXPECT_FALSE(ParseEndpoint(std::string_view("unix:/x\0y", 9)).ok());
  EXPECT_FALSE(ParseEndpoint("tcp:" + std::string(254, 'h') + ":1").ok());
}

}  // namespace
}  // namespace keyclave
