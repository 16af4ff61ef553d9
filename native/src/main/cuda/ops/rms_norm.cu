// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// RMS norm: out = in / sqrt(mean(in^2) + epsilon) * gain, bf16 or float32 [rows, columns] to bf16 or e4m3
// [rows, columns] or both, summed in float32.
//
// Launch: a thread block of 256 for each row, which keeps it in registers between the sum and the
// scaling.

#include "../float8/quantize.cuh"
#include "../rows.cuh"
#include "../warp.cuh"
#include "ops.h"

namespace spark_mla {
namespace {

constexpr int kThreads = 256;
constexpr int kChunks = 4;  // of 8 elements a thread
static_assert(kThreads * 8 * kChunks == kMaxNormColumns);

template <typename In>
__global__ void __launch_bounds__(kThreads) rms_norm_kernel(const spark_mla_rms_norm_args p) {
  __shared__ float sums[kThreads / 32];
  launch_dependents();
  // Of the first chunk alone: all of them would take registers that keep more rows under way.
  EightFloats first_gain = {};
  if (threadIdx.x * 8 < p.columns) {
    first_gain = load8(p.gain + threadIdx.x * 8);
  }
  wait_for_previous_kernel();
  const In* from = static_cast<const In*>(p.in) + blockIdx.x * p.in_stride;
  EightFloats chunks[kChunks];
  float sum = 0.f;
#pragma unroll
  for (int c = 0; c < kChunks; ++c) {
    const int at = (c * kThreads + threadIdx.x) * 8;
    if (at < p.columns) {
      chunks[c] = load8(from + at);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        sum = fmaf(chunks[c].value[i], chunks[c].value[i], sum);
      }
    }
  }
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0) {
    sums[threadIdx.x / 32] = sum;
  }
  __syncthreads();
  float total = 0.f;
#pragma unroll
  for (int w = 0; w < kThreads / 32; ++w) {
    total += sums[w];
  }
  const float factor = 1.f / sqrtf(total / p.columns + p.epsilon);
  const GemmRows to = gemm_rows(p);
#pragma unroll
  for (int c = 0; c < kChunks; ++c) {
    if (c * kThreads * 8 >= p.columns) {
      break;
    }
    const int at = (c * kThreads + threadIdx.x) * 8;
    const bool inside = at < p.columns;
    EightFloats normed = {};
    if (inside) {
      const EightFloats gain = c == 0 ? first_gain : load8(p.gain + at);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        normed.value[i] = chunks[c].value[i] * (factor * gain.value[i]);
      }
    }
    store8(to, blockIdx.x, at, inside, normed);
  }
}

}  // namespace

cudaError_t launch_rms_norm(const spark_mla_rms_norm_args& args) {
  return launch_dependent(
      args.in_type == SPARK_MLA_FLOAT32 ? rms_norm_kernel<float> : rms_norm_kernel<__nv_bfloat16>,
      LaunchShape{dim3(args.rows), dim3(kThreads)}, static_cast<cudaStream_t>(args.stream), args);
}

}  // namespace spark_mla
