// Runs a fuzz target over its corpus without libFuzzer, in every ordinary test run: each file of
// the given folders as it is, cut at every length (up to a limit), with single bits flipped, with
// bytes inserted and repeated. The order is fixed, so a failure repeats.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

namespace fs = std::filesystem;
using Input = std::vector<uint8_t>;

constexpr size_t kMaxCuts = 512;     // prefixes per file
constexpr size_t kMaxFlips = 2048;   // single-bit changes per file
constexpr size_t kMaxInserts = 256;  // inserted or repeated stretches per file

uint64_t runs = 0;

// A copy of its own on the heap, so that AddressSanitizer sees a read past either end.
void Run(const Input& input) {
  const Input exact(input);
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
  ++runs;
}

// At most `limit` positions spread evenly over 0..size-1.
std::vector<size_t> Spread(size_t size, size_t limit) {
  std::vector<size_t> positions;
  const size_t step = size <= limit ? 1 : (size + limit - 1) / limit;
  for (size_t i = 0; i < size; i += step) positions.push_back(i);
  return positions;
}

void RunWithMutations(const Input& seed) {
  Run(seed);
  for (const size_t length : Spread(seed.size(), kMaxCuts)) {
    Run(Input(seed.begin(), seed.begin() + static_cast<std::ptrdiff_t>(length)));
  }
  for (const size_t bit : Spread(seed.size() * 8, kMaxFlips)) {
    Input changed(seed);
    changed[bit / 8] = static_cast<uint8_t>(changed[bit / 8] ^ (1U << (bit % 8)));
    Run(changed);
  }
  std::mt19937 random(4711);  // fixed: the same inputs each time
  for (const size_t at : Spread(seed.size(), kMaxInserts)) {
    Input longer(seed);
    const Input stretch(1 + random() % 9, static_cast<uint8_t>(random()));
    longer.insert(longer.begin() + static_cast<std::ptrdiff_t>(at), stretch.begin(), stretch.end());
    Run(longer);
    Input repeated(seed);
    repeated.insert(repeated.end(), seed.begin() + static_cast<std::ptrdiff_t>(at), seed.end());
    Run(repeated);
  }
}

}  // namespace

int main(int argc, char** argv) {
  size_t files = 0;
  Run({});
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : fs::recursive_directory_iterator(argv[i])) {
      if (!entry.is_regular_file()) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      const Input seed{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
      if (in.bad()) {
        std::fprintf(stderr, "cannot read %s\n", entry.path().c_str());
        return 1;
      }
      RunWithMutations(seed);
      ++files;
    }
  }
  std::printf("%zu files, %llu inputs\n", files, static_cast<unsigned long long>(runs));
  if (files == 0) {
    std::fprintf(stderr, "no corpus: give folders that hold at least one file\n");
    return 1;
  }
  return 0;
}
