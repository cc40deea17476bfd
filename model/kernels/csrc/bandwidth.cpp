// Reads memory and does next to nothing with it: the bound that ./vouch bench kernels holds the products against.
#include <immintrin.h>

#include "kernels.h"

namespace vouch {

uint64_t read_all(const uint8_t* data, int64_t bytes, int threads) {
  constexpr int64_t kPiece = 1 << 16, kAhead = 2048;
  uint64_t total = 0;
#pragma omp parallel for num_threads(threads) schedule(static) reduction(+ : total)
  for (int64_t piece = 0; piece < bytes / kPiece; ++piece) {
    const uint8_t* at = data + piece * kPiece;
    __m512i sums[4] = {};
    for (int64_t b = 0; b < kPiece; b += 256) {
      // as far ahead as the products do, which is what makes this the bound of theirs: without it a tenth is lost
      for (int c = 0; c < 4; ++c) _mm_prefetch(reinterpret_cast<const char*>(at + b + kAhead + 64 * c), _MM_HINT_T0);
      for (int c = 0; c < 4; ++c) sums[c] = _mm512_add_epi64(sums[c], _mm512_loadu_si512(at + b + 64 * c));
    }
    for (const __m512i& sum : sums) total += static_cast<uint64_t>(_mm512_reduce_add_epi64(sum));
  }
  return total;
}

}  // namespace vouch
