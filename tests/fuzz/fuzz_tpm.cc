// Fuzz target: what lies in files of a TPM's machine: a sealed secret, an attestation key's public
// area, and the four messages of an enrolment. The first byte chooses the door. What is understood
// must be written again as it was.
//
// KEYCLAVE_WRITE_SEEDS=DIR makes the replay program write its seed files there.
#include <cstdlib>
#include <fstream>

#include "attest/tpm/enrolled_key.h"
#include "attest/tpm/sealed_secret.h"
#include "enclave/ctl/enroll_messages.h"

namespace keyclave {
namespace {

enum class Door : uint8_t { kSealed, kArea, kRequest, kChallenge, kAnswer, kKept };
constexpr uint8_t kDoors = 6;

template <class T>
void Check(const Result<T>& parsed, ByteSpan bytes, Bytes (*encode)(const T&)) {
  if (parsed.ok() && !Equal(encode(*parsed), bytes)) std::abort();
}

void Knock(Door door, ByteSpan bytes) {
  switch (door) {
    case Door::kSealed:
      return Check(attest::tpm::ParseSealedSecret(bytes), bytes, attest::tpm::EncodeSealedSecret);
    case Door::kArea: static_cast<void>(attest::tpm::ParseEnrolledArea(bytes).ok()); return;
    case Door::kRequest:
      return Check<ctl::EnrollRequest>(ctl::ParseEnrollRequest(bytes), bytes, ctl::Encode);
    case Door::kChallenge:
      return Check<ctl::EnrollChallenge>(ctl::ParseEnrollChallenge(bytes), bytes, ctl::Encode);
    case Door::kAnswer:
      return Check<ctl::EnrollAnswer>(ctl::ParseEnrollAnswer(bytes), bytes, ctl::Encode);
    case Door::kKept:
      return Check<ctl::EnrollKept>(ctl::ParseEnrollKept(bytes), bytes, ctl::Encode);
  }
}

void WriteSeed(const std::string& directory, Door door, std::string_view name, ByteSpan bytes) {
  std::ofstream out(directory + "/" + std::string(name), std::ios::binary);
  out.put(static_cast<char>(door));
  out << AsText(bytes);
}

// The generator of P-256: a point on the curve that nobody's key is.
Bytes SomeArea() {
  const Bytes x =
      FromHex("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296").value();
  const Bytes y =
      FromHex("4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5").value();
  return attest::tpm::EnrolledArea(x, y);
}

void WriteSeeds(const std::string& directory) {
  const uint16_t sha256 = 0x000b;
  attest::tpm::SealedSecret sealed;
  sealed.private_part = Bytes(160, 0x11);
  sealed.selection = {sha256, {4, 9}, {0x10, 0x02, 0x00}};
  sealed.values[sha256] = {{4, Bytes(32, 0x44)}, {9, Bytes(32, 0x99)}};
  WriteSeed(directory, Door::kSealed, "sealed", attest::tpm::EncodeSealedSecret(sealed));
  const Bytes area = SomeArea();
  WriteSeed(directory, Door::kArea, "area", area);
  WriteSeed(directory, Door::kRequest, "request",
            ctl::Encode(ctl::EnrollRequest{Bytes(600, 0x30), area}));
  WriteSeed(directory, Door::kChallenge, "challenge",
            ctl::Encode(ctl::EnrollChallenge{{Bytes(68, 1), Bytes(256, 2)}, ToBytes("rsa2048")}));
  WriteSeed(directory, Door::kAnswer, "answer", ctl::Encode(ctl::EnrollAnswer{{7}}));
  WriteSeed(directory, Door::kKept, "kept", ctl::Encode(ctl::EnrollKept{{7}, Bytes(91, 3)}));
}

}  // namespace
}  // namespace keyclave

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace keyclave;
  static const bool kSeeded = [] {
    const char* directory = std::getenv("KEYCLAVE_WRITE_SEEDS");
    if (directory != nullptr) WriteSeeds(directory);
    return directory != nullptr;
  }();
  if (size == 0 || kSeeded) return 0;
  const ByteSpan input = FromC(data, size);
  if (input[0] >= kDoors) return 0;
  Knock(static_cast<Door>(input[0]), input.subspan(1));
  return 0;
}
