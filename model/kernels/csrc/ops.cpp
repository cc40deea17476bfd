// The operations as torch sees them: every size is checked here, since the kernels trust theirs.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <sys/mman.h>
#include <torch/library.h>

#include "kernels.h"

namespace vouch {
namespace {

// bits, group, experts, outputs, inputs, zeros, wide
Form form_of(at::IntArrayRef numbers) {
  TORCH_CHECK_VALUE(numbers.size() == 7, "a form has 7 numbers, not ", numbers.size());
  const Form form{static_cast<int>(numbers[0]), static_cast<int>(numbers[1]), numbers[2], numbers[3],
                  numbers[4], numbers[5] != 0, numbers[6] != 0};
  TORCH_CHECK_VALUE(form.bits == 4 || form.bits == 8, form.bits, " bits");
  TORCH_CHECK_VALUE(form.group == 32 || form.group == 64 || form.group == 128, "groups of ", form.group);
  TORCH_CHECK_VALUE(form.experts > 0 && form.outputs > 0 && form.inputs > 0 && form.inputs % form.group == 0,
                    form.experts, " x ", form.outputs, " x ", form.inputs, " in groups of ", form.group);
  return form;
}

Matrix matrix_of(const at::Tensor& blocks, at::IntArrayRef numbers) {
  const Form form = form_of(numbers);
  TORCH_CHECK_VALUE(blocks.is_contiguous() && blocks.scalar_type() == at::kByte &&
                        blocks.numel() == form.experts * form.matrix_bytes(),
                    blocks.numel(), " bytes of packed weights, ", form.experts * form.matrix_bytes(), " are needed");
  return {blocks.const_data_ptr<uint8_t>(), form};
}

Activations activations_of(const at::Tensor& x, int64_t inputs) {
  TORCH_CHECK_VALUE(x.dim() == 2 && x.size(1) == inputs && x.scalar_type() == at::kBFloat16 && x.stride(1) == 1,
                    "activations must be bfloat16 of shape (T, ", inputs, "), rows contiguous");
  return {reinterpret_cast<const uint16_t*>(x.const_data_ptr<at::BFloat16>()), x.size(0), x.stride(0)};
}

uint16_t* result_of(at::Tensor& y) { return reinterpret_cast<uint16_t*>(y.data_ptr<at::BFloat16>()); }

// Reading hundreds of megabytes a token in pages of 4 KB misses the address cache at each; the kernel gives 2 MB where
// it can. A wish: when it is not granted nothing is lost but speed.
void wish_huge_pages(void* data, size_t bytes) {
  constexpr uintptr_t kPage = 4096;
  const auto begin = (reinterpret_cast<uintptr_t>(data) + kPage - 1) / kPage * kPage;
  const auto end = (reinterpret_cast<uintptr_t>(data) + bytes) / kPage * kPage;
  if (end > begin) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
}

at::Tensor pack_op(const at::Tensor& values, const at::Tensor& scales, const std::optional<at::Tensor>& zeros,
                   at::IntArrayRef numbers) {
  const Form form = form_of(numbers);
  const int64_t count = form.experts * form.outputs * form.groups();
  TORCH_CHECK_VALUE(values.is_contiguous() && values.scalar_type() == at::kByte &&
                        values.numel() == form.experts * form.outputs * form.inputs * form.bits / 8,
                    "values must be contiguous bytes of the form");
  TORCH_CHECK_VALUE(scales.is_contiguous() && scales.numel() == count &&
                        scales.scalar_type() == (form.wide ? at::kFloat : at::kBFloat16),
                    "scales must be contiguous and of the form");
  TORCH_CHECK_VALUE(form.zeros == zeros.has_value(), "zero points do not go with the form");
  if (zeros) {
    TORCH_CHECK_VALUE(zeros->is_contiguous() && zeros->scalar_type() == at::kByte && zeros->numel() == count,
                      "zero points must be contiguous bytes of the form");
  }
  at::Tensor target = at::empty({form.experts, form.blocks(), form.block_bytes()}, values.options());
  wish_huge_pages(target.data_ptr(), target.nbytes());
  pack(form, values.const_data_ptr<uint8_t>(), scales.const_data_ptr(),
       zeros ? zeros->const_data_ptr<uint8_t>() : nullptr, target.data_ptr<uint8_t>(), at::get_num_threads());
  return target;
}

at::Tensor linear_op(const at::Tensor& x, const at::Tensor& blocks, at::IntArrayRef numbers,
                     const std::optional<at::Tensor>& bias) {
  const Matrix matrix = matrix_of(blocks, numbers);
  const Activations rows = activations_of(x, matrix.form.inputs);
  Bias shift{nullptr, Number::kF32};
  if (bias) {
    TORCH_CHECK_VALUE(bias->is_contiguous() && bias->numel() == matrix.form.outputs &&
                          (bias->scalar_type() == at::kFloat || bias->scalar_type() == at::kBFloat16),
                      "a bias must be contiguous bfloat16 or float, one number an output");
    shift = {bias->const_data_ptr(), bias->scalar_type() == at::kFloat ? Number::kF32 : Number::kBf16};
  }
  at::Tensor y = at::empty({rows.rows, matrix.form.outputs}, x.options());
  if (rows.rows > 0) linear(rows, matrix, shift, result_of(y), at::get_num_threads());
  return y;
}

std::optional<Expert> expert_of(const std::optional<at::Tensor>& gate_up, at::IntArrayRef first,
                                const std::optional<at::Tensor>& down, at::IntArrayRef second) {
  TORCH_CHECK_VALUE(gate_up.has_value() == down.has_value(), "an expert has both matrices or none");
  if (!gate_up) return std::nullopt;
  const Expert expert{matrix_of(*gate_up, first), matrix_of(*down, second)};
  const Form &a = expert.gate_up.form, &b = expert.down.form;
  TORCH_CHECK_VALUE(a.experts == b.experts && a.outputs == 2 * b.inputs && a.inputs == b.outputs,
                    "the two matrices of an expert do not fit each other");
  TORCH_CHECK_VALUE(b.inputs % kBlock == 0, "the width of an expert must be a multiple of ", kBlock);
  return expert;
}

void check_choice(const at::Tensor& experts, const at::Tensor& weights, int64_t rows, int64_t count) {
  TORCH_CHECK_VALUE(experts.dim() == 2 && experts.size(0) == rows && experts.scalar_type() == at::kLong &&
                        experts.is_contiguous() && weights.sizes() == experts.sizes() &&
                        weights.scalar_type() == at::kFloat && weights.is_contiguous(),
                    "experts must be int64, weights float, both contiguous of shape (T, K)");
  const int64_t* chosen = experts.const_data_ptr<int64_t>();
  for (int64_t p = 0; p < experts.numel(); ++p) {
    TORCH_CHECK_INDEX(chosen[p] >= 0 && chosen[p] < count, "expert ", chosen[p], " of ", count);
  }
}

at::Tensor mixture_op(const at::Tensor& x, const std::optional<at::Tensor>& shared_gate_up,
                      at::IntArrayRef shared_gate_up_form, const std::optional<at::Tensor>& shared_down,
                      at::IntArrayRef shared_down_form, double shared_scale,
                      const std::optional<at::Tensor>& shared_scales, const std::optional<at::Tensor>& gate_up,
                      at::IntArrayRef gate_up_form, const std::optional<at::Tensor>& down, at::IntArrayRef down_form,
                      const std::optional<at::Tensor>& experts, const std::optional<at::Tensor>& weights) {
  const auto shared = expert_of(shared_gate_up, shared_gate_up_form, shared_down, shared_down_form);
  const auto routed = expert_of(gate_up, gate_up_form, down, down_form);
  TORCH_CHECK_VALUE(shared || routed, "a mixture of no experts");
  const Form& form = (shared ? *shared : *routed).gate_up.form;
  const Activations rows = activations_of(x, form.inputs);
  Mixture parts{shared ? &*shared : nullptr, static_cast<float>(shared_scale), nullptr, nullptr, nullptr, nullptr, 0};
  if (shared_scales) {
    TORCH_CHECK_VALUE(shared_scales->is_contiguous() && shared_scales->scalar_type() == at::kFloat &&
                          shared_scales->numel() == rows.rows, "shared scales must be contiguous floats, one a row");
    parts.shared_scales = shared_scales->const_data_ptr<float>();
  }
  if (routed) {
    TORCH_CHECK_VALUE(experts && weights, "routed experts without a choice");
    TORCH_CHECK_VALUE(routed->gate_up.form.inputs == form.inputs && routed->gate_up.form.group == form.group,
                      "shared and routed experts must read the same groups of inputs");
    check_choice(*experts, *weights, rows.rows, routed->gate_up.form.experts);
    parts.routed = &*routed;
    parts.experts = experts->const_data_ptr<int64_t>();
    parts.weights = weights->const_data_ptr<float>();
    parts.chosen = experts->size(1);
  }
  at::Tensor y = at::empty({rows.rows, form.inputs}, x.options());
  if (rows.rows > 0) mixture(rows, parts, result_of(y), at::get_num_threads());
  return y;
}

at::Tensor embed_op(const at::Tensor& ids, const at::Tensor& blocks, at::IntArrayRef numbers) {
  const Matrix matrix = matrix_of(blocks, numbers);
  TORCH_CHECK_VALUE(ids.dim() == 1 && ids.is_contiguous() && ids.scalar_type() == at::kLong,
                    "ids must be int64, contiguous, in one dimension");
  const int64_t* id = ids.const_data_ptr<int64_t>();
  for (int64_t t = 0; t < ids.size(0); ++t) {
    TORCH_CHECK_INDEX(id[t] >= 0 && id[t] < matrix.form.outputs, "row ", id[t], " of ", matrix.form.outputs);
  }
  at::Tensor y = at::empty({ids.size(0), matrix.form.inputs}, ids.options().dtype(at::kBFloat16));
  embed(id, ids.size(0), matrix, result_of(y), at::get_num_threads());
  return y;
}

int64_t read_op(const at::Tensor& data) {
  TORCH_CHECK_VALUE(data.is_contiguous() && data.scalar_type() == at::kByte, "contiguous bytes are read");
  return static_cast<int64_t>(read_all(data.const_data_ptr<uint8_t>(), data.numel(), at::get_num_threads()));
}

}  // namespace

TORCH_LIBRARY(vouch_cpu, library) {
  library.def("pack(Tensor values, Tensor scales, Tensor? zeros, int[] form) -> Tensor");
  library.def("linear(Tensor x, Tensor blocks, int[] form, Tensor? bias) -> Tensor");
  library.def(
      "mixture(Tensor x, Tensor? shared_gate_up, int[] shared_gate_up_form, Tensor? shared_down, "
      "int[] shared_down_form, float shared_scale, Tensor? shared_scales, Tensor? gate_up, int[] gate_up_form, "
      "Tensor? down, int[] down_form, Tensor? experts, Tensor? weights) -> Tensor");
  library.def("embed(Tensor ids, Tensor blocks, int[] form) -> Tensor");
  library.def("read(Tensor data) -> int");
}

TORCH_LIBRARY_IMPL(vouch_cpu, CPU, library) {
  library.impl("pack", pack_op);
  library.impl("linear", linear_op);
  library.impl("mixture", mixture_op);
  library.impl("embed", embed_op);
  library.impl("read", read_op);
}

}  // namespace vouch
