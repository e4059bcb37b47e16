// find_bench: searches per second in a token, by what chooses one object of all: its CKA_ID, its
// CKA_LABEL, or a CKA_CLASS that no other has. Prints one line of JSON. With --fill it makes that
// many data objects, and one key.
#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <exception>
#include <thread>

#include "bench/load.h"
#include "bench/pkcs11_token.h"
#include "bench/watch.h"

namespace {

using keyclave::bench::Ok;
using keyclave::bench::Pkcs11Token;

std::string NameOf(uint64_t number) { return "object " + std::to_string(number); }

CK_ATTRIBUTE Text(CK_ATTRIBUTE_TYPE type, std::string& text) {
  return {type, text.data(), text.size()};
}

void MakeObject(const Pkcs11Token& token, CK_SESSION_HANDLE session, uint64_t number) {
  CK_OBJECT_CLASS object_class = CKO_DATA;
  CK_BBOOL yes = CK_TRUE;
  std::string name = NameOf(number);
  CK_ATTRIBUTE made[] = {{CKA_CLASS, &object_class, sizeof object_class},
                         {CKA_TOKEN, &yes, sizeof yes},
                         Text(CKA_LABEL, name),
                         Text(CKA_VALUE, name)};
  CK_OBJECT_HANDLE object = 0;
  Ok(token.api()->C_CreateObject(session, made, std::size(made), &object), "C_CreateObject");
}

// One secret key, the only object with a CKA_ID.
void MakeKey(const Pkcs11Token& token) {
  CK_MECHANISM generate{CKM_AES_KEY_GEN, nullptr, 0};
  CK_ULONG length = 32;
  CK_BBOOL yes = CK_TRUE;
  std::string id = "the id";
  CK_ATTRIBUTE made[] = {
      {CKA_TOKEN, &yes, sizeof yes}, {CKA_VALUE_LEN, &length, sizeof length}, Text(CKA_ID, id)};
  CK_OBJECT_HANDLE key = 0;
  Ok(token.api()->C_GenerateKey(token.OpenSession(CKF_RW_SESSION), &generate, made, std::size(made),
                                &key),
     "C_GenerateKey");
}

// By several threads, because the daemon waits for its disk once for all that wait.
void Fill(const Pkcs11Token& token, uint64_t count) {
  MakeKey(token);
  std::atomic<uint64_t> next{0};
  constexpr size_t kThreads = 32;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      const CK_SESSION_HANDLE session = token.OpenSession(CKF_RW_SESSION);
      for (uint64_t number = next++; number < count; number = next++)
        MakeObject(token, session, number);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

void FindOne(const Pkcs11Token& token, CK_SESSION_HANDLE session, CK_ATTRIBUTE match) {
  CK_OBJECT_HANDLE found[2] = {};
  CK_ULONG count = 0;
  Ok(token.api()->C_FindObjectsInit(session, &match, 1), "C_FindObjectsInit");
  Ok(token.api()->C_FindObjects(session, found, 2, &count), "C_FindObjects");
  Ok(token.api()->C_FindObjectsFinal(session), "C_FindObjectsFinal");
  if (count != 1) throw std::runtime_error("found " + std::to_string(count) + " objects, not one");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"searches per second in a token"};
  std::string module;
  std::string label;
  std::string by = "label";
  uint64_t fill = 0;
  uint64_t objects = 1;
  double seconds = 1;
  double warm_up = 0.3;
  std::vector<pid_t> watched;
  app.add_option("--module", module, "PKCS#11 module to load")->required();
  app.add_option("--token", label, "label of the token")->required();
  app.add_option("--fill", fill, "make that many objects, and measure nothing");
  app.add_option("--objects", objects, "how many were made");
  app.add_option("--by", by)->check(CLI::IsMember({"id", "label", "class"}));
  app.add_option("--seconds", seconds, "measured time");
  app.add_option("--warm-up", warm_up, "seconds before, not counted");
  app.add_option("--watch", watched, keyclave::bench::kWatchHelp);
  CLI11_PARSE(app, argc, argv);
  try {
    const Pkcs11Token token(module, label);
    if (fill != 0) {
      Fill(token, fill);
      return 0;
    }
    const keyclave::bench::Worker worker = [&] {
      return [&, session = token.OpenSession(), number = uint64_t{0}]() mutable {
        std::string id = "the id";
        std::string name = NameOf(number++ % objects);
        CK_OBJECT_CLASS object_class = CKO_SECRET_KEY;
        FindOne(token, session,
                by == "id"      ? Text(CKA_ID, id)
                : by == "label" ? Text(CKA_LABEL, name)
                                : CK_ATTRIBUTE{CKA_CLASS, &object_class, sizeof object_class});
      };
    };
    keyclave::bench::Print(keyclave::bench::RunLoad(1, warm_up, seconds, worker, watched));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "find_bench: %s\n", error.what());
    return 1;
  }
}
