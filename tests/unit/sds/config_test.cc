#include "enclave/sds/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace keyclave::sds {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string kExecutable(64, 'a');

std::string Good() {
  return "socket: /run/sds.sock\nmode: \"0660\"\nowner: 101\n"
         "callers:\n  - name: edge\n    uid: 101\n    executable: " +
         kExecutable +
         "\n    secrets: [web, roots]\n"
         "secrets:\n  web:\n    certificate:\n      ca: \"pkcs11:token=mesh;object=ca\"\n"
         "      names: [web.mesh.example]\n      usages: [server-auth]\n      ttl: 12h\n"
         "  roots:\n    trusted_ca: {file: /etc/roots.pem}\n";
}

std::string With(std::string text, const std::string& old_part, const std::string& new_part) {
  const size_t place = text.find(old_part);
  EXPECT_NE(place, std::string::npos) << old_part;
  return text.replace(place, old_part.size(), new_part);
}

TEST(SdsConfig, IsRead) {
  const auto config = ParseSdsConfig(Good(), "sds.yaml");
  ASSERT_TRUE(config.ok()) << config.error().Text();
  EXPECT_EQ(config->socket, "/run/sds.sock");
  EXPECT_EQ(config->mode, 0660U);
  EXPECT_EQ(config->owner, 101U);
  EXPECT_EQ(config->group, std::nullopt);
  ASSERT_EQ(config->secrets.size(), 2U);
  const auto& web = std::get<CertificateSecret>(config->secrets.at("web"));
  EXPECT_THAT(web.names, ElementsAre("web.mesh.example"));
  EXPECT_EQ(web.ttl, 12U * 3600);
  EXPECT_EQ(web.key, LeafKeyType::kEcP256);
  EXPECT_EQ(std::get<TrustedCaSecret>(config->secrets.at("roots")).file, "/etc/roots.pem");
}

TEST(SdsConfig, ACallerIsAUserAndAnExecutable) {
  const auto config = ParseSdsConfig(Good(), "sds.yaml");
  ASSERT_TRUE(config.ok());
  ByteArray<32> executable{};
  executable.fill(0xaa);
  ASSERT_NE(config->FindCaller(101, executable), nullptr);
  EXPECT_EQ(config->FindCaller(101, executable)->name, "edge");
  EXPECT_EQ(config->FindCaller(102, executable), nullptr);
  executable.back() = 0xab;
  EXPECT_EQ(config->FindCaller(101, executable), nullptr);
}

TEST(SdsConfig, SaysWhatIsWrongAndWhere) {
  const auto expect = [](const std::string& old_part, const std::string& new_part,
                         const std::string& what) {
    const auto config = ParseSdsConfig(With(Good(), old_part, new_part), "sds.yaml");
    ASSERT_FALSE(config.ok()) << new_part;
    EXPECT_THAT(config.error().Text(), HasSubstr(what)) << new_part;
    EXPECT_THAT(config.error().Text(), HasSubstr("sds.yaml")) << new_part;
  };
  expect("socket: /run", "socket: run", "absolute path");
  expect("socket: /run/sds.sock", "socket: /" + std::string(107, 'x'), "107");
  expect("\"0660\"", "660", "octal");
  expect("\"0660\"", "\"0690\"", "octal");
  expect("owner: 101", "owner: -1", "owner");
  expect("owner: 101", "ownr: 101", "ownr");
  expect("uid: 101", "uid: root", "uid");
  expect(kExecutable, "aa", "64 hexadecimal");
  expect(kExecutable, "[]", "names nobody");
  expect(kExecutable, "[" + kExecutable + ", " + kExecutable + "]", "named twice");
  expect("callers:\n",
         "callers:\n  - {name: twin, uid: 101, executable: " + kExecutable + ", secrets: [web]}\n",
         "another caller");
  expect("[web, roots]", "[web, other]", "no such secret");
  expect("[web, roots]", "[web, web]", "named twice");
  expect("[web, roots]", "[]", "caller of nothing");
  expect("12h", "9s", "from 10s to 90d");
  expect("12h", "91d", "from 10s to 90d");
  expect("pkcs11:token=mesh;object=ca", "file:/ca.key", "ca");
  expect("pkcs11:token=mesh;object=ca", "pkcs11:token=mesh;object=ca?pin-value=1", "PIN");
  expect("{file: /etc/roots.pem}", "{file: /etc/roots.pem, ca: \"pkcs11:object=ca\"}", "either");
  expect("{file: /etc/roots.pem}", "{}", "either");
  expect("      ttl: 12h\n", "      ttl: 12h\n      key: dsa\n", "wanted ec:p256");
  expect("  roots:\n    trusted_ca: {file: /etc/roots.pem}\n", "  roots: {}\n",
         "either certificate or trusted_ca");
}

}  // namespace
}  // namespace keyclave::sds
