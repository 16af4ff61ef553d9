// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Logits to tokens: a block a row. Probabilities are integers, so sums need no order and the result
// is the same in every run. "The first logits, best first, whose weights sum past a target" is found
// without sorting, from histograms of weight: first over equal intervals below the largest logit, which
// spread the logits over many bins, then over the digits of the bits of those in the right interval.

#include <math_constants.h>

#include "ops.h"
#include "rows.cuh"

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
  int at[kWarps];
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

constexpr float kLogOfE = 1.4426950408889634f;
constexpr float kLeastTemperature = 1e-30f;

struct Row {
  const float* logits;
  int columns;
  float largest;
  float doublings_per_unit;

  // 2^40 times the probability relative to the largest logit's.
  __device__ __forceinline__ unsigned long long weight(float logit) const {
    return __float2ull_rn(exp2_approximate((logit - largest) * doublings_per_unit) * kOne);
  }
};

__device__ __forceinline__ unsigned long long warp_sum(unsigned long long value) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) {
    value += __shfl_xor_sync(0xffffffffu, value, offset);
  }
  return value;
}

__device__ __forceinline__ unsigned long long inclusive_warp_scan(unsigned long long value) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int offset = 1; offset < 32; offset *= 2) {
    const unsigned long long other = __shfl_up_sync(0xffffffffu, value, offset);
    value += lane >= offset ? other : 0;
  }
  return value;
}

// Sum of what all threads before this one gave; *total is everything.
__device__ unsigned long long exclusive_scan(Shared& s, unsigned long long value,
                                             unsigned long long* total) {
  const unsigned long long inclusive = inclusive_warp_scan(value);
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

// The largest logit and the first place it is at; false where the row holds NaN or +infinity.
__device__ bool find_largest(Shared& s, const Row& row, float* largest, int* at) {
  float best = -CUDART_INF_F;
  int place = row.columns;
  bool broken = false;
  for (int i = threadIdx.x; i < row.columns; i += kThreads) {
    const float logit = row.logits[i];
    broken |= isnan(logit) || logit == CUDART_INF_F;
    if (logit > best || place == row.columns) {
      best = logit;
      place = i;
    }
  }
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) {
    const float other = __shfl_xor_sync(0xffffffffu, best, offset);
    const int there = __shfl_xor_sync(0xffffffffu, place, offset);
    if (other > best || (other == best && there < place)) {
      best = other;
      place = there;
    }
  }
  if (threadIdx.x % 32 == 0) {
    s.largest[threadIdx.x / 32] = best;
    s.at[threadIdx.x / 32] = place;
  }
  broken = __syncthreads_or(broken);
  best = s.largest[0];
  place = s.at[0];
  for (int w = 1; w < kWarps; ++w) {
    if (s.largest[w] > best || (s.largest[w] == best && s.at[w] < place)) {
      best = s.largest[w];
      place = s.at[w];
    }
  }
  *largest = best;
  *at = place;
  return !broken;
}

// Sum of weight(logit) over the row, in every thread.
template <typename Weight>
__device__ unsigned long long sum_row(Shared& s, const Row& row, Weight weight) {
  unsigned long long sum = 0;
  for (int i = threadIdx.x; i < row.columns; i += kThreads) {
    sum += weight(row.logits[i]);
  }
  unsigned long long total;
  exclusive_scan(s, sum, &total);
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

// Where the running sum over the row's logits, best first, first exceeds a target.
struct Crossing {
  uint32_t key;                  // of the logit there
  unsigned long long above;      // weight of all better logits
  unsigned long long each;       // weight of each logit equal to it
  unsigned long long place;      // how many of these come before it, lower ids first

  // Weight up to and with it.
  __device__ __forceinline__ unsigned long long sum() const { return above + (place + 1) * each; }
};

template <typename Weight>
__device__ Crossing cross(Shared& s, const Row& row, unsigned long long target,
                          float intervals_per_unit, Weight weight) {
  // Intervals and digits alike are numbered upwards with the logit.
  const auto interval = [&row, intervals_per_unit](float logit) {
    return kBins - 1 - static_cast<int>(fminf((row.largest - logit) * intervals_per_unit,
                                              static_cast<float>(kBins - 1)));
  };
  Crossing result{0, 0, 0, 0};
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
    const unsigned long long before = result.above + exclusive_scan(s, first + second, &total);
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
  result.place = (target - result.above) / result.each;
  return result;
}

// The id of the logit that a crossing is at.
__device__ int id_of(Shared& s, const Row& row, const Crossing& crossing) {
  unsigned long long before = 0;
  __syncthreads();
  for (int base = 0; base < row.columns; base += kThreads) {
    const int i = base + static_cast<int>(threadIdx.x);
    const bool equal = i < row.columns && key_of(row.logits[i]) == crossing.key;
    const int count = __syncthreads_count(equal);
    if (before + count > crossing.place) {
      unsigned long long total;
      if (before + exclusive_scan(s, equal, &total) == crossing.place && equal) {
        s.chosen = i;
      }
      __syncthreads();
      return s.chosen;
    }
    before += count;
  }
  return row.columns - 1;
}

// The first id, in the order of ids, where the running sum exceeds the target.
__device__ int cross_by_id(Shared& s, const Row& row, unsigned long long target) {
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
      const unsigned long long inclusive = inclusive_warp_scan(weight);
      if (target >= before + inclusive - weight && target < before + inclusive) {
        s.chosen = i;
      }
      const unsigned long long all = __shfl_sync(0xffffffffu, inclusive, 31);
      if (target < before + all) {
        break;
      }
      before += all;
    }
  }
  __syncthreads();
  return s.chosen;
}

