#include "ossl_provider/context.h"

#include <cstdlib>

#include "ossl_provider/async.h"

namespace keyclave::ossl {
namespace {

std::string ConfigPath(const Core& core) {
  // The environment is stronger; DefaultConfigPath reads it (but not in set-user-id programs).
  const char* environment = secure_getenv("KEYCLAVE_CONFIG");
  if (environment == nullptr || *environment == '\0') {
    if (auto configured = core.Parameter("keyclave-config")) return *std::move(configured);
  }
  return client::DefaultConfigPath();
}

}  // namespace

Context* Context::Create(const OSSL_CORE_HANDLE* handle, const OSSL_DISPATCH* upcalls) {
  const Core core(handle, upcalls);
  if (!core.Complete()) return nullptr;
  // From the upcalls, so that BIOs of the core can be read through BIOs of this context.
  LibCtx libctx(OSSL_LIB_CTX_new_from_dispatch(handle, upcalls));
  if (libctx == nullptr) return nullptr;
  OwnProvider own_default(OSSL_PROVIDER_load(libctx.get(), "default"));
  if (own_default == nullptr) return nullptr;
  return new Context(core, std::move(libctx), std::move(own_default));
}

Context::~Context() { delete client_.load(std::memory_order_acquire); }

Result<client::Client*> Context::Client() {
  if (client::Client* made = client_.load(std::memory_order_acquire)) return made;
  KC_ASSIGN(client::ClientConfig config, client::LoadClientConfig(ConfigPath(core_)));
  config.pausing = &kJobs;
  auto fresh = std::make_unique<client::Client>(std::move(config));
  client::Client* expected = nullptr;
  // Two threads may both come here first; one client stays, and it has not yet opened a connection.
  if (!client_.compare_exchange_strong(expected, fresh.get(), std::memory_order_acq_rel))
    return expected;
  return fresh.release();
}

Status Context::CheckOthersActive() const {
  if (core_.OthersActive()) return Done{};
  return Fail(
      Code::kUnsupported,
      "keyclave is the only active provider: activate the default provider beside keyclave "
      "(in openssl.cnf: default = default_sect, [default_sect] activate = 1; on the command "
      "line: -provider default)");
}

}  // namespace keyclave::ossl
