// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// What the two GEMM kernels of e4m3 values share (gemm.cu for few rows, gemm_many_rows.cu for many): what
// they are asked for, the loading of scales, how a thread block begins.
#pragma once

#include <cuda.h>
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdint>

#include "../grouped_gemm.cuh"
#include "../tensor_map.h"
#include "float8.h"
#include "quantize.cuh"
#include "spark_mla_ops.h"

namespace spark_mla {

constexpr int kFloat8RowBytes = 128;  // of a stage: one swizzle row, one scale
constexpr int kFloat8MaxGroups = 512;

// What a GEMM writes.
enum class Float8Result {
  kMatrix,     // c = tokens weights^T, bf16 or float32, or added to float32 c
  kActivated,  // silu(gate) * up of weights that are gate and up, quantized again
};

struct Float8GemmArgs {
  CUtensorMap weights;
  CUtensorMap tokens;         // [rows, columns]
  const float* token_scales;  // [column blocks, rows]
  int64_t token_scales_stride;
  const float* weight_scales;
  int32_t scaling;
  int weight_rows;    // of a group; of gate alone in kActivated
  int weight_tiles;
  int column_blocks;  // that are computed
  int scale_blocks;   // of 128 columns that there are
  int weight_scales_stride;
  int groups;
  const int32_t* first_row;  // null: one group of all rows
  const int32_t* first_tile;
  int rows;
  void* out;  // kMatrix: [rows, weight_rows]; kActivated: e4m3 [rows, weight_rows]
  int64_t out_stride;
  int32_t out_type;
  int32_t add;
  float* out_scales;
  int64_t out_scales_stride;
};

// A GEMM to be launched: the kernel's arguments but for their tensor maps and what follows from a tile's
// size, and what these describe.
struct Float8Gemm {
  Float8GemmArgs args = {};
  Float8Tokens tokens;
  const void* weights;
  int64_t weights_stride;
  int columns;
  cudaStream_t stream;
};

// Fills in what depends on the tile: `box_tokens` tokens come with one copy.
template <Float8Result kResult>
cudaError_t describe_tiles(Float8Gemm& gemm, const TensorMapEncoder& encoder, int tile_weight_rows,
                           int box_tokens) {
  Float8GemmArgs& p = gemm.args;
  p.scale_blocks = float8_blocks(gemm.columns);
  p.column_blocks = p.scale_blocks;
  p.weight_scales_stride = float8_scales_stride(gemm.columns);
  p.token_scales = gemm.tokens.scales;
  p.token_scales_stride = gemm.tokens.scales_stride;
  const int64_t rows = (kResult == Float8Result::kActivated ? 2 : 1) * int64_t{p.weight_rows};
  p.weight_tiles = static_cast<int>((rows + tile_weight_rows - 1) / tile_weight_rows);
  return encode_map<3>(encoder, &p.tokens, gemm.tokens.values, {gemm.columns, p.rows, 1},
                       {gemm.tokens.stride, 0}, {kScaleColumns, box_tokens, 1},
                       CU_TENSOR_MAP_L2_PROMOTION_L2_256B, kFloat8);
}

// Thread blocks of a launch. How many tiles groups have is known on the device only.
inline int thread_blocks(const Float8GemmArgs& p, int tile_tokens, int multiprocessors) {
  const int64_t tiles =
      int64_t{(p.rows + tile_tokens - 1) / tile_tokens} * p.weight_tiles;
  return p.first_row != nullptr
             ? multiprocessors
             : static_cast<int>(std::min<int64_t>(tiles, multiprocessors));
}

// The GEMM for many rows, dense or grouped in tiles of kManyRowsTile tokens.
constexpr int kManyRowsTile = 128;
cudaError_t launch_float8_many_rows(Float8Gemm& gemm, Float8Result result, int multiprocessors);

// Begins a thread block: barriers of the stages, groups' tables in shared memory. After a dense GEMM the next
// kernel may start at once, and bring in what does not depend on this one, where a multiprocessor is free or
// becomes it; experts let it start later (Float8Loading). Their tables are complete here (experts/gemm.cu).
template <class C, class Shared>
__device__ __forceinline__ void begin_float8_gemm(const Float8GemmArgs& p, Shared& shared) {
  if (threadIdx.x == 0) {
    prefetch_tensor_map(&p.weights);
    prefetch_tensor_map(&p.tokens);
    for (int stage = 0; stage < C::kStages; ++stage) {
      mbarrier_init(shared_address(&shared.full[stage]), 1 + 32);
      mbarrier_init(shared_address(&shared.empty[stage]), C::kConsumerWarps);
    }
    fence_mbarrier_init();
  }
  if (p.first_row == nullptr) {
    launch_dependents();
  }
  for (int i = threadIdx.x; i <= p.groups; i += blockDim.x) {
    shared.first_row[i] = p.first_row != nullptr ? p.first_row[i] : i * p.rows;
    shared.first_tile[i] = p.first_row != nullptr ? p.first_tile[i]
                                                  : i * ((p.rows + C::kTokens - 1) / C::kTokens);
  }
  __syncthreads();
}

// What the loading warpgroup of a thread block does. One thread starts the copies of values, those of weights
// before the kernel before has ended. A warp copies scales, one by one, since the copy engine wants
// multiples of 16 bytes while a tile's tokens begin anywhere.
template <class C, Float8Result kResult, class Shared, class Loader>
class Float8Loading {
 public:
  static __device__ __forceinline__ void run(const Float8GemmArgs& p, Shared& shared) {
    if (threadIdx.x == 0) {
      load(p, shared);
    } else {
      wait_for_previous_kernel();
    }
    __syncwarp();
    if (threadIdx.x / 32 == 1) {
      load_scales(p, shared);
    }
  }

