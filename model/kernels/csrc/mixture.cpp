// The MLP of a layer in one parallel region: x is quantized once, gate and up of 128 (or 64) columns are computed
// side by side, h = silu(gate) * up is quantized where it was computed, and down adds up what each token gets.
#include <algorithm>
#include <atomic>
#include <vector>

#include "kernels.h"
#include "product.h"
#include "quantize.h"
#include "scratch.h"

namespace vouch {
namespace {

// Rows of one expert in a chunk: of the shared one all, of a routed one a run of the pairs sorted by expert.
struct Run {
  const Expert* expert;
  int64_t index;         // in its matrices
  const int32_t* which;  // rows of x; null: all
  int64_t first;         // row of h
  int64_t count;
  const Rows* hidden;
};

// The pairs (token, expert) of a chunk, sorted by expert, in the order of tokens within one: the order in which a
// token's parts are added then depends on its experts alone, not on its batch.
struct Pairs {
  std::vector<int32_t> token;
  std::vector<float> weight;
  std::vector<Run> runs;
  std::vector<int64_t> ends;

  void sort(const Mixture& parts, int64_t first, int64_t rows, const Rows* hidden) {
    const int64_t chosen = parts.chosen, count = parts.routed->gate_up.form.experts;
    const int64_t* experts = parts.experts + first * chosen;
    ends.assign(count + 1, 0);
    for (int64_t p = 0; p < rows * chosen; ++p) ++ends[experts[p] + 1];
    for (int64_t e = 0; e < count; ++e) ends[e + 1] += ends[e];
    token.resize(rows * chosen);
    weight.resize(rows * chosen);
    runs.clear();
    for (int64_t e = 0; e < count; ++e) {
      // no longer than the chunk, which the room for tiles is made for: a token may name an expert more than once
      for (int64_t p = ends[e]; p < ends[e + 1]; p += rows) {
        runs.push_back({parts.routed, e, token.data() + p, p, std::min(rows, ends[e + 1] - p), hidden});
      }
    }
    for (int64_t p = 0; p < rows * chosen; ++p) {
      const int64_t place = ends[experts[p]]++;
      token[place] = static_cast<int32_t>(p / chosen);
      weight[place] = parts.weights[first * chosen + p];
    }
  }
};

// Columns of h that one unit of work computes: whole blocks and whole groups.
inline int64_t unit_columns(const Form& down) { return std::max<int64_t>(kBlock, down.group); }

inline void activate(const float* gate, const float* up, int64_t count, int64_t width, float* h) {
  for (int64_t r = 0; r < count; ++r) {
    for (int c = 0; c < kBlock; c += kLanes) {
      const __m512 value = swiglu(_mm512_load_ps(gate + r * kBlock + c), _mm512_load_ps(up + r * kBlock + c));
      _mm512_store_ps(h + r * width + c, value);
    }
  }
}

// Gate, up, SwiGLU and quantization of one unit of a run.
void hidden_unit(const Run& run, const Rows& x, int64_t unit, float* scratch) {
  const Form& first = run.expert->gate_up.form;
  const Form& second = run.expert->down.form;
  const int64_t width = unit_columns(second), blocks = width / kBlock, half = second.inputs / kBlock;
  float* gate = scratch;
  float* up = gate + run.count * kBlock;
  float* h = up + run.count * kBlock;
  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t block = unit * blocks + b;
    block_product(first, run.expert->gate_up.block(run.index, block), x, run.which, 0, run.count, gate);
    block_product(first, run.expert->gate_up.block(run.index, half + block), x, run.which, 0, run.count, up);
    activate(gate, up, run.count, width, h + b * kBlock);
  }
  const int64_t groups = width / second.group;
  for (int64_t r = 0; r < run.count; ++r) {
    for (int64_t g = 0; g < groups; ++g) {
      __m512 values[kMostGroup / kLanes];
      for (int v = 0; v < second.group / kLanes; ++v) {
        values[v] = _mm512_load_ps(h + r * width + g * second.group + v * kLanes);
      }
      quantize_group(values, second.group, *run.hidden, unit * groups + g, run.first + r);
    }
  }
}

inline void scale_add(float* target, const float* source, float factor, bool add) {
  for (int c = 0; c < kBlock; c += kLanes) {
    const __m512 scaled = _mm512_mul_ps(_mm512_load_ps(source + c), _mm512_set1_ps(factor));
    _mm512_store_ps(target + c, add ? _mm512_add_ps(_mm512_load_ps(target + c), scaled) : scaled);
  }
}

// One block of 64 columns of y for all rows of a chunk.
void down_unit(const std::vector<Run>& runs, const Pairs& pairs, const Mixture& parts, int64_t offset, int64_t rows,
               int64_t block, float* scratch, uint16_t* y, int64_t width) {
  float* total = scratch;
  float* part = total + rows * kBlock;
  if (parts.shared == nullptr) std::fill(total, total + rows * kBlock, 0.0f);
  for (const Run& run : runs) {
    const Matrix& down = run.expert->down;
    block_product(down.form, down.block(run.index, block), *run.hidden, nullptr, run.first, run.count, part);
    for (int64_t r = 0; r < run.count; ++r) {
      if (run.which == nullptr) {
        const float row = parts.shared_scales == nullptr ? 1.0f : parts.shared_scales[offset + r];
        scale_add(total + r * kBlock, part + r * kBlock, parts.shared_scale * row, false);
      } else {
        scale_add(total + run.which[r] * kBlock, part + r * kBlock, pairs.weight[run.first + r], true);
      }
    }
  }
  const int64_t columns = std::min<int64_t>(kBlock, width - block * kBlock);
  for (int64_t r = 0; r < rows; ++r) {
    alignas(64) uint16_t line[kBlock];
    for (int c = 0; c < kBlock; c += kLanes) {
      _mm256_store_si256(reinterpret_cast<__m256i*>(line + c), to_bf16(_mm512_load_ps(total + r * kBlock + c)));
    }
    std::copy(line, line + columns, y + r * width + block * kBlock);
  }
}

struct Plan {
  std::vector<Run> runs;
  std::vector<int64_t> units;  // of the first phase, up to and with each run
  Pairs pairs;
};

void plan_chunk(const Mixture& parts, int64_t first, int64_t rows, const Rows* shared, const Rows* routed,
                Plan& plan) {
  plan.runs.clear();
  plan.units.clear();
  if (parts.shared != nullptr) plan.runs.push_back({parts.shared, 0, nullptr, 0, rows, shared});
  if (parts.routed != nullptr) {
    plan.pairs.sort(parts, first, rows, routed);
    plan.runs.insert(plan.runs.end(), plan.pairs.runs.begin(), plan.pairs.runs.end());
  }
  int64_t units = 0;
  for (const Run& run : plan.runs) {
    units += run.expert->down.form.inputs / unit_columns(run.expert->down.form);
    plan.units.push_back(units);
  }
}

// Room that a chunk needs: quantized x and h, and the floats of one thread.
struct Room {
  RowBuffer x, shared, routed;
};

}  // namespace

