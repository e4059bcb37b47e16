// Objects: create, copy, destroy, find.
#include "pkcs11/args.h"
#include "pkcs11/calls.h"
#include "pkcs11/profile_object.h"
#include "pkcs11/session_object.h"

namespace keyclave::pkcs11::call {
namespace {

constexpr uint64_t kPage = 256;  // objects per request: the most that the wire allows

// Reads the next page of a search into the cache.
Status ReadPage(const SessionCall& call, FindOperation& find) {
  const Freshness before = FreshnessNow(call.client());
  auto reply = call.client().Call<wire::Op::kFindObjects>(find.next);
  if (!reply.ok()) return reply.error();
  find.more = reply->more && !reply->objects.empty();
  if (!reply->objects.empty()) find.next.after = reply->objects.back().id;
  for (wire::ObjectInfo& info : reply->objects) {
    find.found.push_back(call.module->objects().Put(std::move(info), before)->handle);
  }
  if (find.more) return Done{};
  for (wire::ObjectInfo& info : FindProfiles(find.next.token, find.next.match))
    find.found.push_back(call.module->objects().Put(std::move(info), before)->handle);
  return Done{};
}

}  // namespace

Status C_CreateObject(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR attributes, CK_ULONG count,
                      CK_OBJECT_HANDLE_PTR object) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(NotNull(object));
  KC_ASSIGN(wire::AttributeList list, FromTemplate(attributes, count));
  KC_CHECK_OK(CheckWritable(*call.session, list));
  const Freshness before = FreshnessNow(call.client());
  KC_ASSIGN(wire::CreateObjectReply reply,
            call.client().Call<wire::Op::kCreateObject>({call.session->token(), std::move(list)}));
  *object = TakeNewObject(call, std::move(reply.object), before);
  return Done{};
}

Status C_CopyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR attributes,
                    CK_ULONG count, CK_OBJECT_HANDLE_PTR copy) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(NotNull(copy));
  KC_ASSIGN(wire::AttributeList list, FromTemplate(attributes, count));
  KC_ASSIGN(const ObjectPtr source, call.module->objects().Find(object, call.session->token()));
  KC_CHECK_OK(CheckNotProfile(*source));
  KC_CHECK_OK(CheckWritable(*call.session, list, source->IsTokenObject()));
  const Freshness before = FreshnessNow(call.client());
  auto reply = call.client().Call<wire::Op::kCopyObject>({RefTo(source->info.id), std::move(list)});
  if (!reply.ok()) return ObjectError(call, source, reply.error());
  *copy = TakeNewObject(call, std::move(reply->object), before);
  return Done{};
}

Status C_DestroyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_ASSIGN(const ObjectPtr found, call.module->objects().Find(object, call.session->token()));
  KC_CHECK_OK(CheckNotProfile(*found));
  KC_CHECK_OK(CheckWritable(*call.session, found->attributes()));
  const auto reply = call.client().Call<wire::Op::kDestroyObject>({RefTo(found->info.id)});
  if (!reply.ok()) return ObjectError(call, found, reply.error());
  call.module->objects().Remove(found->info.id);
  call.session->session_objects.erase(found->info.id);
  return Done{};
}

// The first page is read here, so that what is wrong with the template is said here.
Status C_FindObjectsInit(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR match, CK_ULONG count) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(call.operations().MayBegin(CKF_FIND_OBJECTS));
  auto list = FromTemplate(match, count);
  // CKR_TEMPLATE_INCONSISTENT is for objects that are made (base §5.7.8).
  if (!list.ok() && list.code() == Code::kTemplateInconsistent)
    return Fail(Code::kAttributeValueInvalid, list.error().detail());
  if (!list.ok()) return list.error();
  FindOperation find;
  find.next.token = call.session->token();
  find.next.match = *std::move(list);
  find.next.limit = kPage;
  KC_CHECK_OK(ReadPage(call, find));
  call.operations().find = std::move(find);
  return Done{};
}

// Unlike an operation of a key, a search outlives a failed step: "C_FindObjectsFinal must be
// called" (base §5.7).
Status C_FindObjects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE_PTR objects, CK_ULONG room,
                     CK_ULONG_PTR count) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(Require(call.operations().find));
  KC_CHECK_OK(NotNull(count));
  if (room != 0) KC_CHECK_OK(NotNull(objects));
  FindOperation& find = *call.operations().find;
  *count = 0;
  while (*count < room) {
    if (find.found.empty() && find.more) KC_CHECK_OK(ReadPage(call, find));
    if (find.found.empty()) break;
    objects[(*count)++] = find.found.front();
    find.found.pop_front();
  }
  return Done{};
}

Status C_FindObjectsFinal(CK_SESSION_HANDLE session) {
  KC_ASSIGN(const SessionCall call, EnterSession(session));
  KC_CHECK_OK(Require(call.operations().find));
  call.operations().Cancel(CKF_FIND_OBJECTS);
  return Done{};
}

}  // namespace keyclave::pkcs11::call
