// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// RMS norm of a row that a thread block of 256 holds in registers, as the kernels that norm rows share it: by itself,
// and after experts were added. A thread has eight columns of each 2,048.
#pragma once

#include "float8/quantize.cuh"
#include "norm.h"
#include "rows.cuh"
#include "warp.cuh"

namespace spark_mla {

constexpr int kNormThreads = 256;
constexpr int kNormChunks = 4;  // of 8 elements a thread
static_assert(kNormThreads * 8 * kNormChunks == kMaxNormColumns);

// The first of a thread's columns in a chunk.
__device__ __forceinline__ int norm_column(int chunk) {
  return (chunk * kNormThreads + static_cast<int>(threadIdx.x)) * 8;
}

// The sum of squares of a thread's elements, one after another.
__device__ __forceinline__ void add_squares(const EightFloats& values, float& sum) {
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    sum = fmaf(values.value[i], values.value[i], sum);
  }
}

// Scales the row and writes it. first_gain is the gain of the first chunk; squares this thread's sum. All threads
// call.
__device__ __forceinline__ void write_normed(const EightFloats (&chunks)[kNormChunks], float squares,
                                             const EightFloats& first_gain, const float* gain,
                                             float epsilon, int columns, const GemmRows& to) {
  __shared__ float sums[kNormThreads / 32];
  const float warp = warp_sum(squares);
  if (threadIdx.x % 32 == 0) {
    sums[threadIdx.x / 32] = warp;
  }
  __syncthreads();
  float total = 0.f;
#pragma unroll
  for (int w = 0; w < kNormThreads / 32; ++w) {
    total += sums[w];
  }
  const float factor = 1.f / sqrtf(total / columns + epsilon);
#pragma unroll
  for (int c = 0; c < kNormChunks; ++c) {
    if (c * kNormThreads * 8 >= columns) {
      break;
    }
    const int at = norm_column(c);
    const bool inside = at < columns;
    EightFloats normed = {};
    if (inside) {
      const EightFloats gains = c == 0 ? first_gain : load8(gain + at);
#pragma unroll
      for (int i = 0; i < 8; ++i) {
        normed.value[i] = chunks[c].value[i] * (factor * gains.value[i]);
      }
    }
    store8(to, blockIdx.x, at, inside, normed);
  }
}

}  // namespace spark_mla
