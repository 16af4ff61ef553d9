// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// What is done to logits before a token is chosen, float32 [rows, columns] in place: bias, penalties,
// suppressed tokens.
//
// Launch: a thread block for each row. What a row's tokens were is read from the paged cache. Each is
// counted in a row of the workspace, where only the places of tokens that occur are cleared, read and
// written; the logit of each is changed once, by the thread that takes its count away. So the result
// does not depend on the order of threads.

#include <math_constants.h>

#include "ops.h"
#include "../rows.cuh"

namespace spark_mla {
namespace {

constexpr int kThreads = 1024;
constexpr int kTaken = -1;

// One row and what it may read.
struct Row {
  const spark_mla_process_logits_args& p;
  const spark_mla_processing& how;
  float* logits;
  int* counts;

  // A word; -1 outside of the array.
  __device__ __forceinline__ int word(int64_t place) const {
    return place >= 0 && place < p.word_count ? p.words[place] : -1;
  }

  __device__ __forceinline__ bool exists(int token) const {
    return token >= 0 && token < p.columns;
  }

  // The token at a position of the history; -1 where there is none.
  __device__ __forceinline__ int token(int position) const {
    if (position < 0 || position >= how.history) {
      return -1;
    }
    const int block = word(static_cast<int64_t>(how.table) + position / SPARK_MLA_PAGE_TOKENS);
    return block >= 0 && block < p.blocks
               ? p.tokens_cache[static_cast<int64_t>(block) * SPARK_MLA_PAGE_TOKENS +
                                position % SPARK_MLA_PAGE_TOKENS]
               : -1;
  }

  __device__ __forceinline__ void suppress(int token) const {
    if (exists(token)) {
      logits[token] = -CUDART_INF_F;
    }
  }
};

__device__ void add_biases(const Row& row) {
  for (int i = threadIdx.x; i < row.how.bias_count; i += kThreads) {
    const int64_t place = static_cast<int64_t>(row.how.biases) + 2 * i;
    const int token = row.word(place);
    if (row.exists(token)) {
      row.logits[token] = __fadd_rn(row.logits[token], __int_as_float(row.word(place + 1)));
    }
  }
}

__device__ __forceinline__ float penalized(const spark_mla_processing& how, float logit, int count) {
  logit = logit > 0.f ? __fdiv_rn(logit, how.repetition_penalty)
                      : __fmul_rn(logit, how.repetition_penalty);
  logit = __fsub_rn(logit, __fmul_rn(how.frequency_penalty, static_cast<float>(count)));
  return count > 0 ? __fsub_rn(logit, how.presence_penalty) : logit;
}

__device__ void penalize(const Row& row) {
  const spark_mla_processing& how = row.how;
  const int output = max(0, how.history - how.outputs);
  // Without a penalty for repetition, tokens of the prompt do not matter.
  const int first = how.repetition_penalty == 1.f ? output : 0;
  for (int i = first + threadIdx.x; i < how.history; i += kThreads) {
    const int token = row.token(i);
    if (row.exists(token)) {
      row.counts[token] = 0;
    }
  }
  __syncthreads();
  for (int i = output + threadIdx.x; i < how.history; i += kThreads) {
    const int token = row.token(i);
    if (row.exists(token)) {
      atomicAdd(&row.counts[token], 1);
    }
  }
  __syncthreads();
  for (int i = first + threadIdx.x; i < how.history; i += kThreads) {
    const int token = row.token(i);
    const int count = row.exists(token) ? atomicExch(&row.counts[token], kTaken) : kTaken;
    if (count != kTaken) {
      row.logits[token] = penalized(how, row.logits[token], count);
    }
  }
}

__device__ void suppress_bad_words(const Row& row) {
  const spark_mla_processing& how = row.how;
  const int64_t starts = how.bad_words;
  const int64_t ids = starts + how.bad_word_count + 1;
  for (int i = threadIdx.x; i < how.bad_word_count; i += kThreads) {
    const int begin = row.word(starts + i);
    const int last = row.word(starts + i + 1) - 1;
    const int before = how.history - (last - begin);
    bool matches = before >= 0 && begin >= 0 && begin <= last;
    for (int j = 0; matches && j < last - begin; ++j) {
      matches = row.token(before + j) == row.word(ids + begin + j);
    }
    if (matches) {
      row.suppress(row.word(ids + last));
    }
  }
}

__device__ void suppress_ends(const Row& row) {
  for (int i = threadIdx.x; i < row.how.end_count; i += kThreads) {
    row.suppress(row.word(static_cast<int64_t>(row.how.ends) + i));
  }
}

__global__ void __launch_bounds__(kThreads)
    process_logits_kernel(const spark_mla_process_logits_args p) {
  begin_dependent();
  const spark_mla_processing how = p.processing[blockIdx.x];
  if (how.history <= 0) {
    return;
  }
  const Row row{p, how, p.logits + blockIdx.x * p.logits_stride,
                p.counts + static_cast<int64_t>(blockIdx.x) * p.columns};
  add_biases(row);
  __syncthreads();
  if (how.repetition_penalty != 1.f || how.presence_penalty != 0.f || how.frequency_penalty != 0.f) {
    penalize(row);
  }
  __syncthreads();
  suppress_bad_words(row);
  if (how.suppress_ends == 1) {
    suppress_ends(row);
  }
}

}  // namespace

cudaError_t launch_process_logits(const spark_mla_process_logits_args& args) {
  return launch_dependent(process_logits_kernel, LaunchShape{dim3(args.rows), dim3(kThreads)},
                          static_cast<cudaStream_t>(args.stream), args);
}

}  // namespace spark_mla
