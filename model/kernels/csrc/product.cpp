#include "product.h"

#include <cstring>

#include "vectors.h"

namespace vouch {
namespace {

// Rows that share a load of weights. 6 x 4 sums, 4 registers of weights, one of activations and a mask are 30 of the 32
// registers; each step is then 48 vpdpbusd to 20 loads, so the multipliers are the limit.
constexpr int kRows = 6;
// From here on a group is widened once into the first-level cache instead of once for each `kRows` rows.
constexpr int64_t kWidenFrom = 48;
// Bytes ahead of the weights that are read: one row alone waits for memory, and the hardware's own prefetcher stops
// at each page.
constexpr int64_t kAhead = 2048;

inline __m512i four(const int8_t* values) {
  int32_t word;
  std::memcpy(&word, values, sizeof word);
  return _mm512_set1_epi32(word);
}

// sum += four products in each lane. Written out, and not to be moved: as an intrinsic GCC 12 orders these so that more
// than 32 registers are alive, and of 128 instructions of the loop over 6 rows 38 move them to the stack and back.
inline void multiply_add(__m512i& sum, __m512i weights, __m512i x) {
  asm volatile("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(weights), "v"(x));
}

template <int R>
inline void multiply(const __m512i (&weights)[kVectors], const int8_t* const (&values)[R], int64_t offset,
                     __m512i (&sums)[R][kVectors]) {
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    const __m512i x = four(values[r] + offset);
#pragma GCC unroll 4
    for (int c = 0; c < kVectors; ++c) multiply_add(sums[r][c], weights[c], x);
  }
}

template <int BITS, int R>
inline void step(const uint8_t* source, const int8_t* const (&values)[R], int64_t input,
                 __m512i (&sums)[R][kVectors]) {
  __m512i weights[kVectors];
  if constexpr (BITS == 4) {
    const __m512i low = _mm512_set1_epi8(15);
#pragma GCC unroll 4
    for (int c = 0; c < kVectors; ++c) weights[c] = _mm512_and_si512(_mm512_load_si512(source + 64 * c), low);
    multiply<R>(weights, values, input, sums);
#pragma GCC unroll 4
    for (int c = 0; c < kVectors; ++c) {
      weights[c] = _mm512_and_si512(_mm512_srli_epi16(_mm512_load_si512(source + 64 * c), 4), low);
    }
    multiply<R>(weights, values, input + 4, sums);
  } else {
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
#pragma GCC unroll 4
      for (int c = 0; c < kVectors; ++c) weights[c] = _mm512_load_si512(source + 256 * half + 64 * c);
      multiply<R>(weights, values, input + 4 * half, sums);
    }
  }
}

// What follows the weights of a group.
struct Tail {
  const uint8_t* scales;
  const uint8_t* zeros;  // null: symmetric
  bool wide;
  int32_t zero;          // of a symmetric matrix

