// The operations, without torch: ops.cpp checks their arguments.
#pragma once

#include "layout.h"

namespace vouch {

enum class Number { kBf16, kF32 };

// Quantized weights as model/kernels/packing.py describes them, contiguous: values (E, N, I * bits / 8), scales
// (E, N, G) of bfloat16 or float, zeros (E, N, G) or null. Writes experts * matrix_bytes() bytes.
void pack(const Form& form, const uint8_t* values, const void* scales, const uint8_t* zeros, uint8_t* target,
          int threads);

struct Activations {
  const uint16_t* data;  // bfloat16
  int64_t rows;
  int64_t stride;        // between rows, in elements
};

struct Bias {
  const void* data;  // null: none
  Number number;
};

// y = x @ W^T + bias, y bfloat16 (T, N), contiguous.
void linear(const Activations& x, const Matrix& matrix, const Bias& bias, uint16_t* y, int threads);

struct Expert {
  Matrix gate_up;  // (E, 2 F, D)
  Matrix down;     // (E, D, F)
};

struct Mixture {
  const Expert* shared;       // null: none
  float shared_scale;
  const float* shared_scales; // (T), null: 1 for each
  const Expert* routed;       // null: none
  const int64_t* experts;     // (T, K)
  const float* weights;       // (T, K)
  int64_t chosen;             // K
};

// The MLP of a layer, y bfloat16 (T, D), contiguous. F is a multiple of 64 and of the group.
void mixture(const Activations& x, const Mixture& parts, uint16_t* y, int threads);

// Rows of matrix 0, y bfloat16 (T, I), contiguous.
void embed(const int64_t* ids, int64_t count, const Matrix& matrix, uint16_t* y, int threads);

// The sum of all 64-bit words of whole pieces of 64 KB, so that nothing of the reading can be left out.
uint64_t read_all(const uint8_t* data, int64_t bytes, int threads);

}  // namespace vouch
