// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// out[i] += sum over a token's choices, in their order, of weight * result: bf16 results [choices,
// hidden] and float32 weights [rows, per_token], added in float32 to out [rows, hidden]. Where it is wanted, out is
// then normed, as ops/rms_norm.cu would.
//
// Launch: a grid of (rows, column tiles), thread blocks of 128, eight columns a thread; with the norm a thread block
// of 256 for each row.

#include "../launch.cuh"
#include "../rms_norm.cuh"
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

struct NormArgs {
  const float* gain;
  float epsilon;
  GemmRows to;
};

// Choices of a row: where their results are, -1 if they have none, and their weights.
struct Choices {
  int sorted[kAhead];
  float weights[kAhead];

  __device__ __forceinline__ Choices(const CombineArgs& p, int64_t row, int first, bool valid = true) {
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      const int64_t choice = row * p.per_token + first + i;
      const bool inside = valid && first + i < p.per_token;
      sorted[i] = inside ? p.sorted_row[choice] : -1;
      weights[i] = inside ? p.weights[choice] : 0.f;
    }
  }
};

// The weighted sum of a row's results at eight columns. Its first choices are given.
__device__ __forceinline__ EightFloats add_up(const CombineArgs& p, int64_t row, int column,
                                              Choices choices) {
  EightFloats sum = {};
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
      const EightFloats result = unpack8(values[i]);
#pragma unroll
      for (int j = 0; j < kColumns; ++j) {
        sum.value[j] = fmaf(weights[i], result.value[j], sum.value[j]);
      }
    }
  }
  return sum;
}

__device__ __forceinline__ EightFloats plus(const EightFloats& a, const EightFloats& b) {
  EightFloats sum;
#pragma unroll
  for (int i = 0; i < kColumns; ++i) {
    sum.value[i] = a.value[i] + b.value[i];
  }
  return sum;
}

__global__ void __launch_bounds__(kThreads) combine_kernel(const CombineArgs p) {
  const int64_t row = blockIdx.x;
  const int column = (blockIdx.y * kThreads + threadIdx.x) * kColumns;
  if ((p.valid_rows != nullptr && row >= *p.valid_rows) || column >= p.hidden) {
    wait_for_previous_kernel();
    return;
  }
  // All but the results was written before the GEMMs.
  float* out = p.out + row * p.out_stride + column;
  const EightFloats before = load8(out);
  const Choices choices(p, row, 0);
  wait_for_previous_kernel();
  launch_dependents();
  store8(out, plus(before, add_up(p, row, column, choices)));
}

// The same, and the row's RMS norm for what reads it next. Rows that are not valid are normed too.
__global__ void __launch_bounds__(kNormThreads) combine_norm_kernel(const CombineArgs p,
                                                                    const NormArgs norm) {
  const int64_t row = blockIdx.x;
  const bool valid = p.valid_rows == nullptr || row < *p.valid_rows;
  float* out = p.out + row * p.out_stride;
  EightFloats first_gain = {};
  EightFloats chunks[kNormChunks];
  if (norm_column(0) < p.hidden) {
    first_gain = load8(norm.gain + norm_column(0));
    chunks[0] = load8(out + norm_column(0));
  }
  const Choices choices(p, row, 0, valid);
  wait_for_previous_kernel();
  launch_dependents();
  float squares = 0.f;
#pragma unroll
  for (int c = 0; c < kNormChunks; ++c) {
    const int column = norm_column(c);
    if (column < p.hidden) {
      if (c > 0) {
        chunks[c] = load8(out + column);
      }
      if (valid) {
        chunks[c] = plus(chunks[c], add_up(p, row, column, choices));
        store8(out + column, chunks[c]);
      }
      add_squares(chunks[c], squares);
    }
  }
  write_normed(chunks, squares, first_gain, norm.gain, norm.epsilon, p.hidden, norm.to);
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
  const auto stream = static_cast<cudaStream_t>(args.stream);
  if (args.gain != nullptr) {
    const NormArgs norm{args.gain,
                        args.epsilon,
                        {args.normed, args.normed_stride, args.float8_out, args.float8_stride,
                         args.float8_scales, args.float8_scales_stride}};
    return launch_dependent(combine_norm_kernel, LaunchShape{dim3(args.rows), dim3(kNormThreads)},
                            stream, p, norm);
  }
  const int tiles = (args.hidden + kThreads * kColumns - 1) / (kThreads * kColumns);
  return launch_dependent(combine_kernel, LaunchShape{dim3(args.rows, tiles), dim3(kThreads)},
                          stream, p);
}

}  // namespace spark_mla
