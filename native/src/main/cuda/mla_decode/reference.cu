// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// MLA decode written plainly: float32 arithmetic on CUDA cores, one pass over the keys, any shape
// and dimensions. It is what tests compare the tensor core kernel with.

#include <cuda_bf16.h>
#include <math_constants.h>

#include <algorithm>

#include "../warp.cuh"
#include "mla_decode.h"

namespace spark_mla {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
constexpr int kRows = 8;    // query rows of one block
constexpr int kTokens = 32;  // keys scored before the running maximum moves on
constexpr int kMaxPairsPerThread = 2;  // latent_dim up to 2 * kThreads * this

struct ReferenceArgs {
  spark_mla_decode_args args;
  int rows;  // s_q * group
  int group;
};

// Grid: (row tiles, h_kv, batch). Shared memory: kRows queries, kRows x kTokens scores, 3 x kRows.
__global__ void __launch_bounds__(kThreads) decode_reference_kernel(const ReferenceArgs p) {
  extern __shared__ float shared[];
  const spark_mla_decode_args& a = p.args;
  const int dim = a.latent_dim + a.rope_dim;
  float* queries = shared;
  float* scores = queries + kRows * dim;
  float* maxima = scores + kRows * kTokens;
  float* sums = maxima + kRows;
  float* factors = sums + kRows;

  const int batch = blockIdx.z;
  const int head_kv = blockIdx.y;
  const int first_row = blockIdx.x * kRows;
  const int warp = threadIdx.x / 32;
  const int lane = threadIdx.x % 32;
  const int length = a.cache_seqlens[batch];
  const auto* q = static_cast<const __nv_bfloat16*>(a.q);
  const auto* cache = static_cast<const __nv_bfloat16*>(a.k_cache);

  for (int i = threadIdx.x; i < kRows * dim; i += kThreads) {
    const int row = first_row + i / dim;
    float value = 0.f;
    if (row < p.rows) {
      value = __bfloat162float(q[batch * a.q_stride_batch + (row / p.group) * a.q_stride_token +
                                 (head_kv * p.group + row % p.group) * a.q_stride_head + i % dim]);
    }
    queries[i] = value;
  }
  if (threadIdx.x < kRows) {
    maxima[threadIdx.x] = -CUDART_INF_F;
    sums[threadIdx.x] = 0.f;
  }

  float2 acc[kRows][kMaxPairsPerThread] = {};
  for (int first = 0; first < length; first += kTokens) {
    const int count = min(kTokens, length - first);
    __syncthreads();
    for (int t = warp; t < count; t += kWarps) {
      const int token = first + t;
      const int page = a.block_table[batch * a.block_table_stride + token / SPARK_MLA_PAGE_TOKENS];
      const __nv_bfloat16* key = cache + page * a.k_cache_stride_block +
                                 (token % SPARK_MLA_PAGE_TOKENS) * a.k_cache_stride_token +
                                 head_kv * a.k_cache_stride_head;
      float dot[kRows] = {};
      for (int i = lane; i < dim; i += 32) {
        const float k = __bfloat162float(key[i]);
#pragma unroll
        for (int r = 0; r < kRows; ++r) {
          dot[r] = fmaf(queries[r * dim + i], k, dot[r]);
        }
      }
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        dot[r] = warp_sum(dot[r]);
        const int query_token = (first_row + r) / p.group;
        const int visible =
            (a.flags & SPARK_MLA_CAUSAL) != 0 ? length - (a.s_q - 1 - query_token) : length;
        if (lane == 0) {
          scores[r * kTokens + t] = token < visible ? dot[r] * a.softmax_scale : -CUDART_INF_F;
        }
      }
    }
    __syncthreads();
    if (threadIdx.x < kRows) {
      const int r = threadIdx.x;
      float top = maxima[r];
      for (int t = 0; t < count; ++t) {
        top = fmaxf(top, scores[r * kTokens + t]);
      }
      const float base = top == -CUDART_INF_F ? 0.f : top;
      const float factor = expf(maxima[r] - base);
      float sum = sums[r] * factor;
      for (int t = 0; t < count; ++t) {
        const float weight = expf(scores[r * kTokens + t] - base);
        scores[r * kTokens + t] = weight;
        sum += weight;
      }
      maxima[r] = top;
      sums[r] = sum;
      factors[r] = factor;
    }
    __syncthreads();
#pragma unroll
    for (int j = 0; j < kMaxPairsPerThread; ++j) {
      const int column = 2 * (threadIdx.x + j * kThreads);
      if (column >= a.latent_dim) {
        break;
      }
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        acc[r][j].x *= factors[r];
        acc[r][j].y *= factors[r];
      }
      for (int t = 0; t < count; ++t) {
        const int token = first + t;
        const int page =
            a.block_table[batch * a.block_table_stride + token / SPARK_MLA_PAGE_TOKENS];
        const float2 v = __bfloat1622float2(*reinterpret_cast<const __nv_bfloat162*>(
            cache + page * a.k_cache_stride_block +
            (token % SPARK_MLA_PAGE_TOKENS) * a.k_cache_stride_token +
            head_kv * a.k_cache_stride_head + column));
#pragma unroll
        for (int r = 0; r < kRows; ++r) {
          const float weight = scores[r * kTokens + t];
          acc[r][j].x = fmaf(weight, v.x, acc[r][j].x);
          acc[r][j].y = fmaf(weight, v.y, acc[r][j].y);
        }
      }
    }
  }
  __syncthreads();

#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    const int row = first_row + r;
    if (row >= p.rows) {
      break;
    }
    const int query_token = row / p.group;
    const int head = head_kv * p.group + row % p.group;
    const bool empty = sums[r] == 0.f;
    const float inverse = empty ? 0.f : 1.f / sums[r];
    float* out = static_cast<float*>(a.out) + batch * a.out_stride_batch +
                 query_token * a.out_stride_token + head * a.out_stride_head;
#pragma unroll
    for (int j = 0; j < kMaxPairsPerThread; ++j) {
      const int column = 2 * (threadIdx.x + j * kThreads);
      if (column < a.latent_dim) {
        *reinterpret_cast<float2*>(out + column) =
            make_float2(acc[r][j].x * inverse, acc[r][j].y * inverse);
      }
    }
    if (threadIdx.x == 0) {
      a.lse[(static_cast<int64_t>(batch) * a.h_q + head) * a.s_q + query_token] =
          empty ? CUDART_INF_F : maxima[r] + logf(sums[r]);
    }
  }
}

}  // namespace

cudaError_t launch_decode_reference(const spark_mla_decode_args& args) {
  const int group = args.h_q / args.h_kv;
  const int rows = args.s_q * group;
  const size_t shared =
      sizeof(float) * (kRows * (args.latent_dim + args.rope_dim) + kRows * kTokens + 3 * kRows);
  const dim3 grid((rows + kRows - 1) / kRows, args.h_kv, args.batch);
  decode_reference_kernel<<<grid, kThreads, shared, static_cast<cudaStream_t>(args.stream)>>>(
      ReferenceArgs{args, rows, group});
  return cudaGetLastError();
}

}  // namespace spark_mla
