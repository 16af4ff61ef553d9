// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// The grouped GEMMs of all experts on tensor cores, in two persistent kernels. Row r of the sorted
// tokens belongs to expert e(r) (sort.cu):
//   gate and up  activated[r] = silu(gate_e sorted[r]) * (up_e sorted[r])   [choices, width]
//   down         results[r]   = down_e activated[r]                         [choices, hidden]
//
// Weights are wgmma's A operand, 128 rows a thread block, and tokens its B operand, so that an expert
// with few tokens costs little more than reading its weights. A tile is up to 16, 64, 128 or 256
// tokens of one expert by the 128 weight rows of a thread block, or the 256 of a cluster of two.
//
// Launch: 384 threads on every multiprocessor. One warpgroup loads, two compute, each 64 of the weight
// rows by all tokens of a tile. Rows of gate and up alternate by eights in shared memory, so that a
// thread holds both halves of an activation. docs/kernels.md tells more.

#include <cuda_bf16.h>

#include "../float8/float8.h"
#include "../fragments.cuh"
#include "../grouped_gemm.cuh"
#include "../hopper.cuh"
#include "../launch.cuh"
#include "../tensor_map.h"
#include "../wgmma.cuh"
#include "experts.h"

namespace spark_mla {
namespace {

constexpr int kThreads = 384;
constexpr int kWarpgroup = 128;
constexpr int kConsumerWarps = 8;
constexpr int kWeightRows = 128;                            // of a thread block's tile
constexpr int kBoxColumns = 64;                             // one 128-byte swizzle row of bf16
constexpr int kRowBytes = kBoxColumns * 2;
constexpr int kWeightBoxBytes = kWeightRows * kRowBytes;
constexpr int kStoredTokens = 64;                           // that pass through shared memory at once

enum class Projection { kGateUp, kDown };

// How a kernel is built: tokens of a tile, tokens of one TMA copy, thread blocks of a cluster (which
// share a tile's tokens), 64-column boxes of a stage, stages of the pipeline.
template <int kTokens_, int kBoxTokens_, int kCluster_, int kBoxes_, int kStages_>
struct Configuration {
  static constexpr int kTokens = kTokens_;
  static constexpr int kBoxTokens = kBoxTokens_;
  static constexpr int kCluster = kCluster_;
  static constexpr int kBoxes = kBoxes_;
  static constexpr int kStages = kStages_;
  static constexpr int kTokenBoxBytes = kBoxTokens * kRowBytes;
  static constexpr int kStored = kTokens < kStoredTokens ? kTokens : kStoredTokens;
};

using Tokens16 = Configuration<16, 16, 1, 2, 6>;
using Tokens64 = Configuration<64, 16, 1, 2, 4>;
using Tokens128 = Configuration<128, 16, 2, 1, 6>;
using Tokens256 = Configuration<256, 64, 2, 1, 4>;

template <class C>
struct alignas(1024) SharedStorage {
  uint8_t weights[C::kStages][C::kBoxes][kWeightBoxBytes];
  uint8_t tokens[C::kStages][C::kBoxes][C::kTokens * kRowBytes];
  uint8_t stored[2][C::kStored * kRowBytes];
  int first_row[kMaxExperts + 1];
  int first_tile[kMaxExperts + 1];
  uint64_t full[C::kStages];
  uint64_t empty[C::kStages];
};

struct GemmArgs {
  CUtensorMap weights;
  CUtensorMap tokens;  // [1, 1, choices, columns]
  const int32_t* first_row;
  const int32_t* first_tile;
  __nv_bfloat16* out;  // [choices, out_columns]
  int out_columns;
  int experts;
  int weight_tiles;  // of a cluster
  int column_boxes;
};

// ---- Loading ------------------------------------------------------------------------------------

template <class C, Projection kProjection>
class Loader {
 public:
  __device__ __forceinline__ Loader(const GemmArgs& p, SharedStorage<C>& shared)
      : p_(p), shared_(shared), rank_(C::kCluster > 1 ? cluster_rank() : 0) {}

