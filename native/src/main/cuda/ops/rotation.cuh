// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Rotary position embedding of one pair of elements (Su et al. 2021, arXiv:2104.09864), as the kernels
// that rotate queries and keys share it.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

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

}  // namespace spark_mla
