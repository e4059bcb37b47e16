// C_Initialize, C_Finalize, C_GetInfo, random numbers, and the functions that PKCS#11 keeps for
// history.
#include <cstdlib>

#include "enclave/base/log.h"
#include "pkcs11/args.h"
#include "pkcs11/calls.h"
#include "pkcs11/log_sink.h"
#include "pkcs11/module.h"
#include "pkcs11/session_end.h"

namespace keyclave::pkcs11 {
namespace {

constexpr CK_VERSION k2_40{2, 40};
constexpr size_t kRandomPerRequest = size_t{64} << 10;  // wire::RandomRequest

// "0.1.0" -> 0.1
CK_VERSION LibraryVersion() {
  constexpr std::string_view text = KEYCLAVE_VERSION;
  const auto number = [&](size_t from) {
    unsigned value = 0;
    for (size_t i = from; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i)
      value = value * 10 + static_cast<unsigned>(text[i] - '0');
    return static_cast<unsigned char>(value);
  };
  return {number(0), number(text.find('.') + 1)};
}

// Base §5.4: all four mutex functions or none, and nothing in pReserved. The module locks with the
// operating system's mutexes whatever the arguments say: they are what the application's threads
// are made of.
Status CheckInitArgs(const void* init_args) {
  if (init_args == nullptr) return Done{};
  const auto& args = *static_cast<const CK_C_INITIALIZE_ARGS*>(init_args);
  if (args.pReserved != nullptr) return Fail(Code::kP11ArgumentsBad, "pReserved");
  const int given = (args.CreateMutex != nullptr ? 1 : 0) + (args.DestroyMutex != nullptr ? 1 : 0) +
                    (args.LockMutex != nullptr ? 1 : 0) + (args.UnlockMutex != nullptr ? 1 : 0);
  if (given != 0 && given != 4)
    return Fail(Code::kP11ArgumentsBad, "some mutex functions, but not all");
  return Done{};
}

}  // namespace

namespace call {

Status C_Initialize(CK_VOID_PTR init_args) {
  KC_CHECK_OK(CheckInitArgs(init_args));
  SetLogFromEnvironment();
  const Status begun = Module::Begin();
  if (begun.ok() || begun.code() == Code::kP11AlreadyInitialized) return begun;
  // CKR_GENERAL_ERROR cannot say which line of which file is wrong; this can.
  Complain(begun.error().Text());
  return begun;
}

Status C_Finalize(CK_VOID_PTR reserved) {
  if (reserved != nullptr) return Fail(Code::kP11ArgumentsBad, "pReserved");
  KC_ASSIGN(const ModulePtr module, Module::End());
  EndAllSessions(*module, nullptr);
  return Done{};
}

Status GetInfoOf(CK_VERSION cryptoki, CK_INFO_PTR info) {
  KC_ASSIGN(const ModulePtr module, Module::Current());
  KC_CHECK_OK(NotNull(info));
  *info = {};
  info->cryptokiVersion = cryptoki;
  PutPadded(info->manufacturerID, "Keyclave");
  PutPadded(info->libraryDescription, "Keyclave PKCS#11 module");
  info->libraryVersion = LibraryVersion();
  return Done{};
}

Status C_GetInfo(CK_INFO_PTR info) { return GetInfoOf(k2_40, info); }

Status C_SeedRandom(CK_SESSION_HANDLE session, CK_BYTE_PTR seed, CK_ULONG seed_size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_ASSIGN(ByteSpan rest, InBytes(seed, seed_size));
  while (!rest.empty()) {
    const ByteSpan piece = rest.first(std::min(rest.size(), kRandomPerRequest));
    const auto reply = call.client().Call<wire::Op::kRandom>({0, ToBytes(piece)});
    if (!reply.ok()) return reply.error();
    rest = rest.subspan(piece.size());
  }
  return Done{};
}

Status C_GenerateRandom(CK_SESSION_HANDLE session, CK_BYTE_PTR out, CK_ULONG out_size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  if (out_size != 0) KC_CHECK_OK(NotNull(out));
  std::span<CK_BYTE> rest(out, out_size);
  while (!rest.empty()) {
    const size_t n = std::min(rest.size(), kRandomPerRequest);
    KC_ASSIGN(const wire::RandomReply reply,
              call.client().Call<wire::Op::kRandom>({n, std::nullopt}));
    if (reply.output.size() != n) return Fail(Code::kBadMessage, "random bytes");
    std::copy(reply.output.begin(), reply.output.end(), rest.begin());
    rest = rest.subspan(n);
  }
  return Done{};
}

// Base §5.16: "legacy functions which should simply return CKR_FUNCTION_NOT_PARALLEL".
Status C_GetFunctionStatus(CK_SESSION_HANDLE session) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  return Fail(Code::kP11FunctionNotParallel);
}

Status C_CancelFunction(CK_SESSION_HANDLE session) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  return Fail(Code::kP11FunctionNotParallel);
}

}  // namespace call
}  // namespace keyclave::pkcs11
