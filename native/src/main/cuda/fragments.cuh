// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// What threads of a warp do with their registers of a wgmma accumulator: of every 8 columns, a
// thread holds the pair 2 * (lane % 4) of row lane / 4 and of the row 8 below; the four lanes of a
// row are a quad.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <cstring>

#include "warp.cuh"

namespace spark_mla {

__device__ __forceinline__ uint32_t pack_bf16(float low, float high) {
  const __nv_bfloat162 packed = __floats2bfloat162_rn(low, high);
  uint32_t bits;
  memcpy(&bits, &packed, sizeof(bits));
  return bits;
}

__device__ __forceinline__ uint32_t pack_half(float low, float high) {
  const __half2 packed = __floats2half2_rn(low, high);
  uint32_t bits;
  memcpy(&bits, &packed, sizeof(bits));
  return bits;
}

// Four lanes that hold one 4-byte word of each of four 16-byte chunks exchange them so that each
// holds one whole chunk: lane i chunk i.
__device__ __forceinline__ void transpose_quad(uint32_t (&word)[4], int lane) {
  const bool odd = lane & 1;
  const bool upper = lane & 2;
#pragma unroll
  for (int i = 0; i < 4; i += 2) {
    const uint32_t sent = odd ? word[i] : word[i + 1];
    const uint32_t received = __shfl_xor_sync(0xffffffffu, sent, 1);
    if (odd) {
      word[i] = received;
    } else {
      word[i + 1] = received;
    }
  }
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const uint32_t sent = upper ? word[i] : word[i + 2];
    const uint32_t received = __shfl_xor_sync(0xffffffffu, sent, 2);
    if (upper) {
      word[i] = received;
    } else {
      word[i + 2] = received;
    }
  }
}

}  // namespace spark_mla