__device__ __forceinline__ uint64_t mix(uint64_t bits) {
  bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9ull;
  bits = (bits ^ bits >> 27) * 0x94d049bb133111ebull;
  return bits ^ bits >> 31;
}

// In [0, total), from the finisher of SplitMix64 (Steele, Lea and Flood 2014) over seed and index.
__device__ unsigned long long draw(const spark_mla_sampling& sampling, unsigned long long total) {
  constexpr uint64_t kGolden = 0x9e3779b97f4a7c15ull;
  const uint64_t bits = mix(mix(static_cast<uint64_t>(sampling.seed) + kGolden) +
                            (static_cast<uint64_t>(sampling.index) + 1) * kGolden);
  const double uniform = static_cast<double>(bits >> 11) * 0x1p-53;
  const unsigned long long target =
      static_cast<unsigned long long>(uniform * static_cast<double>(total));
  return target < total ? target : total - 1;
}

// Logits further than 32 temperatures below the largest have no weight, and need no intervals.
constexpr float kIntervalsPerUnit = kBins / 32.f;

__device__ int choose(Shared& s, const Row& row, const spark_mla_sampling& sampling) {
  const float by_weight = kIntervalsPerUnit / fmaxf(sampling.temperature, kLeastTemperature);
  const auto weight = [&row](float logit) { return row.weight(logit); };
  const bool cuts = sampling.top_k > 0 && sampling.top_k < row.columns;
  if (!cuts && sampling.top_p >= 1.f) {
    const unsigned long long total = sum_row(s, row, weight);
    const unsigned long long target = draw(sampling, total);
    // The order of the CPU backend: best first where top_k is given, else by id.
    return sampling.top_k == 0 ? cross_by_id(s, row, target)
                               : id_of(s, row, cross(s, row, target, by_weight, weight));
  }
  unsigned long long total;
  if (cuts) {
    const auto one = [](float) { return 1ull; };
    const Crossing last = cross(s, row, sampling.top_k - 1, kIntervalsPerUnit, one);
    const unsigned long long each = row.weight(logit_of(last.key));
    const auto better = [&row, &last](float logit) {
      return key_of(logit) > last.key ? row.weight(logit) : 0ull;
    };
    total = sum_row(s, row, better) + (last.place + 1) * each;
  } else {
    total = sum_row(s, row, weight);
  }
  if (sampling.top_p < 1.f) {
    const double reached = ceil(static_cast<double>(sampling.top_p) * static_cast<double>(total));
    const unsigned long long target =
        min(max(static_cast<unsigned long long>(reached), 1ull), total) - 1;
    total = cross(s, row, target, by_weight, weight).sum();
  }
  return id_of(s, row, cross(s, row, draw(sampling, total), by_weight, weight));
}

__device__ float log_probability(Shared& s, const Row& row, int token) {
  const Row plain{row.logits, row.columns, row.largest, kLogOfE};
  const unsigned long long total =
      sum_row(s, plain, [&plain](float logit) { return plain.weight(logit); });
  return row.logits[token] - row.largest - logf(static_cast<float>(total) / kOne);
}

__global__ void __launch_bounds__(kThreads) sample_kernel(const spark_mla_sample_args p) {
  __shared__ Shared s;
  begin_dependent();
  const spark_mla_sampling sampling = p.sampling[blockIdx.x];
  Row row{p.logits + blockIdx.x * p.logits_stride, p.columns, 0.f,
          kLogOfE / fmaxf(sampling.temperature, kLeastTemperature)};
  int token;
  if (!find_largest(s, row, &row.largest, &token)) {
    token = SPARK_MLA_NOT_A_NUMBER;
  } else if (sampling.temperature > 0.f && row.largest > -CUDART_INF_F) {
    token = choose(s, row, sampling);
  }
  if (p.log_probability != nullptr) {
    const float value = token >= 0 ? log_probability(s, row, token) : CUDART_NAN_F;
    if (threadIdx.x == 0) {
      p.log_probability[blockIdx.x] = value;
    }
  }
  if (threadIdx.x == 0) {
    p.tokens[blockIdx.x] = token;
  }
}

}  // namespace

cudaError_t launch_sample(const spark_mla_sample_args& args) {
  return launch_dependent(sample_kernel, args.rows, kThreads, args.stream, args);
}

}  // namespace spark_mla
