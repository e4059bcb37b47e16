#include "enclave/config/fleet_config.h"

#include <gmock/gmock.h>

namespace keyclave::config {
namespace {

using testing::HasSubstr;

Result<std::optional<FleetConfig>> Read(const std::string& text) {
  auto yaml = ParseYaml(text, "keyclaved.yaml");
  if (!yaml.ok()) return yaml.error();
  auto map = yaml->AsMap();
  auto fleet = ReadFleet(*map);
  if (!fleet.ok()) return fleet;
  const Status finished = map->Finish();
  if (!finished.ok()) return finished.error();
  return fleet;
}

constexpr char kWhole[] = R"(fleet:
  member: host-a
  etcd:
    endpoints: ["https://10.0.0.1:2379", "https://etcd.example:2379"]
    ca: /etc/ca.pem
    certificate: /etc/c.pem
    key: /etc/k.pem
    prefix: /keys
    deadline: 3s
  offline: 1h
  join:
    endpoint: tcp:10.0.0.7:7443
    enclave: 0123456789abcdef0123456789abcdef
    expect: {tee: {is: sev-snp}}
  peers:
    endpoints: ["tcp:10.0.0.7:7443", "tcp:10.0.0.8:7443"]
    expect: {all: [{tee: {is: sev-snp}}, {debug: {is: false}}]}
)";

TEST(FleetConfig, HasWhatTheFileSays) {
  const auto read = Read(kWhole);
  ASSERT_TRUE(read.ok()) << read.error().Text();
  const FleetConfig& fleet = read->value();
  EXPECT_EQ(fleet.member, "host-a");
  EXPECT_EQ(fleet.endpoints,
            (std::vector<std::string>{"https://10.0.0.1:2379", "https://etcd.example:2379"}));
  EXPECT_EQ(fleet.ca_file, "/etc/ca.pem");
  EXPECT_EQ(fleet.certificate_file, "/etc/c.pem");
  EXPECT_EQ(fleet.key_file, "/etc/k.pem");
  EXPECT_EQ(fleet.prefix, "/keys");
  EXPECT_EQ(fleet.deadline, std::chrono::seconds(3));
  EXPECT_EQ(fleet.offline, std::chrono::hours(1));
  ASSERT_TRUE(fleet.join.has_value());
  EXPECT_EQ(fleet.join->endpoint.Text(), "tcp:10.0.0.7:7443");
  EXPECT_EQ(fleet.join->enclave, "0123456789abcdef0123456789abcdef");
}

TEST(FleetConfig, IsNotThereUnlessItIsSaid) {
  const auto read = Read("{}");
  ASSERT_TRUE(read.ok());
  EXPECT_FALSE(read->has_value());
}

TEST(FleetConfig, TakesTheHostsNameAndDefaults) {
  const auto read = Read("fleet: {etcd: {endpoints: [\"http://127.0.0.1:2379\"]}}");
  ASSERT_TRUE(read.ok()) << read.error().Text();
  EXPECT_FALSE(read->value().member.empty());
  EXPECT_EQ(read->value().prefix, "/keyclave");
  EXPECT_EQ(read->value().offline, std::chrono::minutes(10));
}

// Each line of the whole in another form, and what is said about it.
TEST(FleetConfig, MistakesAreNamedWithTheirPlace) {
  struct Case {
    std::string from;
    std::string to;
    std::string says;
  };
  const Case cases[] = {
      {"member: host-a", "member: host a", "member: must be of letters"},
      {"member: host-a", "member: " + std::string(65, 'a'), "at most 64"},
      {"https://10.0.0.1:2379", "http://10.0.0.1:2379", "without TLS only this machine"},
      {"https://10.0.0.1:2379", "10.0.0.1:2379", "must be https://"},
      {"https://10.0.0.1:2379", "https://10.0.0.1", "must be https://host:port"},
      {"https://10.0.0.1:2379", "https://10.0.0.1:2379/v3", "must be https://host:port"},
      {"https://10.0.0.1:2379", "https://user@10.0.0.1:2379", "must be https://host:port"},
      {"https://10.0.0.1:2379", "https://etcd.example:2379", "is there twice"},
      {"[\"https://10.0.0.1:2379\", \"https://etcd.example:2379\"]", "[]", "must name 1 to 16"},
      {"    ca: /etc/ca.pem\n", "", "ca: which certificates"},
      {"ca: /etc/ca.pem", "ca: ca.pem", "absolute path"},
      {"    key: /etc/k.pem\n", "", "one is not enough"},
      {"prefix: /keys", "prefix: keys", "begin with a slash"},
      {"prefix: /keys", "prefix: /keys/", "end with none"},
      {"deadline: 3s", "deadline: 61s", "must be 1s to 60s"},
      {"offline: 1h", "offline: 1s", "must be 5s to 30d"},
      {"offline: 1h", "ofline: 1h", "ofline"},
      {"endpoint: tcp:10.0.0.7:7443", "endpoint: 10.0.0.7", "endpoint"},
      {"enclave: 0123456789abcdef0123456789abcdef", "enclave: 0123", "32 hexadecimal"},
      {"    expect: {tee: {is: sev-snp}}\n", "", "expect"},
      {"\"tcp:10.0.0.8:7443\"", "\"tcp:10.0.0.7:7443\"", "is there twice"},
      {"[\"tcp:10.0.0.7:7443\", \"tcp:10.0.0.8:7443\"]", "[]", "must name 1 to 64"},
      {"tcp:10.0.0.8:7443", "10.0.0.8", "endpoints"},
      {"    expect: {all: [{tee: {is: sev-snp}}, {debug: {is: false}}]}\n", "", "expect"},
      {"    expect: {tee: {is: sev-snp}}\n", "    expect: {tee: {was: sev-snp}}\n", "was"},
  };
  for (const Case& one : cases) {
    std::string text = kWhole;
    const size_t place = text.find(one.from);
    ASSERT_NE(place, std::string::npos) << one.from;
    text.replace(place, one.from.size(), one.to);
    const auto read = Read(text);
    ASSERT_FALSE(read.ok()) << one.to;
    EXPECT_THAT(read.error().Text(), HasSubstr(one.says));
    EXPECT_THAT(read.error().Text(), HasSubstr("keyclaved.yaml")) << one.to;
  }
}

}  // namespace
}  // namespace keyclave::config
