// How a quantized matrix and quantized activations lie in memory.
//
// Letters: N outputs, I inputs, S group, G = I / S groups, T rows of activations.
//
// A matrix is a run of blocks of 64 outputs (the last one filled up with outputs of scale 0). A block is a run of its
// G groups, and a group holds, one after the other,
//
//     weights   64 x S values, 4 or 8 bits
//     scales    64 bfloat16 (or float)
//     zeros     64 uint8, asymmetric matrices only
//
// so that the product of a block with one row of activations is one sequential read. Weights lie in steps of 256
// bytes, four registers of 16 outputs each. In a register, 32-bit lane n belongs to output n:
//
//     8 bits    byte k of the lane is input 4 s + k of step s
//     4 bits    byte k of the lane is input 8 s + k (low half) and input 8 s + 4 + k (high half)
//
// That is the operand of vpdpbusd: each lane adds four products of unsigned weights with signed activations, the same
// four activations in all lanes. No sum across lanes is ever needed, and a mask and a shift widen 4 bits to 8.
#pragma once

#include <cstdint>

namespace vouch {

constexpr int kLanes = 16;
constexpr int kVectors = 4;
constexpr int kBlock = kLanes * kVectors;
constexpr int kMostGroup = 128;

struct Form {
  int bits;
  int group;
  int64_t experts;
  int64_t outputs;
  int64_t inputs;
  bool zeros;  // asymmetric
  bool wide;   // scales are float

  int64_t groups() const { return inputs / group; }
  int64_t blocks() const { return (outputs + kBlock - 1) / kBlock; }
  int64_t weight_bytes() const { return int64_t{kBlock} * group * bits / 8; }
  int64_t scale_bytes() const { return kBlock * (wide ? 4 : 2); }
  int64_t group_bytes() const { return weight_bytes() + scale_bytes() + (zeros ? kBlock : 0); }
  int64_t block_bytes() const { return groups() * group_bytes(); }
  int64_t matrix_bytes() const { return blocks() * block_bytes(); }
};

struct Matrix {
  const uint8_t* data;
  Form form;

  const uint8_t* block(int64_t expert, int64_t index) const {
    return data + expert * form.matrix_bytes() + index * form.block_bytes();
  }
};

// Activations in int8 by groups, the group outermost: a product reads the rows of one group next to each other.
//
//     x[t, i] = scale[g, t] * value[g, t, i % S],  g = i / S;  sum[g, t]: of the values, for the zero point
struct Rows {
  int8_t* value;   // (G, T, S)
  float* scale;    // (G, T)
  int32_t* sum;    // (G, T)
  int64_t count;   // T
};

}  // namespace vouch
