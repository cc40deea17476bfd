// Activations from floats to int8 by groups: value = round(x / scale), scale = max |x| / 127 of the group.
#pragma once

#include "layout.h"
#include "vectors.h"

namespace vouch {

// The largest magnitude, by the bits: they order as the floats do, and a NaN is above infinity, so it is not lost and
// makes the scale, and with it the whole result of the row, a NaN.
inline float largest(const __m512* x, int vectors) {
  __m512i most = _mm512_setzero_si512();
  for (int v = 0; v < vectors; ++v) {
    const __m512i bits = _mm512_and_si512(_mm512_castps_si512(x[v]), _mm512_set1_epi32(0x7fffffff));
    most = _mm512_max_epu32(most, bits);
  }
  return _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(static_cast<int>(_mm512_reduce_max_epu32(most)))));
}

// Quantize group g of row t, given as S / 16 registers.
inline void quantize_group(const __m512* x, int group, const Rows& rows, int64_t g, int64_t t) {
  const int vectors = group / kLanes;
  const float most = largest(x, vectors);
  const __m512 inverse = _mm512_set1_ps(most > 0 ? 127.0f / most : 0.0f);
  int8_t* value = rows.value + (g * rows.count + t) * group;
  __m512i sum = _mm512_setzero_si512();
  for (int v = 0; v < vectors; ++v) {
    const __m512i whole = _mm512_cvtps_epi32(_mm512_mul_ps(x[v], inverse));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(value + v * kLanes), _mm512_cvtsepi32_epi8(whole));
    sum = _mm512_add_epi32(sum, whole);
  }
  rows.scale[g * rows.count + t] = most / 127.0f;
  rows.sum[g * rows.count + t] = _mm512_reduce_add_epi32(sum);
}

// Quantize group g of row t from bfloat16.
inline void quantize_bf16(const uint16_t* row, int group, const Rows& rows, int64_t g, int64_t t) {
  __m512 x[kMostGroup / kLanes];
  for (int v = 0; v < group / kLanes; ++v) x[v] = load_bf16(row + g * group + v * kLanes);
  quantize_group(x, group, rows, g, t);
}

}  // namespace vouch
