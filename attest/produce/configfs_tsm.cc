#include "attest/produce/configfs_tsm.h"

#include <unistd.h>

#include <charconv>

#include "attest/evidence.h"

namespace keyclave::attest {
namespace {

constexpr std::string_view kReports = "/sys/kernel/config/tsm/report";
constexpr size_t kMaxAttribute = 4096;  // a configfs text attribute is one page at most
constexpr int kMaxNames = 64;
constexpr int kAttempts = 3;

// A report's folder, of a name that nobody else has. Gone when this goes.
class Folder {
 public:
  static Sys<Folder> Make(Io& io) {
    const std::string stem = std::string(kReports) + "/keyclave-" + std::to_string(getpid()) + "-";
    // Other threads of this process count in the same way, and so may a process of the same number
    // in another PID namespace.
    for (int i = 0; i < kMaxNames; ++i) {
      std::string path = stem + std::to_string(i);
      auto made = io.MakeFolder(path);
      if (made.ok()) return Folder(io, std::move(path));
      if (made.error() != EEXIST) return Errno{made.error()};
    }
    return Errno{EEXIST};
  }
  Folder(Folder&& other) noexcept
      : io_(other.io_), path_(std::exchange(other.path_, std::string())) {}
  Folder& operator=(Folder&&) = delete;
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    // If it cannot be removed there is nobody to tell; it holds nothing secret.
    if (!path_.empty()) (void)io_->RemoveFolder(path_);
  }

  std::string operator/(std::string_view attribute) const {
    return std::string(path_).append("/").append(attribute);
  }
  Sys<std::string> Text(std::string_view attribute) const {
    auto text = io_->ReadFile(*this / attribute, kMaxAttribute);
    if (!text.ok()) return Errno{text.error()};
    return std::string(Trimmed(AsText(*text)));
  }

 private:
  Folder(Io& io, std::string path) : io_(&io), path_(std::move(path)) {}
  Io* io_;
  std::string path_;
};

// The kernel's drivers name their providers after themselves.
std::string Driver(std::string_view provider) {
  std::string driver(provider);
  std::replace(driver.begin(), driver.end(), '_', '-');
  return driver;
}

std::string AdviceOnFolder(int error, std::string_view provider) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return "needs Linux 6.7 or later with configfs mounted on /sys/kernel/config and the driver "
             "loaded (modprobe " +
             Driver(provider) + ")";
    case ENXIO: return "no driver makes reports here: modprobe " + Driver(provider);
    case EACCES:
    case EPERM: return "only root may ask for reports";
    case EROFS: return "mounted read-only, as containers have it: mount it for writing";
    default: return "";
  }
}

std::string AdviceOnReport(int error) {
  switch (error) {
    case EINVAL: return "the driver refuses the request; its reason may be in the kernel's log";
    case EFBIG: return "the report is larger than the kernel or this program allows";
    case EBUSY: return "an earlier request is still with the host; wait, or restart this guest";
    case ETIMEDOUT:
      return "the host did not answer: for TDX, is its quote generation service (qgsd) running?";
    case EIO: return "the host failed: for TDX, is its quote generation service (qgsd) configured?";
    case ENXIO: return "the driver was unloaded";
    default: return "the driver's reason may be in the kernel's log";
  }
}

Result<uint64_t> Generation(const Folder& folder) {
  auto text = folder.Text("generation");
  if (!text.ok()) return Unavailable(folder / "generation", text.error(), "");
  uint64_t value = 0;
  const char* const end = (*text).data() + (*text).size();
  const auto [stop, error] = std::from_chars((*text).data(), end, value);
  if (error != std::errc() || stop != end)
    return Fail(Code::kEvidenceUnavailable, folder / "generation" + ": no number");
  return value;
}

Status CheckProvider(const Folder& folder, std::string_view wanted) {
  auto provider = folder.Text("provider");
  if (!provider.ok())
    return Unavailable(folder / "provider", provider.error(), AdviceOnReport(provider.error()));
  if (*provider == wanted) return Done{};
  return FailWanted(Code::kEvidenceUnavailable, "provider of " + std::string(kReports),
                    std::string(wanted), *provider);
}

