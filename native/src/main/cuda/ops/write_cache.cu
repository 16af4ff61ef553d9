// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Writes tokens into one layer of the paged cache, bf16 [blocks, 64, latent + rope], from bf16 or
// float32 [rows, latent + rope]: RMS norm of the latent, rotation of the rope key and rounding in one
// pass. Beside that it rotates queries of the first rows, which are as small a work.
//
// Launch: thread blocks of four warps. In the first a warp has a token; a lane holds latent / 32 elements of the
// latent, and one pair of the rope key. In the others a thread has a pair of a query's head.

#include "../cached_token.cuh"
#include "../warp.cuh"
#include "ops.h"
#include "rotation.cuh"
#include "../rows.cuh"

namespace spark_mla {
namespace {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * 32;

__host__ __device__ __forceinline__ int token_blocks(int rows) { return (rows + kWarps - 1) / kWarps; }

template <typename In, int kLatent, int kRope>
__global__ void __launch_bounds__(kThreads) write_cache_kernel(
    const spark_mla_write_cache_args p) {
  static_assert(kLatent % (8 * 32) == 0 && kRope <= 64);
  constexpr int kChunks = kLatent / 8 / 32;
  constexpr int kPairs = kRope / 2;
  launch_dependents();
  const int query_block = static_cast<int>(blockIdx.x) - token_blocks(p.rows);
  if (query_block >= 0) {
    const RotatedHeads heads{static_cast<const __nv_bfloat16*>(p.queries), p.queries_stride,
                             p.queries_head, static_cast<__nv_bfloat16*>(p.rotated),
                             p.rotated_stride, p.rotated_head, p.query_rows, p.heads};
    rotate_heads<kPairs>(heads, static_cast<int64_t>(query_block) * (kThreads / kPairs), p.angles,
                         p.position, p.positions, p.interleaved != 0);
    return;
  }
  const int row = blockIdx.x * kWarps + threadIdx.x / 32;
  const int lane = threadIdx.x % 32;
  const int slot = row < p.rows ? p.slot[row] : -1;
  const int position = row < p.rows ? p.position[row] : 0;
  EightFloats gain[kChunks];
#pragma unroll
  for (int c = 0; c < kChunks; ++c) {
    gain[c] = load8(p.gain + (c * 32 + lane) * 8);
  }
  wait_for_previous_kernel();
  if (slot < 0 || slot / SPARK_MLA_PAGE_TOKENS >= p.blocks) {
    return;
  }
  const In* from = static_cast<const In*>(p.in) + row * p.in_stride;
  CachedToken to(static_cast<__nv_bfloat16*>(p.cache) +
                 static_cast<int64_t>(slot) * (kLatent + kRope));
  EightFloats chunks[kChunks];
  float sum = 0.f;
#pragma unroll
  for (int c = 0; c < kChunks; ++c) {
    chunks[c] = load8(from + (c * 32 + lane) * 8);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      sum = fmaf(chunks[c].value[i], chunks[c].value[i], sum);
    }
  }
  const float factor = 1.f / sqrtf(warp_sum(sum) / kLatent + p.epsilon);
#pragma unroll
  for (int c = 0; c < kChunks; ++c) {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      chunks[c].value[i] *= factor * gain[c].value[i];
    }
    to.store8((c * 32 + lane) * 8, chunks[c]);
  }
  if (lane < kPairs) {
    const RotaryPair<kPairs> pair(lane, p.interleaved != 0);
    const Rotation<kPairs> rotate(p.angles, position, p.positions, lane);
    const float2 rotated = rotate(static_cast<float>(from[kLatent + pair.first]),
                                  static_cast<float>(from[kLatent + pair.second]));
    to.store(kLatent + pair.first, rotated.x);
    to.store(kLatent + pair.second, rotated.y);
  }
}

template <int kLatent, int kRope>
cudaError_t launch(const spark_mla_write_cache_args& args) {
  constexpr int kHeads = kThreads / (kRope / 2);  // of a thread block
  const int64_t heads = static_cast<int64_t>(args.query_rows) * args.heads;
  const int64_t query_blocks = (heads + kHeads - 1) / kHeads;
  const LaunchShape shape{dim3(static_cast<unsigned>(token_blocks(args.rows) + query_blocks)),
                          dim3(kThreads)};
  return launch_dependent(args.in_type == SPARK_MLA_FLOAT32
                              ? write_cache_kernel<float, kLatent, kRope>
                              : write_cache_kernel<__nv_bfloat16, kLatent, kRope>,
                          shape, static_cast<cudaStream_t>(args.stream), args);
}

// The sizes of a token that kernels are built for.
struct Built {
  int latent;
  int rope;
  cudaError_t (*launch)(const spark_mla_write_cache_args&);
};

constexpr Built kBuilt[] = {
    {512, 64, launch<512, 64>},
    {256, 64, launch<256, 64>},
    {256, 32, launch<256, 32>},
};

const Built* find(int latent, int rope) {
  for (const Built& built : kBuilt) {
    if (built.latent == latent && built.rope == rope) {
      return &built;
    }
  }
  return nullptr;
}

}  // namespace

bool cache_supported(int latent, int rope) { return find(latent, rope) != nullptr; }

cudaError_t launch_write_cache(const spark_mla_write_cache_args& args) {
  return find(args.latent_dim, args.rope_dim)->launch(args);
}

}  // namespace spark_mla
