// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// New tokens into the paged cache: norm of the latent, rope of the key, rounding and the write in one
// pass, a warp a token.

#include "ops.h"
#include "rows.cuh"

namespace spark_mla {
namespace {

constexpr int kWarps = 4;
constexpr int kLatent = 512;
constexpr int kWidth = kLatent + 64;
constexpr int kChunks = kLatent / 8 / 32;

template <typename In>
__device__ __forceinline__ float one(const In* from) {
  return static_cast<float>(*from);
}

template <typename In>
__global__ void __launch_bounds__(kWarps * 32) write_cache_kernel(
    const spark_mla_write_cache_args p) {
  begin_dependent();
  const int row = blockIdx.x * kWarps + threadIdx.x / 32;
  const int lane = threadIdx.x % 32;
  if (row >= p.rows || p.slot[row] < 0) {
    return;
  }
  const In* from = static_cast<const In*>(p.in) + row * p.in_stride;
  __nv_bfloat16* to =
      static_cast<__nv_bfloat16*>(p.cache) + static_cast<int64_t>(p.slot[row]) * kWidth;
  Eight chunks[kChunks];
  float sum = 0.f;
#pragma unroll
  for (int c = 0; c < kChunks; ++c) {
    chunks[c] = load_eight(from + (c * 32 + lane) * 8);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      sum = fmaf(chunks[c].value[i], chunks[c].value[i], sum);
    }
  }
  const float factor = 1.f / sqrtf(sum_over_warp(sum) / kLatent + p.epsilon);
#pragma unroll
  for (int c = 0; c < kChunks; ++c) {
    const int at = (c * 32 + lane) * 8;
    const Eight gain = load_eight(p.gain + at);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      chunks[c].value[i] *= factor * gain.value[i];
    }
    store_eight(to + at, chunks[c]);
  }
  const Pair pair(lane, p.interleaved != 0);
  const Turn turn(p.angles, p.position[row], p.positions, lane);
  const float2 turned = turn(one(from + kLatent + pair.first), one(from + kLatent + pair.second));
  to[kLatent + pair.first] = __float2bfloat16_rn(turned.x);
  to[kLatent + pair.second] = __float2bfloat16_rn(turned.y);
}

}  // namespace

cudaError_t launch_write_cache(const spark_mla_write_cache_args& args) {
  return launch_dependent(args.in_type == SPARK_MLA_FLOAT32 ? write_cache_kernel<float>
                                                            : write_cache_kernel<__nv_bfloat16>,
                          (args.rows + kWarps - 1) / kWarps, kWarps * 32, args.stream, args);
}

}  // namespace spark_mla