 private:
  static __device__ __forceinline__ void load(const Float8GemmArgs& p, Shared& shared) {
    Loader loader(p, shared);
    TileWalker<1> walker(shared.first_row, shared.first_tile, p.groups, p.weight_tiles);
    Stage<C::kStages> stage;
    Tile tile;
    bool more = walker.next(tile);
    Stage<C::kStages> early;
    int blocks = 0;
    for (; more && blocks < p.column_blocks && early.parity == 0; ++blocks) {
      loader.weights(tile, blocks, early);
      early.advance();
    }
    wait_for_previous_kernel();
    launch_dependents();  // of experts: the last kernel, which sums, reads out before it waits
    int block = 0;
    for (; block < blocks; ++block) {
      loader.tokens(tile, block, stage);
      stage.advance();
    }
    for (; more; more = walker.next(tile), block = 0) {
      for (; block < p.column_blocks; ++block) {
        loader.weights(tile, block, stage);
        loader.tokens(tile, block, stage);
        stage.advance();
      }
    }
  }

  // By channel there are no scales of weights here: they are applied to the whole sums.
  static __device__ __forceinline__ void load_scales(const Float8GemmArgs& p, Shared& shared) {
    TileWalker<1> walker(shared.first_row, shared.first_tile, p.groups, p.weight_tiles);
    const int lane = threadIdx.x % 32;
    const int row_blocks = float8_blocks(p.weight_rows);
    Stage<C::kStages> stage;
    Tile tile;
    while (walker.next(tile)) {
      // The row of blocks whose scales lane 0 or 1 copies.
      const int64_t row_block =
          kResult == Float8Result::kActivated
              ? (int64_t{2} * tile.group + lane) * row_blocks + tile.weight_tile
              : int64_t{tile.group} * row_blocks +
                    min((tile.weight_tile * C::kWeightRows + lane * C::kScaledRows) / kScaleRows,
                        row_blocks - 1);
      for (int i = 0; i < p.column_blocks; ++i) {
        const int block = min(i, p.scale_blocks - 1);
        mbarrier_wait(shared_address(&shared.empty[stage.index]), stage.parity ^ 1);
        // Tokens past the last are not written; they take any scale.
        const float* from = p.token_scales + block * p.token_scales_stride;
        for (int token = lane; token < C::kTokens; token += 32) {
          copy_async_4(shared_address(&shared.token_scales[stage.index][token]),
                       from + min(tile.first_row + token, p.rows - 1));
        }
        if (lane < 2 && p.scaling == SPARK_MLA_FLOAT8_BLOCK) {
          copy_async_4(shared_address(&shared.weight_scales[stage.index][lane]),
                       p.weight_scales + row_block * p.weight_scales_stride + block);
        }
        mbarrier_arrive_after_copies(shared_address(&shared.full[stage.index]));
        stage.advance();
      }
    }
  }
};

}  // namespace spark_mla
