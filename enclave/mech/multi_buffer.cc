#include "enclave/mech/multi_buffer.h"

#include <dlfcn.h>

#include <algorithm>

#include "enclave/mech/known_keys.h"
#include "enclave/mech/multi_buffer_calls.h"

namespace keyclave::mech {
namespace {

// By its interface versions, the newest first (what Debian's packages install).
constexpr const char* kUsualNames[] = {"libcrypto_mb.so.13", "libcrypto_mb.so.12",
                                       "libcrypto_mb.so.11"};

// How the library numbers what a processor can (cpu_features.h).
int AlgorithmOf(LaneKind kind) {
  switch (kind) {
    case LaneKind::kRsa2048: return 1;
    case LaneKind::kRsa3072: return 2;
    case LaneKind::kRsa4096: return 3;
    case LaneKind::kP256: return 5;
    case LaneKind::kP384: return 6;
    case LaneKind::kP521: return 7;
    // Its own number is not in every version: X25519 asks the same of the processor.
    case LaneKind::kEd25519: return 4;
  }
  return 0;
}

template <class Function>
bool Find(void* handle, const char* name, Function*& function) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): dlsym(3) gives functions so
  function = reinterpret_cast<Function*>(dlsym(handle, name));
  return function != nullptr;
}

bool FindAll(void* handle, MultiBufferCalls& calls) {
  return Find(handle, "mbx_rsa_private_crt_ssl_mb8", calls.rsa) &&
         Find(handle, "mbx_nistp256_ecdsa_sign_ssl_mb8", calls.p256.sign) &&
         Find(handle, "mbx_nistp256_ecdsa_verify_ssl_mb8", calls.p256.verify) &&
         Find(handle, "mbx_nistp384_ecdsa_sign_ssl_mb8", calls.p384.sign) &&
         Find(handle, "mbx_nistp384_ecdsa_verify_ssl_mb8", calls.p384.verify) &&
         Find(handle, "mbx_nistp521_ecdsa_sign_ssl_mb8", calls.p521.sign) &&
         Find(handle, "mbx_nistp521_ecdsa_verify_ssl_mb8", calls.p521.verify) &&
         Find(handle, "mbx_ed25519_sign_mb8", calls.ed25519_sign) &&
         Find(handle, "mbx_ed25519_verify_mb8", calls.ed25519_verify) &&
         Find(handle, "mbx_get_algo_info", calls.algorithm_info) &&
         Find(handle, "mbx_getversion", calls.version);
}

void* OpenLibrary(const std::string& path) {
  if (!path.empty()) return dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  for (const char* name : kUsualNames) {
    if (void* handle = dlopen(name, RTLD_NOW | RTLD_LOCAL)) return handle;
  }
  return nullptr;
}

}  // namespace

struct MultiBuffer::Library {
  explicit Library(void* opened) : handle(opened) {}
  ~Library() { dlclose(handle); }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  void* const handle;
  MultiBufferCalls calls{};
};

MultiBuffer::MultiBuffer(std::unique_ptr<const Library> library) : library_(std::move(library)) {}
MultiBuffer::~MultiBuffer() = default;

Result<std::unique_ptr<const MultiBuffer>> MultiBuffer::Load(const std::string& path,
                                                             size_t worth_from) {
  void* handle = OpenLibrary(path);
  if (handle == nullptr) {
    const std::string why = path.empty() ? std::string() : std::string(": ") + dlerror();
    return Fail(Code::kUnsupported, "no library crypto_mb" + why);
  }
  auto library = std::make_unique<Library>(handle);
  if (!FindAll(handle, library->calls))
    return Fail(Code::kUnsupported, "this crypto_mb has not all functions that are needed");
  std::unique_ptr<MultiBuffer> loaded(new MultiBuffer(std::move(library)));
  bool any = false;
  for (size_t i = 0; i < kLaneKinds; ++i) {
    loaded->worth_from_[i] = loaded->TryOut(static_cast<LaneKind>(i), worth_from);
    any = any || loaded->worth_from_[i] != 0;
  }
  if (!any) {
    const bool wrong = std::count(loaded->wrong_.begin(), loaded->wrong_.end(), true) != 0;
    return Fail(Code::kUnsupported, wrong ? "this crypto_mb computes wrongly"
                                          : "crypto_mb needs a processor with AVX-512 IFMA");
  }
  // What was tried is not counted.
  for (auto& count : loaded->groups_) count.store(0, std::memory_order_relaxed);
  return std::unique_ptr<const MultiBuffer>(std::move(loaded));
}

size_t MultiBuffer::TryOut(LaneKind kind, size_t worth_from) {
  if (library_->calls.algorithm_info(AlgorithmOf(kind)) == 0) return 0;
  const auto known = KnownKey::Make(kind);
  const auto sign = [this, kind](std::span<Lane> group) { Sign(kind, group); };
  if (!known.ok() || !known->IsAnsweredRightBy(sign) || faults() != 0) {
    faults_.store(0, std::memory_order_relaxed);
    wrong_[static_cast<size_t>(kind)] = true;
    return 0;
  }
  return worth_from != 0 ? worth_from : known->WorthFrom(sign);
}

void MultiBuffer::Sign(LaneKind kind, std::span<Lane> group) const {
  if (group.empty()) return;
  const MultiBufferCalls& calls = library_->calls;
  groups_[group.size() - 1].fetch_add(1, std::memory_order_relaxed);
  size_t faults = 0;
  switch (kind) {
    case LaneKind::kRsa2048:
    case LaneKind::kRsa3072:
    case LaneKind::kRsa4096: faults = RunRsaGroup(calls, group); break;
    case LaneKind::kP256:
    case LaneKind::kP384:
    case LaneKind::kP521: faults = RunEcdsaGroup(calls, group); break;
    case LaneKind::kEd25519: faults = RunEd25519Group(calls, group); break;
  }
  if (faults != 0) faults_.fetch_add(faults, std::memory_order_relaxed);
}

std::string MultiBuffer::Describe() const {
  const MultiBufferCalls::Version* version = library_->calls.version();
  std::string text = "crypto_mb " + std::to_string(version->major) + "." +
                     std::to_string(version->minor) + "." + std::to_string(version->patch);
  const char* separator = ": ";
  for (size_t i = 0; i < kLaneKinds; ++i) {
    const std::string name(InfoOf(static_cast<LaneKind>(i)).name);
    if (worth_from_[i] != 0) {
      text += separator + name + " from " + std::to_string(worth_from_[i]);
    } else if (wrong_[i]) {
      text += separator + name + " computed wrongly, not used";
    } else {
      continue;
    }
    separator = ", ";
  }
  return text;
}

}  // namespace keyclave::mech
