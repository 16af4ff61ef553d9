// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Quantizing to e4m3: a scale for 128 columns, their largest absolute value / 448, and each element
// divided by it. Every kernel that quantizes does it with these functions, so that equal rows give
// equal bits.
#pragma once

#include <cuda_fp8.h>

#include <cstdint>

#include "../rows.cuh"

namespace spark_mla {

constexpr int kScaleColumns = 128;  // of a row that share a scale
constexpr float kLargestE4m3 = 448.f;
constexpr float kSmallestLargest = 0x1p-96f;  // below it the reciprocal of a scale would overflow

__device__ __forceinline__ float float8_scale(float largest) {
  return largest > 0.f ? fmaxf(largest, kSmallestLargest) * (1.f / kLargestE4m3) : 1.f;
}

__device__ __forceinline__ float float8_inverse_scale(float largest) {
  return largest > 0.f ? __fdividef(kLargestE4m3, fmaxf(largest, kSmallestLargest)) : 1.f;
}

// Two values, the first in the low byte.
__device__ __forceinline__ uint32_t pack_e4m3(float first, float second) {
  return __nv_cvt_float2_to_fp8x2(make_float2(first, second), __NV_SATFINITE, __NV_E4M3);
}

__device__ __forceinline__ float largest_of(const EightFloats& values) {
  float largest = 0.f;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    largest = fmaxf(largest, fabsf(values.value[i]));
  }
  return largest;
}

// The largest in the 16 lanes, each with eight columns, that share a scale.
__device__ __forceinline__ float largest_of_group(float largest) {
#pragma unroll
  for (int offset = kScaleColumns / 8 / 2; offset > 0; offset /= 2) {
    largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, offset));
  }
  return largest;
}

__device__ __forceinline__ uint2 quantize8(const EightFloats& values, float inverse_scale) {
  const float* v = values.value;
  const float s = inverse_scale;
  return make_uint2(pack_e4m3(v[0] * s, v[1] * s) | pack_e4m3(v[2] * s, v[3] * s) << 16,
                    pack_e4m3(v[4] * s, v[5] * s) | pack_e4m3(v[6] * s, v[7] * s) << 16);
}

// Where a kernel writes rows that GEMMs read: as bf16, as e4m3 with scales, or as both.
struct GemmRows {
  void* out;  // null: not as bf16
  int64_t out_stride;
  void* float8;  // null: not as e4m3
  int64_t float8_stride;
  float* scales;
  int64_t scales_stride;
};

template <typename Args>
__device__ __forceinline__ GemmRows gemm_rows(const Args& p) {
  return {p.out,           p.out_stride, p.float8_out, p.float8_stride, p.float8_scales,
          p.float8_scales_stride};
}

// Writes eight columns of a row. All lanes of a warp call; 16 of them hold 128 columns from a multiple
// of 128 on. Those that are not inside hold zeros, of columns past the end.
__device__ __forceinline__ void store8(const GemmRows& to, int64_t row, int column, bool inside,
                                       const EightFloats& values) {
  const uint4 rounded = pack8(values);
  if (inside && to.out != nullptr) {
    *reinterpret_cast<uint4*>(static_cast<__nv_bfloat16*>(to.out) + row * to.out_stride + column) =
        rounded;
  }
  if (to.float8 == nullptr) {
    return;
  }
  const EightFloats wide = unpack8(rounded);
  const float largest = largest_of_group(largest_of(wide));
  if (inside) {
    *reinterpret_cast<uint2*>(static_cast<uint8_t*>(to.float8) + row * to.float8_stride + column) =
        quantize8(wide, float8_inverse_scale(largest));
    if (column % kScaleColumns == 0) {
      to.scales[column / kScaleColumns * to.scales_stride + row] = float8_scale(largest);
    }
  }
}

}  // namespace spark_mla
