// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Operations on each element by itself:
//   gate_kernel         silu(gate) * up, bf16 [rows, 2 * width] to bf16 or e4m3 [rows, width] or both
//   add_bias_kernel     float32 [columns] added to every row of bf16 or float32 [rows, columns]
//   gather_rows_kernel  rows of float32 [in_rows, columns] by their numbers
//   convert_kernel      a vector to another type
//
// Launch: thread blocks of 256, at most kMaxBlocks of them, that stride over the elements: eight
// columns a thread in gate and bias, four in gather, one element in the others.

#include <cuda_fp16.h>

#include "../float8/float8.h"
#include "../float8/quantize.cuh"
#include "../rows.cuh"
#include "ops.h"

namespace spark_mla {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kMaxBlocks = 132 * 16;  // 16 for each multiprocessor of an H100

LaunchShape shape_for(int64_t threads) {
  const int64_t blocks = (threads + kThreads - 1) / kThreads;
  return {dim3(static_cast<unsigned>(blocks < kMaxBlocks ? blocks : kMaxBlocks)), dim3(kThreads)};
}

LaunchShape shape_for(int64_t rows, int64_t row_threads) { return shape_for(rows * row_threads); }

__device__ __forceinline__ int64_t first_index() {
  return static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
}

__device__ __forceinline__ int64_t all_threads() {
  return static_cast<int64_t>(gridDim.x) * kThreads;
}

// Threads of a row of gate_kernel: 16 for each 128 columns, which share a scale.
__host__ __device__ constexpr int gate_row_threads(int width) {
  return float8_blocks(width) * (kScaleColumns / 8);
}

__global__ void __launch_bounds__(kThreads) gate_kernel(const spark_mla_gate_args p) {
  begin_dependent();
  const GemmRows to = gemm_rows(p);
  const int threads = gate_row_threads(p.width);
  const int64_t count = static_cast<int64_t>(p.rows) * threads;
  // Whole warps stay in the loop until all their lanes are past the end.
  for (int64_t i = first_index(); i - threadIdx.x % 32 < count; i += all_threads()) {
    const int64_t row = i / threads;
    const int at = static_cast<int>(i % threads) * 8;
    const bool inside = i < count && at < p.width;
    EightFloats gate = {};
    if (inside) {
      const __nv_bfloat16* from =
          static_cast<const __nv_bfloat16*>(p.gate_up) + row * p.gate_up_stride + at;
      gate = load8(from);
      const EightFloats up = load8(from + p.width);
#pragma unroll
      for (int j = 0; j < 8; ++j) {
        gate.value[j] = gate.value[j] / (1.f + __expf(-gate.value[j])) * up.value[j];
      }
    }
    store8(to, row, at, inside, gate);
  }
}

template <typename Out>
__global__ void __launch_bounds__(kThreads) add_bias_kernel(const spark_mla_add_bias_args p) {
  begin_dependent();
  const int columns = p.columns / 8;
  const int64_t count = static_cast<int64_t>(p.rows) * columns;
  for (int64_t i = first_index(); i < count; i += all_threads()) {
    Out* at = static_cast<Out*>(p.out) + i / columns * p.out_stride + i % columns * 8;
    EightFloats values = load8(at);
    const EightFloats bias = load8(p.bias + i % columns * 8);
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      values.value[j] += bias.value[j];
    }
    store8(at, values);
  }
}

__global__ void __launch_bounds__(kThreads) gather_rows_kernel(const spark_mla_gather_rows_args p) {
  begin_dependent();
  const int columns = p.columns / 4;
  const int64_t count = static_cast<int64_t>(p.rows) * columns;
  for (int64_t i = first_index(); i < count; i += all_threads()) {
    const int row = p.row[i / columns];
    const int64_t inside = row >= 0 && row < p.in_rows ? row : 0;
    reinterpret_cast<float4*>(p.out)[i] =
        reinterpret_cast<const float4*>(p.in)[inside * columns + i % columns];
  }
}

__device__ __forceinline__ void assign(__nv_bfloat16* to, float value) {
  *to = __float2bfloat16_rn(value);
}

__device__ __forceinline__ void assign(float* to, float value) { *to = value; }

template <typename In, typename Out>
__global__ void __launch_bounds__(kThreads) convert_kernel(const In* in, Out* out, int64_t count) {
  begin_dependent();
  for (int64_t i = first_index(); i < count; i += all_threads()) {
    assign(out + i, static_cast<float>(in[i]));
  }
}

template <typename In>
cudaError_t launch_convert_from(const spark_mla_convert_args& args) {
  const In* in = static_cast<const In*>(args.in);
  const LaunchShape shape = shape_for(args.count);
  const auto stream = static_cast<cudaStream_t>(args.stream);
  if (args.out_type == SPARK_MLA_FLOAT32) {
    return launch_dependent(convert_kernel<In, float>, shape, stream, in,
                            static_cast<float*>(args.out), args.count);
  }
  return launch_dependent(convert_kernel<In, __nv_bfloat16>, shape, stream, in,
                          static_cast<__nv_bfloat16*>(args.out), args.count);
}

}  // namespace

cudaError_t launch_gate(const spark_mla_gate_args& args) {
  return launch_dependent(gate_kernel, shape_for(args.rows, gate_row_threads(args.width)),
                          static_cast<cudaStream_t>(args.stream), args);
}

cudaError_t launch_add_bias(const spark_mla_add_bias_args& args) {
  return launch_dependent(
      args.out_type == SPARK_MLA_FLOAT32 ? add_bias_kernel<float> : add_bias_kernel<__nv_bfloat16>,
      shape_for(args.rows, args.columns / 8), static_cast<cudaStream_t>(args.stream), args);
}

cudaError_t launch_gather_rows(const spark_mla_gather_rows_args& args) {
  return launch_dependent(gather_rows_kernel, shape_for(args.rows, args.columns / 4),
                          static_cast<cudaStream_t>(args.stream), args);
}

cudaError_t launch_convert(const spark_mla_convert_args& args) {
  if (args.in_type == SPARK_MLA_FLOAT32) {
    return launch_convert_from<float>(args);
  }
  return args.in_type == SPARK_MLA_FLOAT16 ? launch_convert_from<__half>(args)
                                           : launch_convert_from<__nv_bfloat16>(args);
}

}  // namespace spark_mla
