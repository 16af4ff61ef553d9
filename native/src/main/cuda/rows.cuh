// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// What kernels that work row by row share: the start of a kernel that is launched dependent on the one
// before, and loads and stores of eight elements at a time, computed on in float32.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime_api.h>

#include "hopper.cuh"
#include "launch.cuh"

namespace spark_mla {

// Lets the next kernel's thread blocks start as soon as there is room, then waits until the previous
// kernel's writes are visible. Every kernel that launch_dependent() launches begins with it, or with its two
// halves: between them it may read what was complete before. That is what precedes a copy, a kernel that is launched
// without dependence, or one that waits before it lets the next start; not what the kernels in between wrote, since
// these may have let the next start before they waited.
__device__ __forceinline__ void begin_dependent() {
  launch_dependents();
  wait_for_previous_kernel();
}

struct EightFloats {
  float value[8];
};

__device__ __forceinline__ EightFloats unpack8(const uint4& raw) {
  const __nv_bfloat162* pairs = reinterpret_cast<const __nv_bfloat162*>(&raw);
  EightFloats result;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float2 pair = __bfloat1622float2(pairs[i]);
    result.value[2 * i] = pair.x;
    result.value[2 * i + 1] = pair.y;
  }
  return result;
}

__device__ __forceinline__ EightFloats load8(const __nv_bfloat16* from) {
  return unpack8(*reinterpret_cast<const uint4*>(from));
}

__device__ __forceinline__ EightFloats load8(const float* from) {
  EightFloats result;
  *reinterpret_cast<float4*>(result.value) = *reinterpret_cast<const float4*>(from);
  *reinterpret_cast<float4*>(result.value + 4) = *reinterpret_cast<const float4*>(from + 4);
  return result;
}

// Eight bf16 values, the first in the low half of x.
__device__ __forceinline__ uint4 pack8(const EightFloats& values) {
  uint4 raw;
  __nv_bfloat162* pairs = reinterpret_cast<__nv_bfloat162*>(&raw);
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    pairs[i] = __floats2bfloat162_rn(values.value[2 * i], values.value[2 * i + 1]);
  }
  return raw;
}

__device__ __forceinline__ void store8(__nv_bfloat16* to, const EightFloats& values) {
  *reinterpret_cast<uint4*>(to) = pack8(values);
}

__device__ __forceinline__ void store8(float* to, const EightFloats& values) {
  *reinterpret_cast<float4*>(to) = *reinterpret_cast<const float4*>(values.value);
  *reinterpret_cast<float4*>(to + 4) = *reinterpret_cast<const float4*>(values.value + 4);
}

}  // namespace spark_mla