void mixture(const Activations& x, const Mixture& parts, uint16_t* y, int threads) {
  static thread_local Room room;
  static thread_local Plan plan;
  const Form& form = (parts.shared != nullptr ? parts.shared : parts.routed)->gate_up.form;
  const int64_t width = form.inputs, blocks = (width + kBlock - 1) / kBlock;
  for (int64_t first = 0; first < x.rows; first += kChunk) {
    const int64_t rows = std::min(kChunk, x.rows - first);
    const Rows inputs = room.x.reserve(rows, width, form.group);
    Rows shared{}, routed{};
    if (parts.shared != nullptr) {
      shared = room.shared.reserve(rows, parts.shared->down.form.inputs, parts.shared->down.form.group);
    }
    if (parts.routed != nullptr) {
      const Form& down = parts.routed->down.form;
      routed = room.routed.reserve(rows * parts.chosen, down.inputs, down.group);
    }
    Plan& chunk = plan;
    plan_chunk(parts, first, rows, &shared, &routed, chunk);
    std::atomic<int64_t> next_hidden{0}, next_down{0};
#pragma omp parallel num_threads(threads)
    {
      static thread_local Buffer tiles;
      auto* scratch = reinterpret_cast<float*>(tiles.reserve(sizeof(float) * rows * 4 * kBlock));
#pragma omp for schedule(static)
      for (int64_t t = 0; t < rows; ++t) {
        for (int64_t g = 0; g < form.groups(); ++g) {
          quantize_bf16(x.data + (first + t) * x.stride, form.group, inputs, g, t);
        }
      }
      const int64_t units = chunk.units.empty() ? 0 : chunk.units.back();
      for (int64_t unit = next_hidden++; unit < units; unit = next_hidden++) {
        const auto at = std::upper_bound(chunk.units.begin(), chunk.units.end(), unit) - chunk.units.begin();
        hidden_unit(chunk.runs[at], inputs, at == 0 ? unit : unit - chunk.units[at - 1], scratch);
      }
#pragma omp barrier
      for (int64_t block = next_down++; block < blocks; block = next_down++) {
        down_unit(chunk.runs, chunk.pairs, parts, first, rows, block, scratch, y + first * width, width);
      }
    }
  }
}

}  // namespace vouch