// Writes what the report is to be made of; how many writes that took.
Result<uint64_t> WriteRequest(Io& io, const Folder& folder, ByteSpan report_data) {
  uint64_t writes = 0;
  // SEV-SNP: a guest may ask for no report of a more privileged level than its own. The default
  // is 0, which would be refused under a paravisor or SVSM; the floor is the guest's own.
  auto floor = folder.Text("privlevel_floor");
  if (!floor.ok() && floor.error() != ENOENT)
    return Unavailable(folder / "privlevel_floor", floor.error(), "");
  if (floor.ok() && *floor != "0") {
    if (auto written = io.WriteFile(folder / "privlevel", AsBytes(*floor)); !written.ok())
      return Unavailable(folder / "privlevel", written.error(), "");
    ++writes;
  }
  if (auto written = io.WriteFile(folder / "inblob", report_data); !written.ok())
    return Unavailable(folder / "inblob", written.error(), "");
  return ++writes;
}

Result<TsmReport> ReadReport(Io& io, const Folder& folder) {
  TsmReport report;
  auto outblob = io.ReadFile(folder / "outblob", kMaxEvidence);
  if (!outblob.ok())
    return Unavailable(folder / "outblob", outblob.error(), AdviceOnReport(outblob.error()));
  if ((*outblob).empty()) {
    return Fail(Code::kEvidenceUnavailable,
                folder / "outblob" +
                    " is empty: for TDX, is the host's quote generation service (qgsd, of DCAP "
                    "1.21 or later) running, and the guest started with a connection to it?");
  }
  report.report = std::move(*outblob);
  auto auxblob = io.ReadFile(folder / "auxblob", kMaxEvidence);
  // It is optional: without it the verifier needs the certificates from elsewhere.
  if (auxblob.ok()) report.auxiliary = std::move(*auxblob);
  return report;
}

// One report in a folder of its own; nullopt if what was written to it is not what we wrote.
Result<std::optional<TsmReport>> Attempt(Io& io, std::string_view provider, ByteSpan report_data,
                                         Mismatch& generations) {
  auto folder = Folder::Make(io);
  if (!folder.ok()) {
    return Unavailable(std::string(kReports), folder.error(),
                       AdviceOnFolder(folder.error(), provider));
  }
  KC_CHECK_OK(CheckProvider(*folder, provider));
  // The attribute grows with each write of anybody. A report that was made of our writes alone
  // finds it, in the end, where they alone brought it. This shows a write of ours that was lost,
  // too: inblob is taken when its file is closed, and the kernel has no way to refuse then.
  KC_ASSIGN(const uint64_t before, Generation(*folder));
  KC_ASSIGN(const uint64_t writes, WriteRequest(io, *folder, report_data));
  auto report = ReadReport(io, *folder);
  KC_ASSIGN(const uint64_t after, Generation(*folder));
  if (after != before + writes) {
    generations = {std::to_string(before + writes), std::to_string(after)};
    return std::optional<TsmReport>();
  }
  if (!report.ok()) return report.error();
  return std::optional<TsmReport>(*std::move(report));
}

}  // namespace

Result<TsmReport> MakeTsmReport(Io& io, std::string_view provider, ByteSpan report_data) {
  Mismatch generations;
  for (int i = 0; i < kAttempts; ++i) {
    KC_ASSIGN(auto report, Attempt(io, provider, report_data, generations));
    if (report) return *std::move(report);
  }
  return FailWanted(
      Code::kEvidenceUnavailable,
      "another process writes to our reports in " + std::string(kReports) + "; generation",
      generations.wanted, generations.got);
}

Sys<std::string> TsmProvider(Io& io) {
  auto folder = Folder::Make(io);
  if (!folder.ok()) return Errno{folder.error()};
  return (*folder).Text("provider");
}

}  // namespace keyclave::attest
