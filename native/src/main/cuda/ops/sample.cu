// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Logits to tokens: float32 [rows, columns] and one spark_mla_sampling a row to int32 [rows].
//
// Launch: a thread block of 1024 for each row, which reads its logits from memory (the second level
// cache) in every pass.
//
// Probabilities are integers, so their sums do not depend on the order of additions and a row's token
// is the same in every run. Top-k, top-p and the draw itself all ask for a quantile: the first logit,
// in falling order, at which the running sum of weights exceeds a target. It is found without sorting,
// by a radix search over histograms of weight: first over equal intervals below the largest logit,
// which spread the logits over many bins, then over the digits of the bits of those in the right
// interval.

#include <math_constants.h>

#include "../warp.cuh"
#include "ops.h"
#include "../rows.cuh"
#include "split_mix.cuh"

namespace spark_mla {
namespace {

constexpr int kThreads = 1024;
constexpr int kWarps = kThreads / 32;
constexpr int kDigitBits = 11;
constexpr int kBins = 1 << kDigitBits;
constexpr float kOne = 0x1p40f;

struct Shared {
  // Sums in two halves, since shared memory adds 32 bits in one instruction and 64 bits in a loop.
  uint32_t low[kBins];
  uint32_t high[kBins];
  unsigned long long sums[kWarps];
  float largest[kWarps];
  int ids[kWarps];
  unsigned long long chosen_sum;
  int chosen;
};

// Ascending with the logit; both zeros are equal.
__device__ __forceinline__ uint32_t key_of(float logit) {
  const uint32_t bits = __float_as_uint(logit + 0.f);
  return bits ^ (bits >> 31 ? 0xffffffffu : 0x80000000u);
}

__device__ __forceinline__ float logit_of(uint32_t key) {
  return __uint_as_float(key ^ (key >> 31 ? 0x80000000u : 0xffffffffu));
}

constexpr float kLog2OfE = 1.4426950408889634f;

struct Row {
  const float* logits;
  int columns;
  float largest;
  float log2_scale;  // of a logit: log2(e) / temperature
  float log2_least;  // of the probabilities relative to the largest logit's that are not cut off

  // 2^40 times the probability relative to the largest logit's, 0 where it is cut off.
  __device__ __forceinline__ unsigned long long weight(float logit) const {
    const float log2 = (logit - largest) * log2_scale;
    return log2 >= log2_least ? __float2ull_rn(exp2_approximate(log2) * kOne) : 0;
  }
};

// The sum of the values of the threads before this one; *total gets the sum of all.
__device__ unsigned long long block_exclusive_sum(Shared& s, unsigned long long value,
                                                  unsigned long long* total) {
  const unsigned long long inclusive = warp_inclusive_sum(value);
  __syncthreads();
  if (threadIdx.x % 32 == 31) {
    s.sums[threadIdx.x / 32] = inclusive;
  }
  __syncthreads();
  unsigned long long before = 0;
  unsigned long long all = 0;
  for (int w = 0; w < kWarps; ++w) {
    const unsigned long long sum = s.sums[w];
    before += w < static_cast<int>(threadIdx.x / 32) ? sum : 0;
    all += sum;
  }
  *total = all;
  return before + inclusive - value;
}

// The largest logit and the lowest id that has it; false where the row holds NaN or +infinity.
__device__ bool find_largest(Shared& s, const Row& row, float* largest, int* id) {
  float best = -CUDART_INF_F;
  int best_id = row.columns;
  bool invalid = false;
  for (int i = threadIdx.x; i < row.columns; i += kThreads) {
    const float logit = row.logits[i];
    invalid |= isnan(logit) || logit == CUDART_INF_F;
    if (logit > best || best_id == row.columns) {
      best = logit;
      best_id = i;
    }
  }
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) {
    const float other = __shfl_xor_sync(kAllLanes, best, offset);
    const int other_id = __shfl_xor_sync(kAllLanes, best_id, offset);
    if (other > best || (other == best && other_id < best_id)) {
      best = other;
      best_id = other_id;
    }
  }
  if (threadIdx.x % 32 == 0) {
    s.largest[threadIdx.x / 32] = best;
    s.ids[threadIdx.x / 32] = best_id;
  }
  invalid = __syncthreads_or(invalid);
  best = s.largest[0];
  best_id = s.ids[0];
  for (int w = 1; w < kWarps; ++w) {
    if (s.largest[w] > best || (s.largest[w] == best && s.ids[w] < best_id)) {
      best = s.largest[w];
      best_id = s.ids[w];
    }
  }
  *largest = best;
  *id = best_id;
  return !invalid;
}

// Sum of weight(logit) over the row, in every thread.
template <typename Weight>
__device__ unsigned long long sum_row(Shared& s, const Row& row, Weight weight) {
  unsigned long long sum = 0;
  for (int i = threadIdx.x; i < row.columns; i += kThreads) {
    sum += weight(row.logits[i]);
  }
  unsigned long long total;
  block_exclusive_sum(s, sum, &total);
  return total;
}

__device__ __forceinline__ void add_to_bin(Shared& s, int bin, unsigned long long amount) {
  const uint32_t low = static_cast<uint32_t>(amount);
  uint32_t high = static_cast<uint32_t>(amount >> 32);
  if (low != 0) {
    const uint32_t before = atomicAdd(&s.low[bin], low);
    high += before + low < low ? 1 : 0;  // whoever makes the low half overflow carries
  }
  if (high != 0) {
    atomicAdd(&s.high[bin], high);
  }
}

__device__ __forceinline__ unsigned long long bin_sum(const Shared& s, int bin) {
  return static_cast<unsigned long long>(s.high[bin]) << 32 | s.low[bin];
}

// The logit at which the running sum of weights, in falling order, first exceeds a target.
struct Quantile {
  uint32_t key;              // of the logit
  unsigned long long above;  // weight of all larger logits
  unsigned long long each;   // weight of each logit equal to it
  unsigned long long rank;   // how many of these come before it, lower ids first

