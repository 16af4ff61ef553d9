// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// What is done to logits before a token is chosen, float32 [rows, columns] in place: bias, penalties,
// suppressed tokens, and the answers of an automaton.
//
// Launch: first a thread block for each row. What a row's tokens were is read from the paged cache. Each
// is counted in a row of the workspace, where only the places of tokens that occur are cleared, read and
// written; the logit of each is changed once, by the thread that takes its count away. So the result
// does not depend on the order of threads. One thread finds the row's position in its automaton, from
// the position and the token of a row of the step before.
//
// Then a thread block for each row and 4096 tokens, where each thread walks the bytes of its tokens
// through the automaton. Edges of the first byte lie in shared memory, so that most tokens of most
// positions end there. It also keeps the rows' positions for the next step, which the first kernel still
// reads.

#include <math_constants.h>

#include "automaton.cuh"
#include "ops.h"
#include "../rows.cuh"

namespace spark_mla {
namespace {

constexpr int kThreads = 1024;
constexpr int kTaken = -1;

constexpr int kMaskThreads = 256;
constexpr int kMaskTokens = 4096;
constexpr int kBytes = 256;

__device__ __forceinline__ Position load_position(const int32_t* positions, int row) {
  const int2 value = reinterpret_cast<const int2*>(positions)[row];
  return {value.x, value.y};
}

__device__ __forceinline__ void store_position(int32_t* positions, int row, Position position) {
  reinterpret_cast<int2*>(positions)[row] = make_int2(position.state, position.count);
}

// The position of a row in its automaton; kDead where it has none.
__device__ Position position_of(const spark_mla_process_logits_args& p,
                                const spark_mla_processing& how) {
  const Automaton automaton = automaton_at(p.automata, p.automata_words, how.automaton);
  if (automaton.states == 0) {
    return {kDead, 0};
  }
  if (how.previous < 0 || how.previous >= p.previous_rows) {
    return {how.state, how.count};
  }
  const Position before = load_position(p.positions, how.previous);
  const int token = p.previous[how.previous];
  if (before.state == kUnarmed) {
    return {token == how.after ? 0 : kUnarmed, 0};
  }
  int begin;
  int end;
  const Vocabulary vocabulary = vocabulary_of(p.automata, p.automata_words);
  vocabulary.find(token, &begin, &end);
  return begin < end && automaton.has(before.state)
             ? automaton.walk(before, vocabulary.text, begin, end)
             : Position{kDead, 0};
}

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
  __shared__ int state;
  const spark_mla_processing& how = p.processing[blockIdx.x];
  if (how.history <= 0) {
    return;
  }
  if (threadIdx.x == 0) {
    const Position position = position_of(p, how);
    store_position(p.new_positions, blockIdx.x, position);
    state = position.state;
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
  if (how.suppress_ends == 1 || state == kUnarmed) {
    suppress_ends(row);
  }
}

__global__ void __launch_bounds__(kMaskThreads)
    constrain_kernel(const spark_mla_process_logits_args p) {
  begin_dependent();
  __shared__ int first_edges[kBytes];
  __shared__ uint32_t ends[kMaskTokens / 32];
  const int row = blockIdx.y;
  const spark_mla_processing& how = p.processing[row];
  if (how.history <= 0 || how.automaton < 0) {
    return;
  }
  const Position position = load_position(p.new_positions, row);
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    store_position(p.positions, row, position);
  }
  const Automaton automaton = automaton_at(p.automata, p.automata_words, how.automaton);
  if (!automaton.has(position.state)) {
    return;
  }
  static_assert(kBytes == kMaskThreads, "a thread for each byte");
  first_edges[threadIdx.x] = automaton.edge(position.state, threadIdx.x);
  if (threadIdx.x < kMaskTokens / 32) {
    ends[threadIdx.x] = 0;
  }
  __syncthreads();
  const int first = blockIdx.x * kMaskTokens;
  for (int i = threadIdx.x; i < how.end_count; i += kMaskThreads) {
    const int64_t place = static_cast<int64_t>(how.ends) + i;
    const int end = place >= 0 && place < p.word_count ? p.words[place] - first : -1;
    if (end >= 0 && end < kMaskTokens) {
      atomicOr(&ends[end / 32], 1u << end % 32);
    }
  }
  __syncthreads();
  const bool accepts = (automaton.flags[position.state] & kAccepts) != 0;
  const Vocabulary vocabulary = vocabulary_of(p.automata, p.automata_words);
  float* logits = p.logits + row * p.logits_stride;
  for (int i = threadIdx.x; i < kMaskTokens && first + i < p.columns; i += kMaskThreads) {
    int begin;
    int end;
    vocabulary.find(first + i, &begin, &end);
    bool allowed = accepts && (ends[i / 32] >> i % 32 & 1) != 0;
    if (!allowed && begin < end) {
      const Position next = automaton.follow(position, first_edges[vocabulary.text[begin]]);
      allowed = next.state != kDead &&
                automaton.walk(next, vocabulary.text, begin + 1, end).state != kDead;
    }
    if (!allowed) {
      logits[first + i] = -CUDART_INF_F;
    }
  }
}

}  // namespace

cudaError_t launch_process_logits(const spark_mla_process_logits_args& args) {
  const cudaStream_t stream = static_cast<cudaStream_t>(args.stream);
  const cudaError_t error = launch_dependent(
      process_logits_kernel, LaunchShape{dim3(args.rows), dim3(kThreads)}, stream, args);
  if (error != cudaSuccess) {
    return error;
  }
  const unsigned parts = (args.columns + kMaskTokens - 1) / kMaskTokens;
  return launch_dependent(constrain_kernel,
                          LaunchShape{dim3(parts, args.rows), dim3(kMaskThreads)}, stream, args);
}

}  // namespace spark_mla
