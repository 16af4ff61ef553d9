// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// The router: float32 logits [rows, experts] to the ids and weights [rows, per_token] of the chosen
// experts. Scores are computed in float64 and rounded to float32 once, so that ties and orders are
// those of the exact scores, not of an approximation.
//
// Launch: a warp for each row, four warps a thread block. Lane l scores the experts l, l + 32, ...;
// each choice is a maximum over the warp.

#include <math_constants.h>

#include "../hopper.cuh"
#include "../launch.cuh"
#include "../warp.cuh"
#include "experts.h"

namespace spark_mla {
namespace {

constexpr int kWarps = 4;
constexpr int kPerLane = kMaxExperts / 32;

// Larger for a larger value, and among equals for a lower index; never 0. NaN counts as -infinity,
// -0 as 0.
__device__ __forceinline__ uint64_t key_of(float value, int index) {
  const float number = value != value ? -CUDART_INF_F : value + 0.f;
  const uint32_t bits = __float_as_uint(number);
  const uint32_t ordered = (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
  return (static_cast<uint64_t>(ordered) << 32) | (0xffffffffu - static_cast<uint32_t>(index));
}

// The largest key of the warp's lanes.
__device__ __forceinline__ uint64_t largest_key(uint64_t key) {
  const uint32_t value = static_cast<uint32_t>(key >> 32);
  const uint32_t largest = __reduce_max_sync(kAllLanes, value);
  const uint32_t index =
      __reduce_max_sync(kAllLanes, value == largest ? static_cast<uint32_t>(key) : 0);
  return static_cast<uint64_t>(largest) << 32 | index;
}

__device__ __forceinline__ int index_of(uint64_t key) {
  return static_cast<int>(0xffffffffu - static_cast<uint32_t>(key));
}

// Bit g of the result: group g is one of the groups_per_token best. Lane g scores group g.
__device__ __forceinline__ uint32_t best_groups(const spark_mla_route_args& a, const float* ranks,
                                                int lane) {
  const int size = a.experts / a.groups;
  float first = -CUDART_INF_F;
  float second = -CUDART_INF_F;
  for (int i = 0; lane < a.groups && i < size; ++i) {
    const float rank = ranks[lane * size + i];
    if (rank > first) {
      second = first;
      first = rank;
    } else if (rank > second) {
      second = rank;
    }
  }
  const float score = a.method == SPARK_MLA_SIGMOID_BIASED ? first + second : first;
  uint64_t mine = lane < a.groups ? key_of(score, lane) : 0;
  uint32_t open = 0;
  for (int i = 0; i < a.groups_per_token; ++i) {
    const int best = index_of(largest_key(mine));
    open |= 1u << best;
    if (lane == best) {
      mine = 0;
    }
  }
  return open;
}

__global__ void __launch_bounds__(kWarps * 32) route_kernel(const spark_mla_route_args a) {
  __shared__ float shared_scores[kWarps][kMaxExperts];
  __shared__ float shared_ranks[kWarps][kMaxExperts];
  wait_for_previous_kernel();
  launch_dependents();
  const int warp = threadIdx.x / 32;
  const int lane = threadIdx.x % 32;
  const int row = blockIdx.x * kWarps + warp;
  if (row >= a.rows) {
    return;
  }
  const float* logits = a.logits + row * a.logits_stride;
  float* scores = shared_scores[warp];
  float* ranks = shared_ranks[warp];

  if (a.method == SPARK_MLA_SIGMOID_BIASED) {
    for (int i = lane; i < a.experts; i += 32) {
      const float score = static_cast<float>(1.0 / (1.0 + exp(-static_cast<double>(logits[i]))));
      scores[i] = score;
      ranks[i] = score + a.bias[i];
    }
  } else {
    float largest = -CUDART_INF_F;
    for (int i = lane; i < a.experts; i += 32) {
      largest = fmaxf(largest, logits[i]);
    }
    largest = warp_max(largest);
    double powers[kPerLane];
    double sum = 0;
#pragma unroll
    for (int j = 0; j < kPerLane; ++j) {
      const int i = lane + 32 * j;
      if (i < a.experts) {
        powers[j] = exp(static_cast<double>(logits[i]) - static_cast<double>(largest));
        sum += powers[j];
      }
    }
    sum = warp_sum(sum);
#pragma unroll
    for (int j = 0; j < kPerLane; ++j) {
      const int i = lane + 32 * j;
      if (i < a.experts) {
        scores[i] = ranks[i] = static_cast<float>(powers[j] / sum);
      }
    }
  }
  __syncwarp();

  const bool limited =
      a.method != SPARK_MLA_SOFTMAX_GREEDY && a.groups_per_token < a.groups;
  const uint32_t open = limited ? best_groups(a, ranks, lane) : ~0u;
  const int group_size = a.experts / a.groups;
  uint64_t keys[kPerLane];  // of expert lane + 32 * j; 0: it cannot be chosen
#pragma unroll
  for (int j = 0; j < kPerLane; ++j) {
    const int i = lane + 32 * j;
    keys[j] = i < a.experts && (!limited || (open >> (i / group_size) & 1) != 0)
                  ? key_of(ranks[i], i)
                  : 0;
  }
  float chosen_score = 0.f;
  int chosen = 0;
  for (int choice = 0; choice < a.per_token; ++choice) {
    uint64_t best = 0;
#pragma unroll
    for (int j = 0; j < kPerLane; ++j) {
      if (32 * j < a.experts) {
        best = keys[j] > best ? keys[j] : best;
      }
    }
    const uint64_t key = largest_key(best);
    const int expert = index_of(key);
#pragma unroll
    for (int j = 0; j < kPerLane; ++j) {
      keys[j] = keys[j] == key ? 0 : keys[j];
    }
    if (lane == choice) {
      chosen = expert;
      chosen_score = scores[expert];
    }
  }
  if ((a.flags & SPARK_MLA_NORMALIZED) != 0) {
    float sum = 0.f;
    for (int choice = 0; choice < a.per_token; ++choice) {
      sum = __fadd_rn(sum, __shfl_sync(kAllLanes, chosen_score, choice));
    }
    chosen_score = __fdiv_rn(chosen_score, sum + 1e-20f);
  }
  if (lane < a.per_token) {
    a.ids[static_cast<int64_t>(row) * a.per_token + lane] = chosen;
    a.weights[static_cast<int64_t>(row) * a.per_token + lane] = chosen_score * a.scale;
  }
}

}  // namespace

cudaError_t launch_route(const spark_mla_route_args& args) {
  const LaunchShape shape{dim3((static_cast<unsigned>(args.rows) + kWarps - 1) / kWarps),
                          dim3(kWarps * 32)};
  return launch_dependent(route_kernel, shape, static_cast<cudaStream_t>(args.stream), args);
}

}  // namespace spark_mla
