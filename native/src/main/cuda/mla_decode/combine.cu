// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Merges the pieces of each sequence that was cut: out = sum over pieces of exp2(lse_i - lse) out_i.
// Launched dependent on the decode kernel, so that its blocks move in as that one's leave.
//
// Two mappings: with few pieces a warp takes a whole row; with many, a block of 16 warps takes 128
// columns of one row and each warp every 16th piece. Both add in the same order (pieces 0, 16, 32...
// then 1, 17, ...; then these sums in order), so a result does not depend on which one ran.

#include <cuda_bf16.h>
#include <math_constants.h>

#include "../hopper.cuh"
#include "mla_decode.h"

namespace spark_mla {
namespace {

constexpr int kOrder = 16;           // pieces that far apart are added first
constexpr int kRowsPerBlock = 8;     // few pieces: one for each warp
constexpr int kManySplits = 12;      // from so many expected pieces on, spread them over warps
constexpr int kColumnsPerBlock = 128;

struct CombineArgs {
  const float* partial_out;
  const float* partial_lse;
  const int32_t* num_splits;
  __nv_bfloat16* out;
  int64_t out_stride_batch;
  int64_t out_stride_token;
  int64_t out_stride_head;
  float* lse;
  int s_q;
  int h_q;
  int h_kv;
  int group;
  int rows;
};

__device__ __forceinline__ float warp_max(float value) {
  for (int offset = 16; offset > 0; offset /= 2) {
    value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, offset));
  }
  return value;
}

__device__ __forceinline__ float warp_sum(float value) {
  for (int offset = 16; offset > 0; offset /= 2) {
    value += __shfl_xor_sync(0xffffffffu, value, offset);
  }
  return value;
}

// Base-2 log-sum-exp over all pieces of a row, the same in every lane; -infinity where the row sees
// no key.
__device__ __forceinline__ float merged_lse(const float* lse, int64_t stride, int splits, int lane) {
  float top = -CUDART_INF_F;
  for (int i = lane; i < splits; i += 32) {
    top = fmaxf(top, lse[i * stride]);
  }
  top = warp_max(top);
  if (top == -CUDART_INF_F) {
    return top;
  }
  float sum = 0.f;
  for (int i = lane; i < splits; i += 32) {
    sum += exp2f(lse[i * stride] - top);
  }
  return top + log2f(warp_sum(sum));
}

__device__ __forceinline__ float weight_of(float lse, float merged) {
  return merged == -CUDART_INF_F ? 0.f : exp2f(lse - merged);
}

__device__ __forceinline__ void add_weighted(float4& sum, float weight, float4 value) {
  sum.x = __fmaf_rn(weight, value.x, sum.x);
  sum.y = __fmaf_rn(weight, value.y, sum.y);
  sum.z = __fmaf_rn(weight, value.z, sum.z);
  sum.w = __fmaf_rn(weight, value.w, sum.w);
}

__device__ __forceinline__ void add(float4& sum, float4 value) {
  sum.x = __fadd_rn(sum.x, value.x);
  sum.y = __fadd_rn(sum.y, value.y);
  sum.z = __fadd_rn(sum.z, value.z);
  sum.w = __fadd_rn(sum.w, value.w);
}

__device__ __forceinline__ void store(__nv_bfloat16* out, float4 value) {
  const __nv_bfloat162 pair[2] = {__floats2bfloat162_rn(value.x, value.y),
                                  __floats2bfloat162_rn(value.z, value.w)};
  *reinterpret_cast<uint2*>(out) = *reinterpret_cast<const uint2*>(pair);
}

// Where row `row` of head group `head_kv` goes.
struct Target {
  __nv_bfloat16* out;
  float* lse;

  __device__ __forceinline__ Target(const CombineArgs& p, int sequence, int head_kv, int row) {
    const int token = row / p.group;
    const int head = head_kv * p.group + row % p.group;
    out = p.out + sequence * p.out_stride_batch + token * p.out_stride_token +
          head * p.out_stride_head;
    lse = p.lse + (static_cast<int64_t>(sequence) * p.h_q + head) * p.s_q + token;
  }

  __device__ __forceinline__ void write_lse(float merged) const {
    *lse = merged == -CUDART_INF_F ? CUDART_INF_F : merged * 0.69314718055994531f;
  }
};

// num_splits is older than the decode kernel, so a block that has nothing to merge need not wait for
// that one. The first block waits always: this kernel must not end before it.
__device__ __forceinline__ bool is_first_block() {
  return blockIdx.x == 0 && blockIdx.y == 0 && blockIdx.z == 0;
}

// Grid: (ceil(h_kv * rows / kRowsPerBlock), batch); a warp for each row.
template <int kLatent>
__global__ void __launch_bounds__(kRowsPerBlock * 32, 2) combine_few_kernel(const CombineArgs p) {
  constexpr int kChunks = kLatent / 128;  // float4 of a lane
  const int sequence = blockIdx.y;
  const int first = p.num_splits[sequence];
  const int splits = p.num_splits[sequence + 1] - first;
  if (splits == 1 && !is_first_block()) {
    return;
  }
  wait_for_previous_kernel();
  if (splits == 1) {
    return;
  }
  const int lane = threadIdx.x % 32;
  const int flat = blockIdx.x * kRowsPerBlock + threadIdx.x / 32;
  const int slots = p.h_kv * p.rows;
  if (flat >= slots) {
    return;
  }
  const float* lse = p.partial_lse + static_cast<int64_t>(first) * slots + flat;
  const float merged = merged_lse(lse, slots, splits, lane);
  const float* value =
      p.partial_out + (static_cast<int64_t>(first) * slots + flat) * kLatent + lane * 4;
  const int64_t stride = static_cast<int64_t>(slots) * kLatent;
  float4 total[kChunks];
  for (int start = 0; start < min(splits, kOrder); ++start) {
    float4 sum[kChunks] = {};
#pragma unroll 2
    for (int i = start; i < splits; i += kOrder) {
      const float weight = weight_of(lse[static_cast<int64_t>(i) * slots], merged);
#pragma unroll
      for (int j = 0; j < kChunks; ++j) {
        add_weighted(sum[j], weight,
                     __ldcs(reinterpret_cast<const float4*>(value + i * stride + j * 128)));
      }
    }
#pragma unroll
    for (int j = 0; j < kChunks; ++j) {
      if (start == 0) {
        total[j] = sum[j];
      } else {
        add(total[j], sum[j]);
      }
    }
  }
  const Target target(p, sequence, flat / p.rows, flat % p.rows);
#pragma unroll
  for (int j = 0; j < kChunks; ++j) {
    store(target.out + j * 128 + lane * 4, total[j]);
  }
  if (lane == 0) {
    target.write_lse(merged);
  }
}

