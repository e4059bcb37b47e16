#include "enclave/ctl/setup.h"

#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "attest/simulated_root.h"
#include "enclave/base/file.h"

namespace keyclave::ctl {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kReadable = 0644;
constexpr uint32_t kGroupReadable = 0640;

Status CheckPath(const std::string& what, const std::string& path) {
  const bool printable =
      std::all_of(path.begin(), path.end(), [](unsigned char c) { return c >= 0x20 && c != 0x7f; });
  if (path.starts_with('/') && printable) return Done{};
  return Fail(Code::kInvalidArgument, what + " must be an absolute path: " + path);
}

// Makes a directory and its parents, as they would be for any other package.
Status MakeDirectory(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) {
    errno = error.value();
    return ErrnoError(path);
  }
  return Done{};
}

std::vector<std::string> PlannedPaths(const SetupPlan& plan) {
  const Places& places = plan.places;
  return {places.SimulatedKey(), places.SimulatedRoot(), places.DefaultPolicy(),
          places.DaemonConfig(), places.ClientConfig(),  places.OpensslConfig(),
          places.P11KitModule()};
}

// What the daemon said, by its sentence; what is none of these is the disk.
Code CodeOfInit(const std::string& output) {
  for (const Code code :
       {Code::kStoreExists, Code::kConfigBadValue, Code::kInvalidArgument, Code::kKeyFileInvalid}) {
    if (output.find(Sentence(code)) != std::string::npos) return code;
  }
  return Code::kStoreIo;
}

std::string P11KitText(const std::string& module) {
  return "# Registers Keyclave with p11-kit: copy or link this file into /etc/pkcs11/modules/ "
         "(for\n"
         "# everybody) or ~/.config/pkcs11/modules/ (for one user).\n"
         "module: " +
         module + "\n";
}

// The development root. Whoever reads its private key can claim to be any program, and whoever
// cannot read it cannot be a caller: the caller group, or everybody.
Status WriteRoot(const SetupPlan& plan) {
  const std::string key = plan.places.SimulatedKey();
  KC_CHECK_OK(attest::MakeSimulatedRoot(key, plan.places.SimulatedRoot()));
  if (!plan.caller_group) return Done{};
  // The mode first: between the two calls nobody gains.
  if (chmod(key.c_str(), kGroupReadable) != 0) return ErrnoError(key);
  if (chown(key.c_str(), static_cast<uid_t>(-1), *plan.caller_group) != 0) return ErrnoError(key);
  return Done{};
}

Status WriteTexts(const SetupPlan& plan, const Installation& installation) {
  const Places& places = plan.places;
  const uid_t owner = getuid();
  const std::pair<std::string, std::string> texts[] = {
      {places.DefaultPolicy(),
       plan.development ? DevelopmentPolicyText() : DefaultPolicyText(owner)},
      {places.DaemonConfig(), DaemonConfigText(plan, owner)},
      {places.ClientConfig(), ClientConfigText(plan, owner)},
      {places.OpensslConfig(), OpensslConfigText(installation.provider)},
      {places.P11KitModule(), P11KitText(installation.pkcs11_module)},
  };
  for (const auto& [path, text] : texts) {
    KC_CHECK_OK(WriteNewFile(path, AsBytes(text), kReadable));
  }
  return Done{};
}

}  // namespace

Status CheckPlan(const SetupPlan& plan) {
  const Places& places = plan.places;
  KC_CHECK_OK(CheckPath("the configuration directory", places.config_dir));
  KC_CHECK_OK(CheckPath("the state directory", places.state_dir));
  KC_CHECK_OK(CheckPath("the socket", places.socket));
  constexpr size_t kMaxSocket = sizeof(sockaddr_un::sun_path) - 1;
  if (places.socket.size() > kMaxSocket) {
    return Fail(Code::kInvalidArgument, "the socket's path is longer than " +
                                            std::to_string(kMaxSocket) +
                                            " bytes: " + places.socket);
  }
  std::error_code error;
  for (const std::string& path : PlannedPaths(plan)) {
    if (fs::exists(fs::symlink_status(path, error))) return Fail(Code::kStoreExists, path);
  }
  return Done{};
}

Result<std::vector<std::string>> WriteSetup(const SetupPlan& plan,
                                            const Installation& installation) {
  KC_CHECK_OK(CheckPlan(plan));
  KC_CHECK_OK(MakeDirectory(plan.places.config_dir));
  KC_CHECK_OK(MakeDirectory(DirectoryOf(plan.places.state_dir)));
  KC_CHECK_OK(MakeDirectory(DirectoryOf(plan.places.socket)));
  Status status = WriteRoot(plan);
  if (status.ok()) status = WriteTexts(plan, installation);
  if (status.ok()) return PlannedPaths(plan);
  RemoveSetup(plan);
  return status.error();
}

void RemoveSetup(const SetupPlan& plan) {
  for (const std::string& path : PlannedPaths(plan)) unlink(path.c_str());
}

Status MakeState(const SetupPlan& plan, const Installation& installation) {
  if (installation.daemon.empty()) {
    return Fail(Code::kNotFound,
                "keyclaved, neither beside keyclave (" + installation.programs + ") nor in PATH");
  }
  KC_ASSIGN(
      const Captured run,
      RunCaptured({installation.daemon, "--config", plan.places.DaemonConfig(), "--init"}, {}));
  if (run.code == 0) return Done{};
  return Fail(CodeOfInit(run.output), "keyclaved --init: " + Tail(run.output, 3));
}

}  // namespace keyclave::ctl
