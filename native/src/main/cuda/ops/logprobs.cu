// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Log probabilities of each row's chosen token and of its likeliest tokens: log softmax of float32
// [rows, columns].
//
// Launch: a thread block of 1024 for each row that asks for them. Each thread holds the first of its
// logits, in falling order, that is not reported yet; the block finds the first of these, and the thread
// that held it reads its logits again. So a row is read three times, whatever number of tokens it asks
// for. Sums are added in an order that follows from the number of columns alone.

#include <limits.h>
#include <math_constants.h>

#include "../warp.cuh"
#include "ops.h"
#include "../rows.cuh"

namespace spark_mla {
namespace {

constexpr int kThreads = 1024;
constexpr int kWarps = kThreads / 32;

struct Candidate {
  float logit;
  int id;
};

// Falling logits; the lower id among equals.
__device__ __forceinline__ bool comes_before(Candidate one, Candidate other) {
  return one.logit > other.logit || (one.logit == other.logit && one.id < other.id);
}

// The thread's first logit that comes after another.
__device__ Candidate first_after(const float* logits, int columns, Candidate last) {
  Candidate first{-CUDART_INF_F, INT_MAX};
  for (int i = threadIdx.x; i < columns; i += kThreads) {
    const Candidate candidate{logits[i], i};
    if (comes_before(last, candidate) && comes_before(candidate, first)) {
      first = candidate;
    }
  }
  return first;
}

// The first of all threads' candidates, in every thread.
__device__ Candidate first_of_block(Candidate* shared, Candidate candidate) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) {
    const Candidate other{__shfl_xor_sync(kAllLanes, candidate.logit, offset),
                          __shfl_xor_sync(kAllLanes, candidate.id, offset)};
    candidate = comes_before(other, candidate) ? other : candidate;
  }
  __syncthreads();
  if (threadIdx.x % 32 == 0) {
    shared[threadIdx.x / 32] = candidate;
  }
  __syncthreads();
  candidate = shared[0];
  for (int w = 1; w < kWarps; ++w) {
    candidate = comes_before(shared[w], candidate) ? shared[w] : candidate;
  }
  return candidate;
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
  sum = 0.f;
  for (int w = 0; w < kWarps; ++w) {
    sum += shared[w];
  }
  return largest + logf(sum);
}

__global__ void __launch_bounds__(kThreads) logprobs_kernel(const spark_mla_logprobs_args p) {
  __shared__ Candidate candidates[kWarps];
  __shared__ float sums[kWarps];
  begin_dependent();
  const int token = p.tokens[blockIdx.x];
  const int count = min(p.sampling[blockIdx.x].logprobs, SPARK_MLA_MOST_LOGPROBS);
  if (count < 0 || token < 0 || token >= p.columns) {
    return;
  }
  const float* logits = p.logits + blockIdx.x * p.logits_stride;
  int32_t* out = p.out + static_cast<int64_t>(blockIdx.x) * SPARK_MLA_LOGPROB_WORDS;
  Candidate mine = first_after(logits, p.columns, {CUDART_INF_F, -1});
  Candidate next = first_of_block(candidates, mine);
  const float normalizer = log_sum_exp(sums, logits, p.columns, next.logit);
  if (threadIdx.x == 0) {
    out[0] = __float_as_int(logits[token] - normalizer);
  }
  for (int i = 0; i < count; ++i) {
    if (threadIdx.x == 0) {
      out[1 + 2 * i] = next.id < p.columns ? next.id : SPARK_MLA_NO_TOKEN;
      out[2 + 2 * i] = __float_as_int(next.logit - normalizer);
    }
    if (mine.id == next.id) {
      mine = first_after(logits, p.columns, next);
    }
    next = first_of_block(candidates, mine);
  }
}

}  // namespace

cudaError_t launch_logprobs(const spark_mla_logprobs_args& args) {
  return launch_dependent(logprobs_kernel, LaunchShape{dim3(args.rows), dim3(kThreads)},
                          static_cast<cudaStream_t>(args.stream), args);
}

}  // namespace spark_mla
