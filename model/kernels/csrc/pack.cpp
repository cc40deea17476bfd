// Packing, once while loading, and rows read back for an embedding.
#include <cstring>

#include "kernels.h"
#include "vectors.h"

namespace vouch {
namespace {

// Eight halves in the order of inputs -> byte k holds input k low and input 4 + k high.
inline uint32_t interleave(uint32_t word) {
  return _pdep_u32(word & 0xffff, 0x0f0f0f0f) | _pdep_u32(word >> 16, 0xf0f0f0f0);
}

inline uint32_t deinterleave(uint32_t word) {
  return _pext_u32(word, 0x0f0f0f0f) | (_pext_u32(word, 0xf0f0f0f0) << 16);
}

// One lane of one step is one 32-bit word, of 8 inputs (4 bits) or 4 (8 bits), in both layouts.
void pack_output(const Form& form, const uint8_t* values, uint8_t* block, int lane) {
  const int64_t words = form.weight_bytes() / kBlock / 4;
  for (int64_t g = 0; g < form.groups(); ++g, block += form.group_bytes()) {
    for (int64_t s = 0; s < words; ++s, values += 4) {
      uint32_t word;
      std::memcpy(&word, values, 4);
      if (form.bits == 4) word = interleave(word);
      std::memcpy(block + 4 * (s * kBlock + lane), &word, 4);
    }
  }
}

void pack_scales(const Form& form, const uint8_t* scales, const uint8_t* zeros, uint8_t* block, int lane) {
  const int64_t size = form.wide ? 4 : 2;
  for (int64_t g = 0; g < form.groups(); ++g, block += form.group_bytes()) {
    uint8_t* tail = block + form.weight_bytes();
    std::memcpy(tail + lane * size, scales + g * size, size);
    if (form.zeros) tail[form.scale_bytes() + lane] = zeros[g];
  }
}

void embed_row(const Matrix& matrix, int64_t id, uint16_t* y) {
  const Form& form = matrix.form;
  const uint8_t* block = matrix.block(0, id / kBlock);
  const int lane = static_cast<int>(id % kBlock);
  const int64_t words = form.weight_bytes() / kBlock / 4;
  alignas(64) uint8_t values[kMostGroup];
  for (int64_t g = 0; g < form.groups(); ++g, block += form.group_bytes(), y += form.group) {
    for (int64_t s = 0; s < words; ++s) {
      uint32_t word;
      std::memcpy(&word, block + 4 * (s * kBlock + lane), 4);
      if (form.bits == 8) {
        std::memcpy(values + 4 * s, &word, 4);
        continue;
      }
      word = deinterleave(word);
      for (int k = 0; k < 8; ++k) values[8 * s + k] = (word >> (4 * k)) & 15;
    }
    const uint8_t* tail = block + form.weight_bytes();
    const __m512i zero = _mm512_set1_epi32(form.zeros ? tail[form.scale_bytes() + lane] : 1 << (form.bits - 1));
    uint32_t bits = 0;
    std::memcpy(form.wide ? reinterpret_cast<char*>(&bits) : reinterpret_cast<char*>(&bits) + 2,
                tail + lane * (form.wide ? 4 : 2), form.wide ? 4 : 2);
    const __m512 scale = _mm512_castsi512_ps(_mm512_set1_epi32(static_cast<int>(bits)));
    for (int i = 0; i < form.group; i += kLanes) {
      const __m512i whole = _mm512_cvtepu8_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(values + i)));
      const __m512 weight = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_sub_epi32(whole, zero)), scale);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(y + i), to_bf16(weight));
    }
  }
}

}  // namespace

void pack(const Form& form, const uint8_t* values, const void* scales, const uint8_t* zeros, uint8_t* target,
          int threads) {
  const int64_t row = form.inputs * form.bits / 8;
  const int64_t size = form.wide ? 4 : 2;
#pragma omp parallel for num_threads(threads) schedule(dynamic)
  for (int64_t b = 0; b < form.experts * form.blocks(); ++b) {
    const int64_t expert = b / form.blocks();
    const int64_t first = b % form.blocks() * kBlock;
    uint8_t* block = target + b * form.block_bytes();
    std::memset(block, 0, form.block_bytes());
    for (int lane = 0; lane < kBlock && first + lane < form.outputs; ++lane) {
      const int64_t output = expert * form.outputs + first + lane;
      pack_output(form, values + output * row, block, lane);
      const uint8_t* zero = zeros == nullptr ? nullptr : zeros + output * form.groups();
      pack_scales(form, static_cast<const uint8_t*>(scales) + output * form.groups() * size, zero, block, lane);
    }
  }
}

void embed(const int64_t* ids, int64_t count, const Matrix& matrix, uint16_t* y, int threads) {
#pragma omp parallel for num_threads(threads) if (count > 8)
  for (int64_t t = 0; t < count; ++t) embed_row(matrix, ids[t], y + t * matrix.form.inputs);
}

}  // namespace vouch
