// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// The experts written plainly in float32 on CUDA cores: what tests compare the tensor core kernels
// with. Shapes as in spark_mla_experts_args.
//
// Launch: a thread block of 512 for each row; a warp computes one element of an activation or result.

#include <cuda_bf16.h>

#include "../warp.cuh"
#include "experts.h"

namespace spark_mla {
namespace {

constexpr int kThreads = 512;
constexpr int kWarps = kThreads / 32;

// The dot product of a row of weights with a vector in shared memory, the same in every lane.
__device__ __forceinline__ float dot(const __nv_bfloat16* weights, const float* vector, int size,
                                     int lane) {
  float sum = 0.f;
  for (int i = 2 * lane; i < size; i += 64) {
    const float2 w = __bfloat1622float2(*reinterpret_cast<const __nv_bfloat162*>(weights + i));
    sum = fmaf(w.x, vector[i], fmaf(w.y, vector[i + 1], sum));
  }
  return warp_sum(sum);
}

// Shared memory: the row [hidden], an expert's activations [width], the sum of results [hidden].
__global__ void __launch_bounds__(kThreads) experts_reference_kernel(
    const spark_mla_experts_args a) {
  extern __shared__ float shared[];
  float* x = shared;
  float* active = x + a.hidden;
  float* sum = active + a.width;
  const int64_t row = blockIdx.x;
  if (a.valid_rows != nullptr && row >= *a.valid_rows) {
    return;
  }
  const int warp = threadIdx.x / 32;
  const int lane = threadIdx.x % 32;
  const auto* in = static_cast<const __nv_bfloat16*>(a.x) + row * a.x_stride;
  for (int i = threadIdx.x; i < a.hidden; i += kThreads) {
    x[i] = __bfloat162float(in[i]);
    sum[i] = 0.f;
  }
  for (int choice = 0; choice < a.per_token; ++choice) {
    const int64_t expert = a.ids[row * a.per_token + choice];
    if (expert < 0 || expert >= a.experts) {
      continue;
    }
    const float weight = a.weights[row * a.per_token + choice];
    const auto* gate = static_cast<const __nv_bfloat16*>(a.gate_up) + expert * 2 * a.width * a.hidden;
    const auto* up = gate + static_cast<int64_t>(a.width) * a.hidden;
    const auto* down = static_cast<const __nv_bfloat16*>(a.down) + expert * a.hidden * a.width;
    __syncthreads();
    for (int64_t i = warp; i < a.width; i += kWarps) {
      const float g = dot(gate + i * a.hidden, x, a.hidden, lane);
      const float u = dot(up + i * a.hidden, x, a.hidden, lane);
      if (lane == 0) {
        active[i] = __bfloat162float(__float2bfloat16_rn(g / (1.f + expf(-g)) * u));
      }
    }
    __syncthreads();
    for (int64_t i = warp; i < a.hidden; i += kWarps) {
      const float result = dot(down + i * a.width, active, a.width, lane);
      if (lane == 0) {
        sum[i] = fmaf(weight, result, sum[i]);
      }
    }
  }
  __syncthreads();
  for (int i = threadIdx.x; i < a.hidden; i += kThreads) {
    a.out[row * a.out_stride + i] += sum[i];
  }
}

size_t shared_bytes(const spark_mla_experts_args& args) {
  return sizeof(float) * (2 * static_cast<size_t>(args.hidden) + args.width);
}

}  // namespace

bool experts_reference_supported(const spark_mla_experts_args& args) {
  return shared_bytes(args) <= 227 * 1024;
}

cudaError_t launch_experts_reference(const spark_mla_experts_args& args) {
  const size_t shared = shared_bytes(args);
  const cudaError_t error = cudaFuncSetAttribute(
      experts_reference_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared));
  if (error != cudaSuccess) {
    return error;
  }
  experts_reference_kernel<<<args.rows, kThreads, shared, static_cast<cudaStream_t>(args.stream)>>>(
      args);
  return cudaGetLastError();
}

}  // namespace spark_mla
