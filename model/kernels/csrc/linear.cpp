// A linear layer: quantize the rows, then the blocks of outputs, whichever thread is free takes the next.
#include <algorithm>
#include <atomic>

#include "kernels.h"
#include "product.h"
#include "quantize.h"
#include "scratch.h"

namespace vouch {
namespace {

// Fewer values than this are quantized before the threads start: it takes less than a barrier.
constexpr int64_t kAlone = 8192;

inline __m512 load_bias(const Bias& bias, int64_t n) {
  if (bias.data == nullptr) return _mm512_setzero_ps();
  if (bias.number == Number::kBf16) return load_bf16(static_cast<const uint16_t*>(bias.data) + n);
  return _mm512_loadu_ps(static_cast<const float*>(bias.data) + n);
}

// Write a tile of rows x 64 outputs, of which the last block may have fewer.
void store_tile(const float* tile, int64_t rows, int64_t outputs, const Bias& bias, int64_t n, uint16_t* y) {
  const int64_t width = std::min<int64_t>(kBlock, outputs - n);
  if (width == kBlock) {
    for (int c = 0; c < kVectors; ++c) {
      const __m512 shift = load_bias(bias, n + kLanes * c);
      for (int64_t r = 0; r < rows; ++r) {
        const __m512 value = _mm512_add_ps(_mm512_load_ps(tile + r * kBlock + kLanes * c), shift);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(y + r * outputs + n + kLanes * c), to_bf16(value));
      }
    }
    return;
  }
  for (int64_t o = 0; o < width; ++o) {
    float shift = 0;
    if (bias.data != nullptr && bias.number == Number::kF32) shift = static_cast<const float*>(bias.data)[n + o];
    if (bias.data != nullptr && bias.number == Number::kBf16) {
      shift = _mm512_cvtss_f32(_mm512_castsi512_ps(_mm512_set1_epi32(static_cast<const uint16_t*>(bias.data)[n + o] << 16)));
    }
    for (int64_t r = 0; r < rows; ++r) {
      const __m256i value = to_bf16(_mm512_set1_ps(tile[r * kBlock + o] + shift));
      y[r * outputs + n + o] = static_cast<uint16_t>(_mm256_extract_epi16(value, 0));
    }
  }
}

}  // namespace

void linear(const Activations& x, const Matrix& matrix, const Bias& bias, uint16_t* y, int threads) {
  static thread_local RowBuffer room;
  const Form& form = matrix.form;
  const int64_t groups = form.groups();
  const Rows rows = room.reserve(x.rows, form.inputs, form.group);
  const bool alone = x.rows * form.inputs <= kAlone;
  if (alone) {
    for (int64_t t = 0; t < x.rows; ++t) {
      for (int64_t g = 0; g < groups; ++g) quantize_bf16(x.data + t * x.stride, form.group, rows, g, t);
    }
  }
  std::atomic<int64_t> next{0};
  const int64_t chunks = (x.rows + kChunk - 1) / kChunk;
#pragma omp parallel num_threads(threads)
  {
    static thread_local Buffer tiles;
    auto* tile = reinterpret_cast<float*>(tiles.reserve(sizeof(float) * kBlock * std::min(kChunk, x.rows)));
    if (!alone) {
#pragma omp for schedule(static)
      for (int64_t t = 0; t < x.rows; ++t) {
        for (int64_t g = 0; g < groups; ++g) quantize_bf16(x.data + t * x.stride, form.group, rows, g, t);
      }
    }
    for (int64_t unit = next++; unit < chunks * form.blocks(); unit = next++) {
      const int64_t first = unit / form.blocks() * kChunk, index = unit % form.blocks();
      const int64_t count = std::min(kChunk, x.rows - first);
      block_product(form, matrix.block(0, index), rows, nullptr, first, count, tile);
      store_tile(tile, count, form.outputs, bias, index * kBlock, y + first * form.outputs);
    }
  }
}

}  // namespace vouch
