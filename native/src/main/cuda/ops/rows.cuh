// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// What the kernels that go row by row share: eight elements at a time, sums over a warp and a block,
// and a launch that lets a kernel's blocks move in while the previous kernel's leave.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime_api.h>

#include <cstdint>
#include <utility>

#include "../hopper.cuh"

namespace spark_mla {

// Launches dependent on what came before in the stream: the kernel must call
// wait_for_previous_kernel() before it touches memory.
template <typename... Parameters, typename... Arguments>
cudaError_t launch_dependent(void (*kernel)(Parameters...), dim3 grid, dim3 block, void* stream,
                             Arguments&&... arguments) {
  cudaLaunchAttribute attribute;
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = block;
  config.stream = static_cast<cudaStream_t>(stream);
  config.attrs = &attribute;
  config.numAttrs = 1;
  return cudaLaunchKernelEx(&config, kernel, std::forward<Arguments>(arguments)...);
}

__device__ __forceinline__ void begin_dependent() {
  launch_dependents();
  wait_for_previous_kernel();
}

struct Eight {
  float value[8];
};

__device__ __forceinline__ Eight load_eight(const __nv_bfloat16* from) {
  const uint4 raw = *reinterpret_cast<const uint4*>(from);
  const __nv_bfloat162* pairs = reinterpret_cast<const __nv_bfloat162*>(&raw);
  Eight result;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float2 pair = __bfloat1622float2(pairs[i]);
    result.value[2 * i] = pair.x;
    result.value[2 * i + 1] = pair.y;
  }
  return result;
}

__device__ __forceinline__ Eight load_eight(const float* from) {
  Eight result;
  *reinterpret_cast<float4*>(result.value) = *reinterpret_cast<const float4*>(from);
  *reinterpret_cast<float4*>(result.value + 4) = *reinterpret_cast<const float4*>(from + 4);
  return result;
}

__device__ __forceinline__ void store_eight(__nv_bfloat16* to, const Eight& eight) {
  uint4 raw;
  __nv_bfloat162* pairs = reinterpret_cast<__nv_bfloat162*>(&raw);
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    pairs[i] = __floats2bfloat162_rn(eight.value[2 * i], eight.value[2 * i + 1]);
  }
  *reinterpret_cast<uint4*>(to) = raw;
}

__device__ __forceinline__ void store_eight(float* to, const Eight& eight) {
  *reinterpret_cast<float4*>(to) = *reinterpret_cast<const float4*>(eight.value);
  *reinterpret_cast<float4*>(to + 4) = *reinterpret_cast<const float4*>(eight.value + 4);
}

__device__ __forceinline__ float sum_over_warp(float value) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) {
    value += __shfl_xor_sync(0xffffffffu, value, offset);
  }
  return value;
}

// The angles of one pair at a row's position.
struct Turn {
  float cosine;
  float sine;

  __device__ __forceinline__ Turn(const float* angles, int position, int positions, int pair) {
    const float* row = angles + static_cast<int64_t>(min(max(position, 0), positions - 1)) * 64;
    cosine = row[pair];
    sine = row[32 + pair];
  }

  __device__ __forceinline__ float2 operator()(float x, float y) const {
    return make_float2(x * cosine - y * sine, y * cosine + x * sine);
  }
};

// Where the two elements of a pair lie among 64.
struct Pair {
  int first;
  int second;

  __device__ __forceinline__ Pair(int pair, bool interleaved)
      : first(interleaved ? 2 * pair : pair), second(interleaved ? 2 * pair + 1 : pair + 32) {}
};

}  // namespace spark_mla