  __m512 scale(int c) const {
    if (wide) return _mm512_load_ps(reinterpret_cast<const float*>(scales) + kLanes * c);
    return load_bf16(reinterpret_cast<const uint16_t*>(scales) + kLanes * c);
  }
  // -zero * sum: where the sum of (q - zero) * x begins
  __m512i start(int c, int32_t sum) const {
    if (zeros == nullptr) return _mm512_set1_epi32(-zero * sum);
    const __m128i bytes = _mm_load_si128(reinterpret_cast<const __m128i*>(zeros + kLanes * c));
    return _mm512_mullo_epi32(_mm512_cvtepu8_epi32(bytes), _mm512_set1_epi32(-sum));
  }
};

inline Tail tail_of(const Form& form, const uint8_t* group) {
  const uint8_t* scales = group + form.weight_bytes();
  return {scales, form.zeros ? scales + form.scale_bytes() : nullptr, form.wide, 1 << (form.bits - 1)};
}

// Add one group's products for R rows to the tile.
template <int BITS, int R, bool AHEAD>
inline void group_tile(const uint8_t* weights, const Tail& tail, int group, const Rows& rows, int64_t g,
                       const int32_t* which, int64_t first, float* tile) {
  const int8_t* values[R];
  int64_t place[R];
  __m512i sums[R][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    place[r] = g * rows.count + (which != nullptr ? which[r] : first + r);
    values[r] = rows.value + place[r] * group;
#pragma GCC unroll 4
    for (int c = 0; c < kVectors; ++c) sums[r][c] = tail.start(c, rows.sum[place[r]]);
  }
  constexpr int kStepBytes = 64 * BITS;
  for (int s = 0; s < group / 8; ++s) {
    if constexpr (AHEAD) {
#pragma GCC unroll 8
      for (int line = 0; line < kStepBytes; line += 64) {
        _mm_prefetch(reinterpret_cast<const char*>(weights + kStepBytes * s + kAhead + line), _MM_HINT_T0);
      }
    }
    step<BITS, R>(weights + kStepBytes * s, values, 8 * s, sums);
  }
#pragma GCC unroll 4
  for (int c = 0; c < kVectors; ++c) {
    const __m512 scale = tail.scale(c);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      float* target = tile + kBlock * r + kLanes * c;
      const __m512 product = _mm512_mul_ps(_mm512_cvtepi32_ps(sums[r][c]), _mm512_set1_ps(rows.scale[place[r]]));
      _mm512_storeu_ps(target, _mm512_fmadd_ps(product, scale, _mm512_loadu_ps(target)));
    }
  }
}

template <int BITS, bool AHEAD>
inline void group_rows(const uint8_t* weights, const Tail& tail, int group, const Rows& rows, int64_t g,
                       const int32_t* which, int64_t first, int64_t count, float* tile) {
  for (; count >= kRows; count -= kRows, first += kRows, tile += kBlock * kRows) {
    group_tile<BITS, kRows, AHEAD>(weights, tail, group, rows, g, which, first, tile);
    if (which != nullptr) which += kRows;
  }
  switch (count) {
    case 1: return group_tile<BITS, 1, AHEAD>(weights, tail, group, rows, g, which, first, tile);
    case 2: return group_tile<BITS, 2, AHEAD>(weights, tail, group, rows, g, which, first, tile);
    case 3: return group_tile<BITS, 3, AHEAD>(weights, tail, group, rows, g, which, first, tile);
    case 4: return group_tile<BITS, 4, AHEAD>(weights, tail, group, rows, g, which, first, tile);
    case 5: return group_tile<BITS, 5, AHEAD>(weights, tail, group, rows, g, which, first, tile);
    default: return;
  }
}

// A group in the layout of 8 bits.
void widen(const uint8_t* source, int64_t bytes, uint8_t* target) {
  const __m512i low = _mm512_set1_epi8(15);
  for (int64_t b = 0; b < bytes; b += 256) {
#pragma GCC unroll 4
    for (int c = 0; c < kVectors; ++c) {
      const __m512i both = _mm512_load_si512(source + b + 64 * c);
      _mm512_store_si512(target + 2 * b + 64 * c, _mm512_and_si512(both, low));
      _mm512_store_si512(target + 2 * b + 256 + 64 * c, _mm512_and_si512(_mm512_srli_epi16(both, 4), low));
    }
  }
}

}  // namespace

void block_product(const Form& form, const uint8_t* block, const Rows& rows, const int32_t* which, int64_t first,
                   int64_t count, float* tile) {
  alignas(64) uint8_t wide[kBlock * kMostGroup];
  std::memset(tile, 0, sizeof(float) * kBlock * count);
  for (int64_t g = 0; g < form.groups(); ++g, block += form.group_bytes()) {
    const Tail tail = tail_of(form, block);
    if (form.bits == 8) {
      group_rows<8, true>(block, tail, form.group, rows, g, which, first, count, tile);
    } else if (count < kWidenFrom) {
      group_rows<4, true>(block, tail, form.group, rows, g, which, first, count, tile);
    } else {
      widen(block, form.weight_bytes(), wide);
      group_rows<8, false>(wide, tail, form.group, rows, g, which, first, count, tile);
    }
  }
}

}  // namespace vouch
