// A backup file from anywhere: its parts, or an error, and never more than was there.
#include <cstdlib>

#include "enclave/wire/backup_file.h"

using keyclave::AsBytes;
using keyclave::ByteSpan;
using keyclave::Done;
using keyclave::FromC;
using keyclave::Status;

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

struct Outcome {
  bool ok = false;
  size_t rows = 0;
  size_t bytes = 0;
};

Outcome Read(ByteSpan file, size_t piece) {
  Outcome outcome;
  keyclave::wire::BackupReader reader(
      {.header = [](const auto& /*header*/) -> Status { return Done{}; },
       .row = [&](const auto& /*id*/, ByteSpan sealed) -> Status {
         ++outcome.rows;
         outcome.bytes += sealed.size();
         return Done{};
       },
       .end = [](const auto& /*end*/) -> Status { return Done{}; }});
  for (ByteSpan rest = file; !rest.empty();) {
    const ByteSpan next = rest.first(std::min(piece, rest.size()));
    if (!reader.Take(next).ok()) return outcome;
    rest = rest.subspan(next.size());
  }
  outcome.ok = reader.Finish().ok();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteSpan file = FromC(data, size);
  const Outcome whole = Read(file, size + 1);
  Require(whole.bytes <= size && whole.rows <= size);
  // However it is cut, it is the same file.
  const Outcome pieces = Read(file, 3);
  Require(whole.ok == pieces.ok && whole.rows == pieces.rows && whole.bytes == pieces.bytes);
  return 0;
}
