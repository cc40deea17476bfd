// Memory between the products of one call, kept from call to call: fresh memory would cost a page fault each 4 KB.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

#include "layout.h"

namespace vouch {

// Rows of a product that are computed together. Their tile of sums (64 KB) and a group of theirs (32 KB) stay in the
// second-level cache; weights are read again for each so many rows, which takes a hundredth of the time.
constexpr int64_t kChunk = 256;

class Buffer {
 public:
  // At least so many bytes, at a multiple of 64; what they held is lost when they must grow.
  uint8_t* reserve(int64_t bytes) {
    if (bytes > size_) {
      const int64_t rounded = (bytes + 4095) / 4096 * 4096;
      data_.reset(static_cast<uint8_t*>(std::aligned_alloc(4096, rounded)));
      if (data_ == nullptr) throw std::bad_alloc();
      size_ = rounded;
    }
    return data_.get();
  }

 private:
  struct Free {
    void operator()(uint8_t* memory) const { std::free(memory); }
  };
  std::unique_ptr<uint8_t, Free> data_;
  int64_t size_ = 0;
};

// Room for T quantized rows of I inputs.
class RowBuffer {
 public:
  Rows reserve(int64_t count, int64_t inputs, int group) {
    const int64_t pairs = count * (inputs / group);
    uint8_t* memory = buffer_.reserve(count * inputs + 8 * pairs);
    auto* scale = reinterpret_cast<float*>(memory + count * inputs);
    return {reinterpret_cast<int8_t*>(memory), scale, reinterpret_cast<int32_t*>(scale + pairs), count};
  }

 private:
  Buffer buffer_;
};

}  // namespace vouch
