// The product of one block of 64 outputs with rows of quantized activations: the inner loops.
#pragma once

#include "layout.h"

namespace vouch {

// tile[r, n] = sum over i of w[n, i] * x[which[r], i], n in the block's 64 outputs, r in 0 .. count - 1.
//
// `which` names the rows; without it they are first, first + 1, ... The order of all sums depends on neither `count`
// nor the other rows: a row gives the same bits in every batch.
void block_product(const Form& form, const uint8_t* block, const Rows& rows, const int32_t* which, int64_t first,
                   int64_t count, float* tile);

}  // namespace vouch
