// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Prefill attention written plainly: float32 arithmetic on CUDA cores, one block for each query row
// of each head, any dimensions. It is what tests compare the tensor core kernel with.

#include <cuda_bf16.h>
#include <math_constants.h>

#include "../warp.cuh"
#include "mla_prefill.h"

namespace spark_mla {
namespace {

constexpr int kThreads = 128;  // also the keys scored before the running maximum moves on
constexpr int kWarps = kThreads / 32;
constexpr int kMaxColumns = 8;  // of the output for one thread: value_dim up to kThreads * this

template <bool kMaximum>
__device__ float over_block(float value, float* scratch) {
  value = kMaximum ? warp_max(value) : warp_sum(value);
  __syncthreads();
  scratch[threadIdx.x / 32] = value;
  __syncthreads();
  value = scratch[0];
  for (int warp = 1; warp < kWarps; ++warp) {
    value = kMaximum ? fmaxf(value, scratch[warp]) : value + scratch[warp];
  }
  return value;
}

// Grid: (total_q, heads). Shared memory: the query, kThreads weights, kWarps.
__global__ void __launch_bounds__(kThreads)
    prefill_reference_kernel(const spark_mla_prefill_args a) {
  extern __shared__ float shared[];
  const int dim = a.nope_dim + a.rope_dim;
  float* query = shared;
  float* weights = query + dim;
  float* scratch = weights + kThreads;
  const int row = blockIdx.x;
  const int head = blockIdx.y;
  if (row >= a.cu_q[a.segments]) {
    return;
  }
  int segment = 0;
  while (a.cu_q[segment + 1] <= row) {
    ++segment;
  }
  const int first = a.cu_k[segment];
  const int visible = max(0, min(a.cu_k[segment + 1] - first,
                                 row - a.cu_q[segment] + a.q_offset[segment] + 1));
  const auto* q = static_cast<const __nv_bfloat16*>(a.q) + row * a.q_stride_token +
                  head * a.q_stride_head;
  const auto* kv = static_cast<const __nv_bfloat16*>(a.kv) + head * a.kv_stride_head;
  const auto* rope = static_cast<const __nv_bfloat16*>(a.k_rope);
  for (int i = threadIdx.x; i < dim; i += kThreads) {
    query[i] = __bfloat162float(q[i]);
  }

  float out[kMaxColumns] = {};
  float maximum = -CUDART_INF_F;
  float sum = 0.f;
  for (int start = 0; start < visible; start += kThreads) {
    __syncthreads();
    const int count = min(kThreads, visible - start);
    float score = -CUDART_INF_F;
    if (threadIdx.x < count) {
      const int64_t key = first + start + threadIdx.x;
      float dot = 0.f;
      for (int i = 0; i < a.nope_dim; ++i) {
        dot = fmaf(query[i], __bfloat162float(kv[key * a.kv_stride_token + i]), dot);
      }
      for (int i = 0; i < a.rope_dim; ++i) {
        dot = fmaf(query[a.nope_dim + i],
                   __bfloat162float(rope[key * a.k_rope_stride_token + i]), dot);
      }
      score = dot * a.softmax_scale;
    }
    const float top = fmaxf(maximum, over_block<true>(score, scratch));
    const float factor = expf(maximum - top);
    const float weight = expf(score - top);
    maximum = top;
    weights[threadIdx.x] = weight;
    sum = sum * factor + over_block<false>(weight, scratch);
#pragma unroll
    for (int j = 0; j < kMaxColumns; ++j) {
      const int column = threadIdx.x + j * kThreads;
      if (column < a.value_dim) {
        out[j] *= factor;
        for (int i = 0; i < count; ++i) {
          const int64_t key = first + start + i;
          out[j] = fmaf(weights[i],
                        __bfloat162float(kv[key * a.kv_stride_token + a.nope_dim + column]),
                        out[j]);
        }
      }
    }
  }
#pragma unroll
  for (int j = 0; j < kMaxColumns; ++j) {
    const int column = threadIdx.x + j * kThreads;
    if (column < a.value_dim) {
      static_cast<float*>(a.out)[row * a.out_stride_token + head * a.out_stride_head + column] =
          visible == 0 ? 0.f : out[j] / sum;
    }
  }
  if (threadIdx.x == 0) {
    a.lse[static_cast<int64_t>(head) * a.total_q + row] =
        visible == 0 ? CUDART_INF_F : maximum + logf(sum);
  }
}

}  // namespace

cudaError_t launch_prefill_reference(const spark_mla_prefill_args& args) {
  const size_t shared = sizeof(float) * (args.nope_dim + args.rope_dim + kThreads + kWarps);
  const dim3 grid(args.total_q, args.heads);
  prefill_reference_kernel<<<grid, kThreads, shared, static_cast<cudaStream_t>(args.stream)>>>(
      args);
  return cudaGetLastError();
}

}  // namespace spark_mla
