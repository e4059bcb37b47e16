// Slots, tokens, mechanisms, and the making of tokens and PINs.
#include "pkcs11/args.h"
#include "pkcs11/calls.h"
#include "pkcs11/module.h"
#include "pkcs11/out_buffer.h"
#include "pkcs11/pins.h"

namespace keyclave::pkcs11::call {
namespace {

// How often a waiting C_WaitForSlotEvent asks the enclave for its tokens.
constexpr std::chrono::milliseconds kSlotPoll{1000};

// Which flags a token shows. One without PINs is opened by evidence alone: a protected
// authentication path, whose "PIN" is set as soon as the token is.
CK_FLAGS TokenFlags(const wire::TokenInfo& token) {
  CK_FLAGS flags = CKF_RNG | CKF_DUAL_CRYPTO_OPERATIONS | CKF_TOKEN_INITIALIZED;
  if (NeedsPin(token)) flags |= CKF_LOGIN_REQUIRED;
  if (!NeedsPin(token)) flags |= CKF_PROTECTED_AUTHENTICATION_PATH | CKF_USER_PIN_INITIALIZED;
  if (token.has_user_pin) {
    flags |= CKF_USER_PIN_INITIALIZED;
    if (token.user_tries_left == 0) flags |= CKF_USER_PIN_LOCKED;
    if (token.user_tries_left == 1) flags |= CKF_USER_PIN_FINAL_TRY;
    if (token.user_tries_left != 0 && token.user_tries_left < kPinTries)
      flags |= CKF_USER_PIN_COUNT_LOW;
  }
  if (token.has_so_pin) {
    if (token.so_tries_left == 0) flags |= CKF_SO_PIN_LOCKED;
    if (token.so_tries_left == 1) flags |= CKF_SO_PIN_FINAL_TRY;
    if (token.so_tries_left != 0 && token.so_tries_left < kPinTries) flags |= CKF_SO_PIN_COUNT_LOW;
  }
  return flags;
}

void FillTokenInfo(Slot& slot, const std::optional<wire::TokenInfo>& token, CK_TOKEN_INFO& info) {
  info = {};
  PutPadded(info.label, token.has_value() ? token->label : "");
  PutPadded(info.manufacturerID, "Keyclave");
  PutPadded(info.model, "Keyclave");
  PutPadded(info.serialNumber, token.has_value() ? token->serial : "");
  PutPadded(info.utcTime, "");
  info.flags = token.has_value() ? TokenFlags(*token) : CKF_RNG;
  info.ulMaxSessionCount = CK_EFFECTIVELY_INFINITE;
  info.ulMaxRwSessionCount = CK_EFFECTIVELY_INFINITE;
  {
    const MutexLock lock(slot.login_mutex);
    info.ulSessionCount = slot.sessions;
    info.ulRwSessionCount = slot.read_write_sessions;
  }
  info.ulMaxPinLen = kMaxPin;
  info.ulMinPinLen = kMinPin;
  info.ulTotalPublicMemory = CK_UNAVAILABLE_INFORMATION;
  info.ulFreePublicMemory = CK_UNAVAILABLE_INFORMATION;
  info.ulTotalPrivateMemory = CK_UNAVAILABLE_INFORMATION;
  info.ulFreePrivateMemory = CK_UNAVAILABLE_INFORMATION;
}

// The slot, asked for at the enclave if nothing is known of it yet.
Result<SlotPtr> FindSlot(Module& module, CK_SLOT_ID id) {
  module.slots().RefreshIfUnknown();
  return module.slots().Find(id);
}

}  // namespace

// Base §5.5: the list is renewed when its length is asked for, so that the call that follows fits.
Status C_GetSlotList(CK_BBOOL token_present, CK_SLOT_ID_PTR slots, CK_ULONG_PTR count) {
  KC_ASSIGN(const ModulePtr module, Module::Current());
  const OutArray<CK_SLOT_ID> out(slots, count);
  KC_CHECK_OK(out.Check());
  if (out.IsQuery()) {
    // An enclave that does not answer shows as slots without tokens, not as an error.
    const Status refreshed = module->slots().Refresh();
    if (!refreshed.ok() && refreshed.code() == Code::kOutOfMemory) return refreshed;
  } else {
    module->slots().RefreshIfUnknown();
  }
  std::vector<CK_SLOT_ID> ids;
  for (const SlotPtr& slot : module->slots().All()) {
    if (token_present == CK_FALSE || slot->content().present) ids.push_back(slot->id());
  }
  return IgnoreDelivery(out.Put(ids));
}

Status C_GetSlotInfo(CK_SLOT_ID slot, CK_SLOT_INFO_PTR info) {
  KC_ASSIGN(const ModulePtr module, Module::Current());
  KC_CHECK_OK(NotNull(info));
  KC_ASSIGN(const SlotPtr found, FindSlot(*module, slot));
  *info = {};
  const client::ClientConfig& config = module->client().config();
  PutPadded(info->slotDescription,
            config.IsFleet()
                ? "Keyclave fleet of " + std::to_string(config.endpoints.size()) + " endpoints"
                : "Keyclave enclave at " + config.EndpointsText());
  PutPadded(info->manufacturerID, "Keyclave");
  info->flags = CKF_REMOVABLE_DEVICE;
  if (found->content().present) info->flags |= CKF_TOKEN_PRESENT;
  return Done{};
}

// PIN counters change without us: always the enclave's own answer.
Status C_GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO_PTR info) {
  KC_ASSIGN(const ModulePtr module, Module::Current());
  KC_CHECK_OK(NotNull(info));
  const Status refreshed = module->slots().Refresh();
  KC_ASSIGN(const SlotPtr found, module->slots().Find(slot));
  KC_CHECK_OK(refreshed);
  const Slot::Content content = found->content();
  if (!content.present) return Fail(Code::kP11TokenNotPresent);
  FillTokenInfo(*found, content.token, *info);
  return Done{};
}

