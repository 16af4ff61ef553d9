// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Reductions and scans over the 32 lanes of a warp, and over quads (the four lanes that hold a row of
// a wgmma accumulator). All lanes must call; where a result is the same for all lanes, it is the same
// bit for bit.
#pragma once

namespace spark_mla {

constexpr unsigned kAllLanes = 0xffffffffu;

// The sum of every lane's value, in every lane.
template <typename T>
__device__ __forceinline__ T warp_sum(T value) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) {
    value += __shfl_xor_sync(kAllLanes, value, offset);
  }
  return value;
}

// The largest of every lane's value, in every lane. Of float and double, NaN counts as missing.
template <typename T>
__device__ __forceinline__ T warp_max(T value) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) {
    value = max(value, __shfl_xor_sync(kAllLanes, value, offset));
  }
  return value;
}

// The sum of the values of this lane and the lanes before it.
template <typename T>
__device__ __forceinline__ T warp_inclusive_sum(T value) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int offset = 1; offset < 32; offset *= 2) {
    const T other = __shfl_up_sync(kAllLanes, value, offset);
    value += lane >= offset ? other : T{};
  }
  return value;
}

__device__ __forceinline__ float quad_max(float value) {
  value = fmaxf(value, __shfl_xor_sync(kAllLanes, value, 1));
  return fmaxf(value, __shfl_xor_sync(kAllLanes, value, 2));
}

__device__ __forceinline__ float quad_sum(float value) {
  value += __shfl_xor_sync(kAllLanes, value, 1);
  return value + __shfl_xor_sync(kAllLanes, value, 2);
}

}  // namespace spark_mla
