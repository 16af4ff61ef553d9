// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Rotary position embedding of one pair of elements (Su et al. 2021, arXiv:2104.09864), as the kernels
// that rotate queries and keys share it.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime_api.h>

#include <cstdint>

#include "../hopper.cuh"

namespace spark_mla {

// Where the two elements of a pair are among the 2 * kPairs elements of a head: next to each other
// (interleaved), or in the first and second half.
template <int kPairs>
struct RotaryPair {
  int first;
  int second;

  __device__ __forceinline__ RotaryPair(int pair, bool interleaved)
      : first(interleaved ? 2 * pair : pair),
        second(interleaved ? 2 * pair + 1 : pair + kPairs) {}
};

// The rotation of one pair by the angle that it has at a row's position. `angles` is what
// spark_mla_rope_table writes; a position outside of it uses the nearest inside.
template <int kPairs>
struct Rotation {
  float cosine;
  float sine;

  __device__ __forceinline__ Rotation(const float* angles, int position, int positions, int pair) {
    const float* row =
        angles + static_cast<int64_t>(min(max(position, 0), positions - 1)) * (2 * kPairs);
    cosine = row[pair];
    sine = row[kPairs + pair];
  }

  __device__ __forceinline__ float2 operator()(float x, float y) const {
    return make_float2(x * cosine - y * sine, y * cosine + x * sine);
  }
};

// Heads that are rotated: rope elements of bf16 [rows, heads].
struct RotatedHeads {
  const __nv_bfloat16* in;
  int64_t in_stride;
  int64_t in_head;
  __nv_bfloat16* out;
  int64_t out_stride;
  int64_t out_head;
  int rows;
  int heads;
};

// Rotates a pair of each of the heads from first_head on, counted over all rows: a thread for each pair. Waits for
// the kernel before.
template <int kPairs>
__device__ __forceinline__ void rotate_heads(const RotatedHeads& p, int64_t first_head,
                                             const float* angles, const int32_t* positions,
                                             int position_count, bool interleaved) {
  const int64_t task = first_head + threadIdx.x / kPairs;
  const int64_t row = task / p.heads;
  const int position = row < p.rows ? positions[row] : 0;
  wait_for_previous_kernel();
  if (row >= p.rows) {
    return;
  }
  const int head = static_cast<int>(task % p.heads);
  const int index = threadIdx.x % kPairs;
  const __nv_bfloat16* in = p.in + row * p.in_stride + head * p.in_head;
  __nv_bfloat16* out = p.out + row * p.out_stride + head * p.out_head;
  const RotaryPair<kPairs> pair(index, interleaved);
  const Rotation<kPairs> rotate(angles, position, position_count, index);
  const float2 rotated =
      rotate(__bfloat162float(in[pair.first]), __bfloat162float(in[pair.second]));
  out[pair.first] = __float2bfloat16_rn(rotated.x);
  out[pair.second] = __float2bfloat16_rn(rotated.y);
}

}  // namespace spark_mla
