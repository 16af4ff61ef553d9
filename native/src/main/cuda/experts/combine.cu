// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// out[i] += sum over a token's choices, in their order, of weight * result: bf16 results [choices,
// hidden] and float32 weights [rows, per_token], added in float32 to out [rows, hidden].
//
// Launch: a grid of (rows, column tiles), thread blocks of 128, eight columns a thread.

#include <cuda_bf16.h>

#include "../hopper.cuh"
#include "../launch.cuh"
#include "experts.h"

namespace spark_mla {
namespace {

constexpr int kThreads = 128;
constexpr int kColumns = 8;  // of a thread
constexpr int kAhead = 8;    // results loaded before they are added

struct CombineArgs {
  const int32_t* valid_rows;
  const int32_t* sorted_row;
  const float* weights;
  const __nv_bfloat16* results;
  float* out;
  int64_t out_stride;
  int per_token;
  int hidden;
};

// Choices of a row: where their results are, -1 if they have none, and their weights.
struct Choices {
  int sorted[kAhead];
  float weights[kAhead];

  __device__ __forceinline__ Choices(const CombineArgs& p, int64_t row, int first) {
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      const int64_t choice = row * p.per_token + first + i;
      const bool inside = first + i < p.per_token;
      sorted[i] = inside ? p.sorted_row[choice] : -1;
      weights[i] = inside ? p.weights[choice] : 0.f;
    }
  }
};

__global__ void __launch_bounds__(kThreads) combine_kernel(const CombineArgs p) {
  const int64_t row = blockIdx.x;
  const int column = (blockIdx.y * kThreads + threadIdx.x) * kColumns;
  if ((p.valid_rows != nullptr && row >= *p.valid_rows) || column >= p.hidden) {
    wait_for_previous_kernel();
    return;
  }
  // All but the results was written before the GEMMs.
  float4* out = reinterpret_cast<float4*>(p.out + row * p.out_stride + column);
  float4 before[kColumns / 4];
#pragma unroll
  for (int i = 0; i < kColumns / 4; ++i) {
    before[i] = out[i];
  }
  Choices choices(p, row, 0);
  wait_for_previous_kernel();
  launch_dependents();
  float sum[kColumns] = {};
  for (int first = 0; first < p.per_token; first += kAhead) {
    if (first > 0) {
      choices = Choices(p, row, first);
    }
    uint4 values[kAhead];
    float weights[kAhead];
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      const int64_t sorted = choices.sorted[i];
      weights[i] = sorted >= 0 ? choices.weights[i] : 0.f;
      values[i] = sorted >= 0 ? __ldcs(reinterpret_cast<const uint4*>(
                                    p.results + sorted * p.hidden + column))
                              : make_uint4(0, 0, 0, 0);
    }
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      const auto* pairs = reinterpret_cast<const __nv_bfloat162*>(&values[i]);
#pragma unroll
      for (int j = 0; j < kColumns / 2; ++j) {
        const float2 value = __bfloat1622float2(pairs[j]);
        sum[2 * j] = fmaf(weights[i], value.x, sum[2 * j]);
        sum[2 * j + 1] = fmaf(weights[i], value.y, sum[2 * j + 1]);
      }
    }
  }
#pragma unroll
  for (int i = 0; i < kColumns / 4; ++i) {
    float4 value = before[i];
    value.x += sum[4 * i];
    value.y += sum[4 * i + 1];
    value.z += sum[4 * i + 2];
    value.w += sum[4 * i + 3];
    out[i] = value;
  }
}

}  // namespace

cudaError_t launch_experts_combine(const spark_mla_experts_args& args) {
  const ExpertsWorkspace workspace = experts_workspace(args);
  const char* base = static_cast<const char*>(args.workspace);
  CombineArgs p = {};
  p.valid_rows = args.valid_rows;
  p.sorted_row = reinterpret_cast<const int32_t*>(base + workspace.sorted_row);
  p.weights = args.weights;
  p.results = reinterpret_cast<const __nv_bfloat16*>(base + workspace.sorted);
  p.out = args.out;
  p.out_stride = args.out_stride;
  p.per_token = args.per_token;
  p.hidden = args.hidden;
  const int tiles = (args.hidden + kThreads * kColumns - 1) / (kThreads * kColumns);
  return launch_dependent(combine_kernel, LaunchShape{dim3(args.rows, tiles), dim3(kThreads)},
                          static_cast<cudaStream_t>(args.stream), p);
}

}  // namespace spark_mla
