// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Operations on each element by itself, eight at a time: gated activation, bias, gathering of rows,
// conversion, random numbers.

#include <cuda_fp16.h>

#include "ops.h"
#include "rows.cuh"

namespace spark_mla {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kMostBlocks = 132 * 16;

int blocks_for(int64_t threads) {
  const int64_t blocks = (threads + kThreads - 1) / kThreads;
  return static_cast<int>(blocks < kMostBlocks ? blocks : kMostBlocks);
}

__device__ __forceinline__ int64_t first_index() {
  return static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
}

__device__ __forceinline__ int64_t all_threads() {
  return static_cast<int64_t>(gridDim.x) * kThreads;
}

__global__ void __launch_bounds__(kThreads) gate_kernel(const spark_mla_gate_args p) {
  begin_dependent();
  const int columns = p.width / 8;
  const int64_t count = static_cast<int64_t>(p.rows) * columns;
  for (int64_t i = first_index(); i < count; i += all_threads()) {
    const int64_t row = i / columns;
    const int at = static_cast<int>(i % columns) * 8;
    const __nv_bfloat16* from =
        static_cast<const __nv_bfloat16*>(p.gate_up) + row * p.gate_up_stride + at;
    Eight gate = load_eight(from);
    const Eight up = load_eight(from + p.width);
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      gate.value[j] = gate.value[j] / (1.f + __expf(-gate.value[j])) * up.value[j];
    }
    store_eight(static_cast<__nv_bfloat16*>(p.out) + row * p.out_stride + at, gate);
  }
}

template <typename Out>
__global__ void __launch_bounds__(kThreads) add_bias_kernel(const spark_mla_add_bias_args p) {
  begin_dependent();
  const int columns = p.columns / 8;
  const int64_t count = static_cast<int64_t>(p.rows) * columns;
  for (int64_t i = first_index(); i < count; i += all_threads()) {
    Out* at = static_cast<Out*>(p.out) + i / columns * p.out_stride + i % columns * 8;
    Eight values = load_eight(at);
    const Eight bias = load_eight(p.bias + i % columns * 8);
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      values.value[j] += bias.value[j];
    }
    store_eight(at, values);
  }
}

__global__ void __launch_bounds__(kThreads) gather_rows_kernel(const spark_mla_gather_rows_args p) {
  begin_dependent();
  const int columns = p.columns / 4;
  const int64_t count = static_cast<int64_t>(p.rows) * columns;
  for (int64_t i = first_index(); i < count; i += all_threads()) {
    const int64_t from = static_cast<int64_t>(p.row[i / columns]) * columns + i % columns;
    reinterpret_cast<float4*>(p.out)[i] = reinterpret_cast<const float4*>(p.in)[from];
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

// Number `index` of those that SplitMix64 (Steele, Lea and Flood 2014) gives from `seed` on.
__device__ __forceinline__ uint64_t split_mix(uint64_t seed, uint64_t index) {
  uint64_t bits = seed + (index + 1) * 0x9e3779b97f4a7c15ull;
  bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9ull;
  bits = (bits ^ bits >> 27) * 0x94d049bb133111ebull;
  return bits ^ bits >> 31;
}

template <typename Out>
__global__ void __launch_bounds__(kThreads) random_kernel(const spark_mla_random_args p) {
  begin_dependent();
  const float factor = __fmul_rn(p.deviation, 1.7320508f);
  for (int64_t i = first_index(); i < p.count; i += all_threads()) {
    const float unit = static_cast<float>(split_mix(p.seed, i) >> 40) * 0x1p-24f;
    const float value = __fadd_rn(p.mean, __fmul_rn(factor, __fadd_rn(2.f * unit, -1.f)));
    assign(static_cast<Out*>(p.out) + i, __bfloat162float(__float2bfloat16_rn(value)));
  }
}

template <typename In>
cudaError_t launch_convert_from(const spark_mla_convert_args& args) {
  const In* in = static_cast<const In*>(args.in);
  if (args.out_type == SPARK_MLA_FLOAT32) {
    return launch_dependent(convert_kernel<In, float>, blocks_for(args.count), kThreads, args.stream,
                            in, static_cast<float*>(args.out), args.count);
  }
  return launch_dependent(convert_kernel<In, __nv_bfloat16>, blocks_for(args.count), kThreads,
                          args.stream, in, static_cast<__nv_bfloat16*>(args.out), args.count);
}

}  // namespace

cudaError_t launch_gate(const spark_mla_gate_args& args) {
  return launch_dependent(gate_kernel, blocks_for(static_cast<int64_t>(args.rows) * args.width / 8),
                          kThreads, args.stream, args);
}

cudaError_t launch_add_bias(const spark_mla_add_bias_args& args) {
  return launch_dependent(
      args.out_type == SPARK_MLA_FLOAT32 ? add_bias_kernel<float> : add_bias_kernel<__nv_bfloat16>,
      blocks_for(static_cast<int64_t>(args.rows) * args.columns / 8), kThreads, args.stream, args);
}

cudaError_t launch_gather_rows(const spark_mla_gather_rows_args& args) {
  return launch_dependent(gather_rows_kernel,
                          blocks_for(static_cast<int64_t>(args.rows) * args.columns / 4), kThreads,
                          args.stream, args);
}

cudaError_t launch_convert(const spark_mla_convert_args& args) {
  if (args.in_type == SPARK_MLA_FLOAT32) {
    return launch_convert_from<float>(args);
  }
  return args.in_type == SPARK_MLA_FLOAT16 ? launch_convert_from<__half>(args)
                                           : launch_convert_from<__nv_bfloat16>(args);
}

cudaError_t launch_random(const spark_mla_random_args& args) {
  return launch_dependent(
      args.out_type == SPARK_MLA_FLOAT32 ? random_kernel<float> : random_kernel<__nv_bfloat16>,
      blocks_for(args.count), kThreads, args.stream, args);
}

}  // namespace spark_mla
