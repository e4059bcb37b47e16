#include "enclave/ctl/installation.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "enclave/base/bytes.h"
#include "enclave/base/file.h"

namespace keyclave::ctl {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSystemOpensslConfig = "/usr/lib/ssl/openssl.cnf";

// PROGRAMS/../lib/NAME, or PROGRAMS/../lib/TRIPLET/FOLDER/NAME as distributions have it.
std::string FindModule(const fs::path& programs, const std::string& folder,
                       const std::string& name) {
  std::error_code error;
  const fs::path lib = programs.parent_path() / "lib";
  if (fs::is_regular_file(lib / name, error)) return lib / name;
  for (const auto& entry : fs::directory_iterator(lib, error)) {
    const fs::path candidate = entry.path() / folder / name;
    if (fs::is_regular_file(candidate, error)) return candidate;
  }
  return "";
}

std::string FindProgram(const fs::path& programs, const std::string& name) {
  std::error_code error;
  if (fs::is_regular_file(programs / name, error)) return programs / name;
  const char* path = getenv("PATH");
  std::string_view rest = path == nullptr ? "/usr/sbin:/usr/bin" : path;
  while (!rest.empty()) {
    const size_t colon = std::min(rest.find(':'), rest.size());
    const fs::path candidate = fs::path(rest.substr(0, colon)) / name;
    if (candidate.is_absolute() && fs::is_regular_file(candidate, error)) return candidate;
    rest.remove_prefix(std::min(colon + 1, rest.size()));
  }
  return "";
}

// A value in openssl.cnf: in double quotes, where \ and $ are the only special characters left.
std::string QuoteForOpenssl(const std::string& value) {
  std::string quoted = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\' || c == '$') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

// The section in which the system's openssl.cnf says what OpenSSL loads, so that our providers join
// its other settings (protocol minimum, cipher string) instead of dropping them.
std::string InitSection(const std::string& system_config) {
  std::istringstream lines(system_config);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line.replace(std::min(line.find('='), line.size()), 1, " "));
    std::string name;
    std::string section;
    if (words >> name >> section && name == "openssl_conf") return section;
  }
  return "keyclave_init";
}

}  // namespace

Installation FindInstallation() {
  Installation found;
  std::error_code error;
  const fs::path programs = fs::read_symlink("/proc/self/exe", error).parent_path();
  found.programs = programs;
  found.daemon = FindProgram(programs, "keyclaved");
  found.provider = FindModule(programs, "ossl-modules", "keyclave.so");
  found.pkcs11_module = FindModule(programs, "pkcs11", "keyclave-pkcs11.so");
  return found;
}

bool IsInPath(const Installation& installation) {
  const char* path = getenv("PATH");
  const std::string have = ":" + std::string(path == nullptr ? "" : path) + ":";
  return have.find(":" + installation.programs + ":") != std::string::npos;
}

std::string DirectoryOf(const std::string& file) {
  std::error_code error;
  const fs::path directory = fs::absolute(file, error).parent_path();
  return directory.lexically_normal();
}

std::string OpensslConfigText(const std::string& provider) {
  const Result<Bytes> system = ReadFile(std::string(kSystemOpensslConfig), size_t{1} << 20);
  const std::string section = InitSection(system.ok() ? std::string(AsText(*system)) : "");
  std::string text =
      "# OpenSSL with the keyclave provider; use it with OPENSSL_CONF (keyclave run does).\n"
      "# The system's own settings come first. An active provider switches the built-in default "
      "one\n"
      "# off unless both are named, so both are.\n";
  if (system.ok()) text.append(".include = ").append(kSystemOpensslConfig).append("\n");
  text += "[ default ]\nopenssl_conf = " + section + "\n";
  text += "[ " + section + " ]\nproviders = keyclave_providers\n";
  text +=
      "[ keyclave_providers ]\n"
      "default = keyclave_default_provider\n"
      "keyclave = keyclave_provider\n"
      "[ keyclave_default_provider ]\n"
      "activate = 1\n"
      "[ keyclave_provider ]\n"
      "module = " +
      QuoteForOpenssl(provider) + "\nactivate = 1\n";
  return text;
}

Result<Environment> ProgramEnvironment(const Installation& installation,
                                       const std::string& client_config,
                                       const std::string& openssl_config,
                                       const std::string& token) {
  std::error_code error;
  if (installation.provider.empty() || installation.pkcs11_module.empty()) {
    return Fail(Code::kNotFound, "keyclave.so and keyclave-pkcs11.so are not in " +
                                     installation.programs + "/../lib");
  }
  if (!fs::is_regular_file(openssl_config, error)) {
    return Fail(Code::kNotFound, openssl_config + " (keyclave init writes it beside client.yaml)");
  }
  Environment environment = {{"KEYCLAVE_CONFIG", fs::absolute(client_config, error)},
                             {"OPENSSL_CONF", openssl_config},
                             {"KEYCLAVE_PKCS11_MODULE", installation.pkcs11_module},
                             {"KEYCLAVE_PROVIDER", installation.provider}};
  if (!token.empty()) environment.emplace_back("KEYCLAVE_TOKEN", token);
  return environment;
}

std::string ShellQuote(const std::string& word) {
  static constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

}  // namespace keyclave::ctl