  // Waits for the stage, announces what comes into it, asks for the weights.
  __device__ __forceinline__ void weights(const Tile& tile, int box, const Stage<C::kStages>& stage) {
    mbarrier_wait(shared_address(&shared_.empty[stage.index]), stage.parity ^ 1);
    const uint32_t full = shared_address(&shared_.full[stage.index]);
    const int token_boxes = (tile.rows + C::kBoxTokens - 1) / C::kBoxTokens;
    mbarrier_arrive_expect(full,
                           C::kBoxes * (kWeightBoxBytes + token_boxes * C::kTokenBoxBytes));
    const int first = (tile.weight_tile * C::kCluster + rank_) * kWeightRows;
#pragma unroll
    for (int i = 0; i < C::kBoxes; ++i) {
      const uint32_t to = shared_address(shared_.weights[stage.index][i]);
      const int column = (box + i) * kBoxColumns;
      if (kProjection == Projection::kGateUp) {
        tma_load_4d(to, &p_.weights, full, column, 0, 2 * tile.group, first / 16, kPolicy);
      } else {
        tma_load_4d(to, &p_.weights, full, column, first, tile.group, 0, kPolicy);
      }
    }
  }

  __device__ __forceinline__ void tokens(const Tile& tile, int box, const Stage<C::kStages>& stage) {
    const uint32_t full = shared_address(&shared_.full[stage.index]);
    const int token_boxes = (tile.rows + C::kBoxTokens - 1) / C::kBoxTokens;
#pragma unroll
    for (int i = 0; i < C::kBoxes; ++i) {
      const uint32_t to = shared_address(shared_.tokens[stage.index][i]);
      const int column = (box + i) * kBoxColumns;
      for (int j = rank_; j < token_boxes; j += C::kCluster) {
        const int row = tile.first_row + j * C::kBoxTokens;
        if (C::kCluster == 1) {
          tma_load_4d(to + j * C::kTokenBoxBytes, &p_.tokens, full, column, row, 0, 0,
                      kEvictNormal);
        } else {
          tma_load_4d_multicast(to + j * C::kTokenBoxBytes, &p_.tokens, full, column, row, 0, 0,
                                (1 << C::kCluster) - 1, kEvictNormal);
        }
      }
    }
  }