Status C_WaitForSlotEvent(CK_FLAGS flags, CK_SLOT_ID_PTR slot, CK_VOID_PTR reserved) {
  KC_ASSIGN(const ModulePtr module, Module::Current());
  if (slot == nullptr || reserved != nullptr) return Fail(Code::kP11ArgumentsBad);
  do {
    // An enclave that does not answer is an event of its own: its tokens are gone.
    const Status unanswered = module->slots().Refresh();
    if (const auto event = module->slots().TakeEvent(); event.has_value()) {
      *slot = *event;
      return Done{};
    }
    if ((flags & CKF_DONT_BLOCK) != 0) return Fail(Code::kP11NoEvent);
  } while (!module->EndsWithin(kSlotPoll));
  return Fail(Code::kP11NotInitialized, "C_Finalize was called");
}

Status C_GetMechanismList(CK_SLOT_ID slot, CK_MECHANISM_TYPE_PTR types, CK_ULONG_PTR count) {
  KC_ASSIGN(const ModulePtr module, Module::Current());
  const OutArray<CK_MECHANISM_TYPE> out(types, count);
  KC_CHECK_OK(out.Check());
  KC_ASSIGN(const SlotPtr found, FindSlot(*module, slot));
  if (!found->content().present) return Fail(Code::kP11TokenNotPresent);
  KC_ASSIGN(const auto infos, module->mechanisms().All());
  std::vector<CK_MECHANISM_TYPE> list;
  for (const wire::MechanismInfo& info : *infos) list.push_back(info.type);
  return IgnoreDelivery(out.Put(list));
}

Status C_GetMechanismInfo(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO_PTR info) {
  KC_ASSIGN(const ModulePtr module, Module::Current());
  KC_CHECK_OK(NotNull(info));
  KC_ASSIGN(const SlotPtr found, FindSlot(*module, slot));
  if (!found->content().present) return Fail(Code::kP11TokenNotPresent);
  KC_ASSIGN(const wire::MechanismInfo row, module->mechanisms().Find(type, 0));
  *info = {row.min_key_size, row.max_key_size, row.flags};
  return Done{};
}

Status C_InitToken(CK_SLOT_ID slot, CK_UTF8CHAR_PTR pin, CK_ULONG pin_size, CK_UTF8CHAR_PTR label) {
  KC_ASSIGN(const ModulePtr module, Module::Current());
  KC_CHECK_OK(NotNull(label));
  KC_ASSIGN(const std::string text, FromPadded(FromC(label, sizeof(CK_TOKEN_INFO::label))));
  KC_ASSIGN(const SlotPtr found, FindSlot(*module, slot));
  const Slot::Content content = found->content();
  if (!content.present) return Fail(Code::kP11TokenNotPresent);
  const bool protected_path = content.token.has_value() && !NeedsPin(*content.token);
  KC_ASSIGN(SecretBytes so_pin, ReadPin(pin, pin_size, protected_path));

  const MutexLock lock(found->login_mutex);
  if (found->sessions != 0) return Fail(Code::kP11SessionExists);
  wire::InitTokenRequest request;
  if (content.token.has_value()) request.token = content.token->id;
  request.so_pin = std::move(so_pin);
  request.label = text;
  KC_ASSIGN(const wire::InitTokenReply reply, module->client().Call<wire::Op::kInitToken>(request));
  if (content.token.has_value()) module->objects().ForgetToken(content.token->id);
  module->slots().Adopt(found, reply.token);
  return Done{};
}

Status C_InitPIN(CK_SESSION_HANDLE session, CK_UTF8CHAR_PTR pin, CK_ULONG pin_size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  if (call.session->State() != CKS_RW_SO_FUNCTIONS)
    return Fail(Code::kNotLoggedIn, "the security officer sets PINs");
  KC_ASSIGN(SecretBytes new_pin, ReadPin(pin, pin_size, false));
  wire::InitPinRequest request{call.session->token(), std::move(new_pin)};
  const auto reply = call.client().Call<wire::Op::kInitPin>(request);
  if (!reply.ok()) return reply.error();
  return Done{};
}

Status C_SetPIN(CK_SESSION_HANDLE session, CK_UTF8CHAR_PTR old_pin, CK_ULONG old_size,
                CK_UTF8CHAR_PTR new_pin, CK_ULONG new_size) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  if (!call.session->read_write()) return Fail(Code::kP11SessionReadOnly);
  KC_ASSIGN(SecretBytes before, ReadPin(old_pin, old_size, false));
  KC_ASSIGN(SecretBytes after, ReadPin(new_pin, new_size, false));
  wire::SetPinRequest request{call.session->token(), std::move(before), std::move(after)};
  const auto reply = call.client().Call<wire::Op::kSetPin>(request);
  if (!reply.ok()) return reply.error();
  return Done{};
}

}  // namespace keyclave::pkcs11::call
