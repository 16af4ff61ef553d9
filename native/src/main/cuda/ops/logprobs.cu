// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Log probabilities of each row's chosen token and of its likeliest tokens: log softmax of float32
// [rows, columns].
//
// Launch: a thread block of 1024 for each row that asks for them. Each thread holds the first of its
// logits, in falling order, that is not reported yet; the block finds the first of these, and the thread
// that held it reads its logits again. So a row is read twice, and a thread's share of it once more for each
// token that is reported. Sums are added in an order that follows from the number of columns alone.

#include <math_constants.h>

#include "../warp.cuh"
#include "ops.h"
#include "../rows.cuh"

namespace spark_mla {
namespace {

constexpr int kThreads = 1024;
constexpr int kWarps = kThreads / 32;

// Logit and id in one number, larger for what comes first: the larger logit, the lower id among equals.
using Rank = unsigned long long;
constexpr Rank kFirst = ~0ull;
constexpr Rank kNone = 0;

__device__ __forceinline__ Rank rank_of(float logit, int id) {
  const uint32_t bits = __float_as_uint(logit + 0.f);  // both zeros are equal
  const uint32_t ascending = bits ^ (bits >> 31 ? 0xffffffffu : 0x80000000u);
  return static_cast<Rank>(ascending) << 32 | (0xffffffffu - static_cast<uint32_t>(id));
}

__device__ __forceinline__ int id_of(Rank rank) {
  return static_cast<int>(0xffffffffu - static_cast<uint32_t>(rank));
}

__device__ __forceinline__ float logit_of(Rank rank) {
  const uint32_t ascending = static_cast<uint32_t>(rank >> 32);
  return __uint_as_float(ascending ^ (ascending >> 31 ? 0x80000000u : 0xffffffffu));
}

// The first of the thread's logits that comes after another; kNone where there is none.
__device__ Rank first_after(const float* logits, int columns, Rank last) {
  Rank first = kNone;
  for (int i = threadIdx.x; i < columns; i += kThreads) {
    const Rank rank = rank_of(logits[i], i);
    first = rank < last ? max(first, rank) : first;
  }
  return first;
}

// The first of all threads' ranks, in every thread.
__device__ Rank first_of_block(Rank* shared, Rank rank) {
  rank = warp_max(rank);
  __syncthreads();
  if (threadIdx.x % 32 == 0) {
    shared[threadIdx.x / 32] = rank;
  }
  __syncthreads();
  return warp_max(shared[threadIdx.x % 32]);
}

// The logarithm of the sum of the logits' exponentials, in every thread.
__device__ float log_sum_exp(float* shared, const float* logits, int columns, float largest) {
  float sum = 0.f;
  for (int i = threadIdx.x; i < columns; i += kThreads) {
    sum += expf(logits[i] - largest);
  }
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0) {
    shared[threadIdx.x / 32] = sum;
  }
  __syncthreads();
  return largest + logf(warp_sum(shared[threadIdx.x % 32]));
}

__global__ void __launch_bounds__(kThreads) logprobs_kernel(const spark_mla_logprobs_args p) {
  __shared__ Rank ranks[kWarps];
  __shared__ float sums[kWarps];
  begin_dependent();
  const int token = p.tokens[blockIdx.x];
  const int count = min(p.sampling[blockIdx.x].logprobs, SPARK_MLA_MOST_LOGPROBS);
  if (count < 0 || token < 0 || token >= p.columns) {
    return;
  }
  const float* logits = p.logits + blockIdx.x * p.logits_stride;
  int32_t* out = p.out + static_cast<int64_t>(blockIdx.x) * SPARK_MLA_LOGPROB_WORDS;
  Rank mine = first_after(logits, p.columns, kFirst);
  Rank next = first_of_block(ranks, mine);
  const float normalizer = log_sum_exp(sums, logits, p.columns, logit_of(next));
  if (threadIdx.x == 0) {
    out[0] = __float_as_int(logits[token] - normalizer);
  }
  for (int i = 0; i < count; ++i) {
    if (threadIdx.x == 0) {
      out[1 + 2 * i] = next == kNone ? SPARK_MLA_NO_TOKEN : id_of(next);
      out[2 + 2 * i] = __float_as_int(logit_of(next) - normalizer);
    }
    if (mine == next && mine != kNone) {
      mine = first_after(logits, p.columns, next);
    }
    next = first_of_block(ranks, mine);
  }
}

}  // namespace

cudaError_t launch_logprobs(const spark_mla_logprobs_args& args) {
  return launch_dependent(logprobs_kernel, LaunchShape{dim3(args.rows), dim3(kThreads)},
                          static_cast<cudaStream_t>(args.stream), args);
}

}  // namespace spark_mla
