// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Conversion to and from e4m3:
//   quantize_kernel    bf16 or float32 [rows, columns] to e4m3 and float32 scales [ceil(columns / 128),
//                      rows]
//   dequantize_kernel  e4m3 weights [rows, columns] and their scales to bf16
//
// Launch: thread blocks of 256 that stride over the elements, eight columns a thread; 16 lanes share a
// scale in quantize_kernel.

#include "float8.h"
#include "quantize.cuh"
#include "spark_mla_ops.h"

namespace spark_mla {
namespace {

constexpr int kThreads = 256;
constexpr int kGroupLanes = kScaleColumns / 8;
constexpr int64_t kMaxBlocks = 132 * 16;  // 16 for each multiprocessor of an H100

LaunchShape shape_for(int64_t threads) {
  const int64_t blocks = (threads + kThreads - 1) / kThreads;
  return {dim3(static_cast<unsigned>(blocks < kMaxBlocks ? blocks : kMaxBlocks)), dim3(kThreads)};
}

template <typename In>
__global__ void __launch_bounds__(kThreads) quantize_kernel(
    const spark_mla_float8_quantize_args p) {
  begin_dependent();
  const int groups = float8_blocks(p.columns);
  const int64_t count = static_cast<int64_t>(p.rows) * groups;
  const int lane = threadIdx.x % kGroupLanes;
  // Whole warps stay in the loop until both their groups are past the end.
  for (int64_t first = (static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x / 32 * 32) /
                       kGroupLanes;
       first < count; first += static_cast<int64_t>(gridDim.x) * kThreads / kGroupLanes) {
    const int64_t i = first + threadIdx.x % 32 / kGroupLanes;
    const int64_t row = i / groups;
    const int group = static_cast<int>(i % groups);
    const int column = group * kScaleColumns + 8 * lane;
    const bool inside = i < count && column < p.columns;
    EightFloats values = {};
    if (inside) {
      values = load8(static_cast<const In*>(p.in) + row * p.in_stride + column);
    }
    const float largest = largest_of_group(largest_of(values));
    if (inside) {
      *reinterpret_cast<uint2*>(static_cast<uint8_t*>(p.out) + row * p.out_stride + column) =
          quantize8(values, float8_inverse_scale(largest));
      if (lane == 0) {
        p.out_scales[group * p.out_scales_stride + row] = float8_scale(largest);
      }
    }
  }
}

__device__ __forceinline__ float2 floats_of(uint32_t pair) {
  const __half2_raw halves =
      __nv_cvt_fp8x2_to_halfraw2(static_cast<__nv_fp8x2_storage_t>(pair), __NV_E4M3);
  return __half22float2(halves);
}

__global__ void __launch_bounds__(kThreads) dequantize_kernel(
    const spark_mla_float8_dequantize_args p) {
  begin_dependent();
  const int chunks = p.columns / 8;
  const int64_t count = static_cast<int64_t>(p.rows) * chunks;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < count;
       i += static_cast<int64_t>(gridDim.x) * kThreads) {
    const int64_t row = i / chunks;
    const int column = static_cast<int>(i % chunks) * 8;
    const float scale = p.scaling == SPARK_MLA_FLOAT8_CHANNEL
                            ? p.weight_scales[row]
                            : p.weight_scales[row / kScaleRows * float8_scales_stride(p.columns) +
                                              column / kScaleColumns];
    const uint2 raw = *reinterpret_cast<const uint2*>(static_cast<const uint8_t*>(p.weights) +
                                                      row * p.weights_stride + column);
    EightFloats values;
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const float2 pair = floats_of((j < 2 ? raw.x : raw.y) >> 16 * (j % 2) & 0xffff);
      values.value[2 * j] = pair.x * scale;
      values.value[2 * j + 1] = pair.y * scale;
    }
    store8(static_cast<__nv_bfloat16*>(p.out) + row * p.out_stride + column, values);
  }
}

}  // namespace

cudaError_t launch_float8_quantize(const spark_mla_float8_quantize_args& args) {
  const int64_t groups = static_cast<int64_t>(args.rows) * float8_blocks(args.columns);
  return launch_dependent(
      args.in_type == SPARK_MLA_FLOAT32 ? quantize_kernel<float> : quantize_kernel<__nv_bfloat16>,
      shape_for(groups * kGroupLanes), static_cast<cudaStream_t>(args.stream), args);
}

cudaError_t launch_float8_dequantize(const spark_mla_float8_dequantize_args& args) {
  return launch_dependent(dequantize_kernel,
                          shape_for(static_cast<int64_t>(args.rows) * (args.columns / 8)),
                          static_cast<cudaStream_t>(args.stream), args);
}

}  // namespace spark_mla