// Grid: (kLatent / kColumnsPerBlock, h_kv * rows, batch); a warp for every kOrder-th piece.
template <int kLatent>
__global__ void __launch_bounds__(kOrder * 32) combine_many_kernel(const CombineArgs p) {
  __shared__ float4 sums[kOrder][32];
  const int sequence = blockIdx.z;
  const int first = p.num_splits[sequence];
  const int splits = p.num_splits[sequence + 1] - first;
  if (splits == 1 && !is_first_block()) {
    return;
  }
  wait_for_previous_kernel();
  if (splits == 1) {
    return;
  }
  const int warp = threadIdx.x / 32;
  const int lane = threadIdx.x % 32;
  const int flat = blockIdx.y;
  const int slots = p.h_kv * p.rows;
  const int column = blockIdx.x * kColumnsPerBlock + lane * 4;
  const float* lse = p.partial_lse + static_cast<int64_t>(first) * slots + flat;
  const float* value = p.partial_out + (static_cast<int64_t>(first) * slots + flat) * kLatent + column;
  const int64_t stride = static_cast<int64_t>(slots) * kLatent;
  // The loads of values do not wait for the weights.
  constexpr int kAhead = 9;
  float4 early[kAhead];
#pragma unroll
  for (int i = 0; i < kAhead; ++i) {
    const int split = warp + i * kOrder;
    if (split < splits) {
      early[i] = __ldcs(reinterpret_cast<const float4*>(value + split * stride));
    }
  }
  const float merged = merged_lse(lse, slots, splits, lane);
  float4 sum = {};
#pragma unroll
  for (int i = 0; i < kAhead; ++i) {
    const int split = warp + i * kOrder;
    if (split < splits) {
      add_weighted(sum, weight_of(lse[static_cast<int64_t>(split) * slots], merged), early[i]);
    }
  }
  for (int split = warp + kAhead * kOrder; split < splits; split += kOrder) {
    add_weighted(sum, weight_of(lse[static_cast<int64_t>(split) * slots], merged),
                 __ldcs(reinterpret_cast<const float4*>(value + split * stride)));
  }
  sums[warp][lane] = sum;
  __syncthreads();
  if (warp == 0) {
    float4 total = sum;
    for (int i = 1; i < min(splits, kOrder); ++i) {
      add(total, sums[i][lane]);
    }
    const Target target(p, sequence, flat / p.rows, flat % p.rows);
    store(target.out + column, total);
    if (lane == 0 && blockIdx.x == 0) {
      target.write_lse(merged);
    }
  }
}

template <int kLatent>
cudaError_t launch(const CombineArgs& combine, int batch, bool many, cudaStream_t stream) {
  cudaLaunchAttribute attribute;
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config = {};
  config.stream = stream;
  config.attrs = &attribute;
  config.numAttrs = 1;
  const int slots = combine.h_kv * combine.rows;
  if (many) {
    config.gridDim = dim3(kLatent / kColumnsPerBlock, slots, batch);
    config.blockDim = dim3(kOrder * 32);
    return cudaLaunchKernelEx(&config, combine_many_kernel<kLatent>, combine);
  }
  config.gridDim = dim3((slots + kRowsPerBlock - 1) / kRowsPerBlock, batch);
  config.blockDim = dim3(kRowsPerBlock * 32);
  return cudaLaunchKernelEx(&config, combine_few_kernel<kLatent>, combine);
}

}  // namespace

cudaError_t launch_decode_combine(const spark_mla_decode_args& args, const DecodeShape& shape) {
  CombineArgs combine;
  combine.partial_out = static_cast<const float*>(args.workspace);
  combine.partial_lse = combine.partial_out + static_cast<int64_t>(shape.max_splits) * args.h_kv *
                                                  shape.rows * args.latent_dim;
  combine.num_splits = args.num_splits;
  combine.out = static_cast<__nv_bfloat16*>(args.out);
  combine.out_stride_batch = args.out_stride_batch;
  combine.out_stride_token = args.out_stride_token;
  combine.out_stride_head = args.out_stride_head;
  combine.lse = args.lse;
  combine.s_q = args.s_q;
  combine.h_q = args.h_q;
  combine.h_kv = args.h_kv;
  combine.group = args.h_q / args.h_kv;
  combine.rows = shape.rows;
  const bool many =
      shape.max_splits / args.batch >= kManySplits && combine.h_kv * combine.rows <= 65535;
  const auto stream = static_cast<cudaStream_t>(args.stream);
  return args.latent_dim == 512 ? launch<512>(combine, args.batch, many, stream)
                                : launch<256>(combine, args.batch, many, stream);
}

}  // namespace spark_mla