  // Weight up to and with it.
  __device__ __forceinline__ unsigned long long sum() const { return above + (rank + 1) * each; }
};

// The target must be less than the sum of all weights.
template <typename Weight>
__device__ Quantile find_quantile(Shared& s, const Row& row, unsigned long long target,
                                  float intervals_per_unit, Weight weight) {
  // Intervals and digits alike are numbered upwards with the logit.
  const auto interval = [&row, intervals_per_unit](float logit) {
    return kBins - 1 - static_cast<int>(fminf((row.largest - logit) * intervals_per_unit,
                                              static_cast<float>(kBins - 1)));
  };
  Quantile result{0, 0, 0, 0};
  int chosen_interval = 0;
  int shift = 32;
#pragma unroll 1
  for (int pass = 0; pass < 4; ++pass) {
    const int bits = pass == 0 ? 0 : min(shift, kDigitBits);
    const uint32_t known = shift == 32 ? 0 : result.key >> shift;
    const int below = shift - bits;
    __syncthreads();
    for (int i = threadIdx.x; i < kBins; i += kThreads) {
      s.low[i] = 0;
      s.high[i] = 0;
    }
    __syncthreads();
    for (int i = threadIdx.x; i < row.columns; i += kThreads) {
      const float logit = row.logits[i];
      const uint32_t key = key_of(logit);
      const int here = interval(logit);
      if (pass == 0 || (here == chosen_interval && (shift == 32 || key >> shift == known))) {
        add_to_bin(s, pass == 0 ? here : (key >> below) & ((1 << bits) - 1), weight(logit));
      }
    }
    __syncthreads();
    const int upper = kBins - 1 - 2 * static_cast<int>(threadIdx.x);
    const unsigned long long first = bin_sum(s, upper);
    const unsigned long long second = bin_sum(s, upper - 1);
    unsigned long long total;
    const unsigned long long before = result.above + block_exclusive_sum(s, first + second, &total);
    if (before <= target && target < before + first) {
      s.chosen = upper;
      s.chosen_sum = before;
    } else if (before + first <= target && target < before + first + second) {
      s.chosen = upper - 1;
      s.chosen_sum = before + first;
    }
    __syncthreads();
    if (pass == 0) {
      chosen_interval = s.chosen;
    } else {
      result.key |= static_cast<uint32_t>(s.chosen) << below;
    }
    result.above = s.chosen_sum;
    shift = below;
  }
  result.each = weight(logit_of(result.key));
  result.rank = (target - result.above) / result.each;
  return result;
}

// The id of a quantile's logit.
__device__ int id_of(Shared& s, const Row& row, const Quantile& quantile) {
  unsigned long long before = 0;
  __syncthreads();
  for (int base = 0; base < row.columns; base += kThreads) {
    const int i = base + static_cast<int>(threadIdx.x);
    const bool equal = i < row.columns && key_of(row.logits[i]) == quantile.key;
    const int count = __syncthreads_count(equal);
    if (before + count > quantile.rank) {
      unsigned long long total;
      if (before + block_exclusive_sum(s, equal, &total) == quantile.rank && equal) {
        s.chosen = i;
      }
      __syncthreads();
      return s.chosen;
    }
    before += count;
  }
  return row.columns - 1;
}

// The first id, in the order of ids, at which the running sum of weights exceeds the target.
__device__ int find_quantile_by_id(Shared& s, const Row& row, unsigned long long target) {
  const int warp = threadIdx.x / 32;
  const int lane = threadIdx.x % 32;
  const int each = (row.columns + kThreads - 1) / kThreads * 32;
  const int begin = min(warp * each, row.columns);
  const int end = min(begin + each, row.columns);
  unsigned long long sum = 0;
  for (int i = begin + lane; i < end; i += 32) {
    sum += row.weight(row.logits[i]);
  }
  sum = warp_sum(sum);
  __syncthreads();
  if (lane == 0) {
    s.sums[warp] = sum;
  }
  __syncthreads();
  unsigned long long before = 0;
  for (int w = 0; w < warp; ++w) {
    before += s.sums[w];
  }
  if (before <= target && target < before + sum) {
    for (int base = begin; base < end; base += 32) {
      const int i = base + lane;
      const unsigned long long weight = i < end ? row.weight(row.logits[i]) : 0;
      const unsigned long long inclusive = warp_inclusive_sum(weight);
      if (target >= before + inclusive - weight && target < before + inclusive) {
        s.chosen = i;
      }
      const unsigned long long all = __shfl_sync(kAllLanes, inclusive, 31);
      if (target < before + all) {
        break;
      }
      before += all;
    }
  }
  __syncthreads();
  return s.chosen;
}

// A number in [0, total), a function of seed and index.
__device__ unsigned long long draw(const spark_mla_sampling& sampling, unsigned long long total) {
  const uint64_t start = split_mix(static_cast<uint64_t>(sampling.seed) + kGoldenGamma);
  const uint64_t bits =
      split_mix(start + (static_cast<uint64_t>(sampling.index) + 1) * kGoldenGamma);
  const double uniform = static_cast<double>(bits >> 11) * 0x1p-53;
  const unsigned long long target =
      static_cast<unsigned long long>(uniform * static_cast<double>(total));
  return target < total ? target : total - 1;
}

// Temperatures beyond these bounds choose like them, and keep logits divided by them finite.
__device__ __forceinline__ float bounded(float temperature) {
  return fminf(fmaxf(temperature, 1e-30f), 1e30f);
}

// The binary logarithm of a part of the largest probability; 0 keeps all.
__device__ __forceinline__ float log2_least(float min_p) {
  return min_p > 0.f ? fminf(log2f(min_p), 0.f) : -CUDART_INF_F;
}

// Logits further than 32 temperatures below the largest have no weight, and need no intervals.
constexpr float kIntervalsPerUnit = kBins / 32.f;

__device__ int choose(Shared& s, const Row& row, const spark_mla_sampling& sampling) {
  const float by_weight = kIntervalsPerUnit / bounded(sampling.temperature);
  const auto weight = [&row](float logit) { return row.weight(logit); };
  const bool top_k = sampling.top_k > 0 && sampling.top_k < row.columns;
  if (!top_k && sampling.top_p >= 1.f) {
    const unsigned long long total = sum_row(s, row, weight);
    const unsigned long long target = draw(sampling, total);
    // The order of the CPU backend: falling where top_k is given, else by id.
    return sampling.top_k == 0 ? find_quantile_by_id(s, row, target)
                               : id_of(s, row, find_quantile(s, row, target, by_weight, weight));
  }
  unsigned long long total;
  if (top_k) {
    const auto one = [](float) { return 1ull; };
    const Quantile last = find_quantile(s, row, sampling.top_k - 1, kIntervalsPerUnit, one);
    const unsigned long long each = row.weight(logit_of(last.key));
    const auto larger = [&row, &last](float logit) {
      return key_of(logit) > last.key ? row.weight(logit) : 0ull;
    };
    total = sum_row(s, row, larger) + (last.rank + 1) * each;
  } else {
    total = sum_row(s, row, weight);
  }
  if (sampling.top_p < 1.f) {
    const double reached = ceil(static_cast<double>(sampling.top_p) * static_cast<double>(total));
    const unsigned long long target =
        min(max(static_cast<unsigned long long>(reached), 1ull), total) - 1;
    total = find_quantile(s, row, target, by_weight, weight).sum();
  }
  return id_of(s, row, find_quantile(s, row, draw(sampling, total), by_weight, weight));
}

__global__ void __launch_bounds__(kThreads) sample_kernel(const spark_mla_sample_args p) {
  __shared__ Shared s;
  begin_dependent();
  const spark_mla_sampling sampling = p.sampling[blockIdx.x];
  Row row{p.logits + blockIdx.x * p.logits_stride, p.columns, 0.f,
          kLog2OfE / bounded(sampling.temperature), log2_least(sampling.min_p)};
  int token;
  if (!find_largest(s, row, &row.largest, &token)) {
    token = SPARK_MLA_NOT_A_NUMBER;
  } else if (sampling.temperature > 0.f && row.largest > -CUDART_INF_F) {
    token = choose(s, row, sampling);
  }
  if (threadIdx.x == 0) {
    p.tokens[blockIdx.x] = token;
  }
}

}  // namespace

cudaError_t launch_sample(const spark_mla_sample_args& args) {
  return launch_dependent(sample_kernel, LaunchShape{dim3(args.rows), dim3(kThreads)},
                          static_cast<cudaStream_t>(args.stream), args);
}

}  // namespace spark_mla