 private:
  // Where an expert has few tokens its weights are read once.
  static constexpr uint64_t kPolicy = C::kTokens < 256 ? kEvictFirst : kEvictNormal;
  const GemmArgs& p_;
  SharedStorage<C>& shared_;
  const int rank_;
};

template <class C, Projection kProjection>
__device__ __forceinline__ void load(const GemmArgs& p, SharedStorage<C>& shared) {
  Loader<C, kProjection> loader(p, shared);
  TileWalker<C::kCluster> walker(shared.first_row, shared.first_tile, p.experts, p.weight_tiles);
  Stage<C::kStages> stage;
  Tile tile;
  bool more = walker.next(tile);
  // Weights do not wait for the kernel before; tokens and activations do.
  Stage<C::kStages> early;
  int boxes = 0;
  for (; more && boxes < p.column_boxes && early.parity == 0; boxes += C::kBoxes) {
    loader.weights(tile, boxes, early);
    early.advance();
  }
  wait_for_previous_kernel();
  launch_dependents();  // not sooner: the last kernel, which sums, reads out before it waits
  int box = 0;
  for (; box < boxes; box += C::kBoxes) {
    loader.tokens(tile, box, stage);
    stage.advance();
  }
  for (; more; more = walker.next(tile), box = 0) {
    for (; box < p.column_boxes; box += C::kBoxes) {
      loader.weights(tile, box, stage);
      loader.tokens(tile, box, stage);
      stage.advance();
    }
  }
}

// ---- Computing ----------------------------------------------------------------------------------

// Writes a warpgroup's half of a tile: its columns of each of the tokens.
template <class C, Projection kProjection>
__device__ __forceinline__ void store(const GemmArgs& p, SharedStorage<C>& shared,
                                      const Tile& tile, int rank, int side,
                                      const float (&sums)[C::kTokens / 2]) {
  constexpr int kBytes = kProjection == Projection::kGateUp ? 64 : 128;  // of a token
  constexpr int kChunks = kBytes / 16;
  const int thread = threadIdx.x % kWarpgroup;
  const int warp = thread / 32;
  const int lane = thread % 32;
  uint8_t* stored = shared.stored[side];
  const uint32_t base = shared_address(stored);
  const int first_column =
      ((tile.weight_tile * C::kCluster + rank) * kWeightRows + side * 64) /
      (kProjection == Projection::kGateUp ? 2 : 1);
#pragma unroll
  for (int first = 0; first < C::kTokens; first += C::kStored) {
    if (first >= tile.rows) {
      break;
    }
#pragma unroll
    for (int token = 0; token < C::kStored; token += 16) {
      const float* s = &sums[(first + token) / 2];
      if (kProjection == Projection::kGateUp) {
        const int mine = token + (lane & 15);
        stmatrix_x2_transposed(base + stored_byte<kBytes>(mine, warp),
                               pack_bf16(activate(s[0], s[2]), activate(s[1], s[3])),
                               pack_bf16(activate(s[4], s[6]), activate(s[5], s[7])));
      } else {
        const int mine = token + (lane & 7) + (lane & 16) / 2;
        stmatrix_x4_transposed(base + stored_byte<kBytes>(mine, 2 * warp + (lane >> 3 & 1)),
                               pack_bf16(s[0], s[1]), pack_bf16(s[2], s[3]), pack_bf16(s[4], s[5]),
                               pack_bf16(s[6], s[7]));
      }
    }
    named_barrier_sync(1 + side, kWarpgroup);
    for (int i = thread; i < C::kStored * kChunks; i += kWarpgroup) {
      const int token = i / kChunks;
      const int column = first_column + i % kChunks * 8;
      if (first + token < tile.rows && column < p.out_columns) {
        const int64_t row = tile.first_row + first + token;
        *reinterpret_cast<uint4*>(p.out + row * p.out_columns + column) =
            *reinterpret_cast<const uint4*>(stored + stored_byte<kBytes>(token, i % kChunks));
      }
    }
    named_barrier_sync(1 + side, kWarpgroup);
  }
}

// The GEMM of a tile of up to kTokens tokens, into the sums of the first kTokens.
template <class C, int kTokens>
__device__ __forceinline__ void multiply(const GemmArgs& p, SharedStorage<C>& shared, int side,
                                         Stage<C::kStages>& stage, float (&sums)[C::kTokens / 2]) {
  auto& used = reinterpret_cast<float(&)[kTokens / 2]>(sums);
  for (int box = 0; box < p.column_boxes; box += C::kBoxes) {
    mbarrier_wait(shared_address(&shared.full[stage.index]), stage.parity);
    pin(used);
    wgmma_fence();
#pragma unroll
    for (int i = 0; i < C::kBoxes; ++i) {
      const uint64_t weights = wgmma_descriptor(
          shared_address(shared.weights[stage.index][i]) + side * (kWeightBoxBytes / 2), 0);
      const uint64_t tokens = wgmma_descriptor(shared_address(shared.tokens[stage.index][i]), 0);
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        wgmma_ss(used, weights + 2 * k, tokens + 2 * k, box + i + k > 0);
      }
    }
    wgmma_commit();
    pin(used);
    wgmma_wait<1>();
    if (box > 0) {
      release<C::kCluster>(shared.empty[stage.previous()]);
    }
    stage.advance();
  }
  wgmma_wait<0>();
  pin(used);
  release<C::kCluster>(shared.empty[stage.previous()]);
}

template <class C, Projection kProjection>
__device__ __forceinline__ void compute(const GemmArgs& p, SharedStorage<C>& shared, int side) {
  const int rank = C::kCluster > 1 ? cluster_rank() : 0;
  TileWalker<C::kCluster> walker(shared.first_row, shared.first_tile, p.experts, p.weight_tiles);
  Stage<C::kStages> stage;
  Tile tile;
  while (walker.next(tile)) {
    float sums[C::kTokens / 2];
    if constexpr (C::kTokens == 256) {
      // As wide as the tile needs, in steps of 32 tokens; most tiles have more than half.
      if (tile.rows > 224) {
        multiply<C, 256>(p, shared, side, stage, sums);
      } else if (tile.rows > 192) {
        multiply<C, 224>(p, shared, side, stage, sums);
      } else if (tile.rows > 160) {
        multiply<C, 192>(p, shared, side, stage, sums);
      } else if (tile.rows > 128) {
        multiply<C, 160>(p, shared, side, stage, sums);
      } else {
        multiply<C, 128>(p, shared, side, stage, sums);
      }
    } else {
      multiply<C, C::kTokens>(p, shared, side, stage, sums);
    }
    store<C, kProjection>(p, shared, tile, rank, side, sums);
  }
}

template <class C, Projection kProjection>
__global__ void __launch_bounds__(kThreads, 1) gemm_kernel(
    const __grid_constant__ GemmArgs p) {
  extern __shared__ uint8_t dynamic_shared[];
  auto& shared = *reinterpret_cast<SharedStorage<C>*>(
      (reinterpret_cast<uintptr_t>(dynamic_shared) + 1023) & ~static_cast<uintptr_t>(1023));
  if (threadIdx.x == 0) {
    prefetch_tensor_map(&p.weights);
    prefetch_tensor_map(&p.tokens);
    for (int stage = 0; stage < C::kStages; ++stage) {
      mbarrier_init(shared_address(&shared.full[stage]), 1);
      mbarrier_init(shared_address(&shared.empty[stage]), kConsumerWarps * C::kCluster);
    }
    fence_mbarrier_init();
  }
  // Tokens are sorted by now, though they may still be copied: the kernel that copies them lets the next one of
  // its stream start when the sort is over, and other streams wait for its end.
  for (int i = threadIdx.x; i <= p.experts; i += kThreads) {
    shared.first_row[i] = p.first_row[i];
    shared.first_tile[i] = p.first_tile[i];
  }
  __syncthreads();
  if (C::kCluster > 1) {
    cluster_sync();
  }
  // Of 504 for the three warpgroups. Each way to divide them spills in the other kernel.
  constexpr bool kSmallLoader = C::kTokens == 256 && kProjection == Projection::kDown;
  constexpr int kLoaderRegisters = kSmallLoader ? 40 : 56;
  constexpr int kConsumerRegisters = kSmallLoader ? 232 : 224;
  const int warpgroup = threadIdx.x / kWarpgroup;
  if (warpgroup == 0) {
    release_registers<kLoaderRegisters>();
    if (threadIdx.x == 0) {
      load<C, kProjection>(p, shared);
    } else {
      wait_for_previous_kernel();
    }
    __syncwarp();
  } else {
    claim_registers<kConsumerRegisters>();
    compute<C, kProjection>(p, shared, warpgroup - 1);
  }
  if (C::kCluster > 1) {
    cluster_sync();
  }
}

// ---- Host ---------------------------------------------------------------------------------------

template <class C, Projection kProjection>
cudaError_t launch(GemmArgs& p, const TensorMapEncoder& encoder, const void* tokens,
                   int64_t choices, int columns, int weight_rows, int multiprocessors,
                   cudaStream_t stream) {
  const cudaError_t encoded = encode_map<4>(encoder, &p.tokens, tokens, {columns, choices, 1, 1},
                                            {columns, 0, 0}, {kBoxColumns, C::kBoxTokens, 1, 1});
  if (encoded != cudaSuccess) {
    return encoded;
  }
  constexpr int kClusterRows = kWeightRows * C::kCluster;
  p.weight_tiles = (weight_rows + kClusterRows - 1) / kClusterRows;
  p.column_boxes = (columns + kBoxColumns - 1) / kBoxColumns;
  constexpr size_t kShared = sizeof(SharedStorage<C>);
  static_assert(kShared <= 227 * 1024);
  const LaunchShape shape{dim3(multiprocessors / C::kCluster * C::kCluster), dim3(kThreads), kShared,
                          C::kCluster};
  return launch_dependent(gemm_kernel<C, kProjection>, shape, stream, p);
}

template <class C>
cudaError_t launch(const spark_mla_experts_args& args, int multiprocessors) {
  TensorMapEncoder encoder;
  cudaError_t error = find_encoder(&encoder);
  if (error != cudaSuccess) {
    return error;
  }
  const ExpertsWorkspace workspace = experts_workspace(args);
  char* base = static_cast<char*>(args.workspace);
  auto* sorted = reinterpret_cast<__nv_bfloat16*>(base + workspace.sorted);
  auto* activated = reinterpret_cast<__nv_bfloat16*>(base + workspace.activated);
  const int64_t choices = static_cast<int64_t>(args.rows) * args.per_token;
  const int64_t hidden = args.hidden;
  const int64_t width = args.width;
  const auto stream = static_cast<cudaStream_t>(args.stream);
  GemmArgs p = {};
  p.first_row = reinterpret_cast<const int32_t*>(base + workspace.first_row);
  p.first_tile = reinterpret_cast<const int32_t*>(base + workspace.first_tile);
  p.experts = args.experts;

  // [groups of 8 rows, gate and up of each expert, 8 rows, hidden]: a box takes groups of gate and of
  // up by turns.
  error = encode_map<4>(encoder, &p.weights, args.gate_up,
                        {hidden, 8, 2 * args.experts, width / 8},
                        {hidden, width * hidden, 8 * hidden}, {kBoxColumns, 8, 2, 8});
  if (error != cudaSuccess) {
    return error;
  }
  p.out = activated;
  p.out_columns = args.width;
  error = launch<C, Projection::kGateUp>(p, encoder, sorted, choices, args.hidden, 2 * args.width,
                                   multiprocessors, stream);
  if (error != cudaSuccess) {
    return error;
  }

  error = encode_map<4>(encoder, &p.weights, args.down, {width, hidden, args.experts, 1},
                        {width, hidden * width, 0}, {kBoxColumns, kWeightRows, 1, 1});
  if (error != cudaSuccess) {
    return error;
  }
  p.out = sorted;
  p.out_columns = args.hidden;
  return launch<C, Projection::kDown>(p, encoder, activated, choices, args.width, args.hidden,
                                multiprocessors, stream);
}

}  // namespace

int experts_tile_tokens(const spark_mla_experts_args& args) {
  const int64_t choices = static_cast<int64_t>(args.rows) * args.per_token;
  const int64_t mean = choices / args.experts;
  if (args.scaling != 0) {
    return float8_tile_tokens(mean);
  }
  return mean <= 8 ? 16 : mean <= 48 ? 64 : mean <= 96 ? 128 : 256;
}

cudaError_t launch_experts_gemm(const spark_mla_experts_args& args, int multiprocessors) {
  switch (experts_tile_tokens(args)) {
    case 16:
      return launch<Tokens16>(args, multiprocessors);
    case 64:
      return launch<Tokens64>(args, multiprocessors);
    case 128:
      return launch<Tokens128>(args, multiprocessors);
    default:
      return launch<Tokens256>(args, multiprocessors);
  }
}

}  // namespace spark_mla
