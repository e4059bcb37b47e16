// Which TEE this is.

#include "tests/fakes/fake_enclaves.h"
#include "tests/fakes/fake_guests.h"
#include "tests/unit/attest/produce_fixture.h"

namespace keyclave::attest {
namespace {

using fakes::Call;

class DetectTest : public ProduceTest {
 protected:
  DetectTest() { host_.Add(devices_); }
  std::string Detect() {
    const auto type = DetectTee(Config());
    return type.ok() ? *type : "none";
  }
  fakes::FakeFiles devices_;
};

TEST_F(DetectTest, ByTheInterfaceThatIsThere) {
  for (const auto& [device, type] :
       {std::pair("/dev/sev-guest", "sev-snp"), std::pair("/dev/tdx_guest", "tdx"),
        std::pair("/dev/nsm", "nitro"), std::pair("/dev/tpmrm0", "tpm")}) {
    devices_.content = {{device, Bytes()}};
    EXPECT_EQ(Detect(), type);
  }
}

TEST_F(DetectTest, EnclavesBeforeTheMachineTheyAreIn) {
  devices_.content = {{"/dev/sev-guest", Bytes()}, {"/dev/tpmrm0", Bytes()}};
  fakes::FakeGramine gramine;
  host_.Add(gramine);
  EXPECT_EQ(Detect(), "sgx");
}

TEST_F(DetectTest, Occlum) {
  fakes::FakeOcclum occlum;
  host_.Add(occlum);
  EXPECT_EQ(Detect(), "sgx");
  occlum.is_occlum = false;  // a host's own SGX driver does not make this process an enclave
  EXPECT_EQ(Detect(), "none");
}

TEST_F(DetectTest, ByConfigfsWhereNoDeviceIsGiven) {
  fakes::FakeTsm tsm;
  host_.Add(tsm);
  EXPECT_EQ(Detect(), "sev-snp");
  tsm.provider = "tdx_guest";
  EXPECT_EQ(Detect(), "tdx");
  tsm.provider = "arm_cca_guest";
  EXPECT_EQ(Detect(), "cca");
  tsm.provider = "guest_of_tomorrow";
  EXPECT_EQ(Detect(), "none");
  tsm.provider.clear();
  EXPECT_EQ(Detect(), "none");
  EXPECT_TRUE(tsm.items.empty());
}

TEST_F(DetectTest, ADeviceThatMayNotBeUsedIsThere) {
  devices_.content = {{"/dev/nsm", Bytes()}};
  host_.FailNext(Call::kOpen, "/dev/nsm", EACCES);
  EXPECT_EQ(Detect(), "nitro");
  host_.FailNext(Call::kOpen, "/dev/nsm", ENXIO);
  EXPECT_EQ(Detect(), "none");
}

TEST_F(DetectTest, AConfiguredTokenBeforeATpm) {
  devices_.content = {{"/dev/tpmrm0", Bytes()}};
  ProducerConfig config = Config();
  config.token_file = "/run/token";
  EXPECT_EQ(*DetectTee(config), "token");
  config.token_file.clear();
  config.token_command = {"/bin/token"};
  EXPECT_EQ(*DetectTee(config), "token");
  devices_.content = {{"/dev/nsm", Bytes()}};
  EXPECT_EQ(*DetectTee(config), "nitro");
}

TEST_F(DetectTest, TheTpmThatIsConfigured) {
  ProducerConfig config = Config();
  config.tpm.tcti = "device:/dev/tpm1";
  EXPECT_FALSE(DetectTee(config).ok());
  devices_.content = {{"/dev/tpm1", Bytes()}};
  EXPECT_EQ(*DetectTee(config), "tpm");
  devices_.content.clear();
  config.tpm.tcti = "swtpm:port=2321";
  EXPECT_EQ(*DetectTee(config), "tpm");
}

TEST_F(DetectTest, NothingIsNamedInFull) {
  ExpectUnavailable(DetectTee(Config()),
                    {"/dev/sgx", "/dev/attestation", "/dev/sev-guest", "/dev/tdx_guest",
                     "/sys/kernel/config/tsm/report", "/dev/nsm", "token", "/dev/tpmrm0"});
}

TEST_F(DetectTest, TheSystemsHostIsTheDefault) {
  EXPECT_EQ(&HostOf(ProducerConfig()), &SystemHost());
  EXPECT_EQ(&HostOf(Config()), &host_);
}

}  // namespace
}  // namespace keyclave::attest
