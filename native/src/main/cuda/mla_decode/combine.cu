// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Merges the splits of each sequence that several parts share (merge.cuh says how). Launched
// dependent on the decode kernel: its thread blocks start while the last ones of that kernel still
// run, and wait for it.
//
// Its time is that of a few trips to L2 and of fetching its own instructions, so it has few of
// these, and work is spread so that every block is resident. A row is cut into tiles of kColumns
// columns; 1 to 16 warps merge a tile, or one warp all tiles of a row. A tile's warps share out its
// partial sums.

#include <math_constants.h>

#include "../hopper.cuh"
#include "../launch.cuh"
#include "../warp.cuh"
#include "merge.cuh"
#include "mla_decode.h"

namespace spark_mla {
namespace {

struct CombineArgs {
  SplitResults results;
  const int32_t* metadata;
  const int32_t* num_splits;
  __nv_bfloat16* out;
  int64_t out_stride_batch;
  int64_t out_stride_token;
  int64_t out_stride_head;
  float* lse;
  int batch;
  int s_q;
  int h_q;
  int h_kv;
  int group;
  int rows;
  int max_splits;
  int parts;
};

template <int kTileWarps>
constexpr int kWarps = kTileWarps == 16 ? 16 : 8;  // of a thread block
constexpr int kResidentWarps = 32;                 // of a multiprocessor

// A warp's loads of 16 bytes a lane cover kLoads tiles of a row. Grid: (thread blocks for all tiles
// of h_kv * rows rows, sequences at a time).
template <int kLatent, int kTileWarps, int kLoads>
__global__ void __launch_bounds__(kWarps<kTileWarps> * 32,
                                  kLoads > 1 ? 3 : kResidentWarps / kWarps<kTileWarps>)
    combine_kernel(const CombineArgs p) {
  constexpr int kTiles = kWarps<kTileWarps> / kTileWarps;
  constexpr int kRowTiles = kLatent / (kColumns * kLoads);  // of a row
  static_assert(kTileWarps == 1 || kLoads == 1);
  __shared__ Columns partial_sums[kTileWarps > 1 ? kTiles : 1][kPartialSums][32];

  const int lane = threadIdx.x % 32;
  const int warp = threadIdx.x / 32;
  const int tile = warp / kTileWarps;  // of the block
  const int warp_of_tile = warp % kTileWarps;
  const int index = blockIdx.x * kTiles + tile;
  const int all_rows = p.h_kv * p.rows;
  const int flat_row = index / kRowTiles;
  const bool exists = flat_row < all_rows;
  const int column = index % kRowTiles * kColumns;  // of the tile

#pragma unroll 1
  for (int k = blockIdx.y;; k += gridDim.y) {
    // The table is older than the decode kernel: this need not wait for that one.
    const int sequence = k < p.parts
                             ? p.metadata[k * SPARK_MLA_METADATA_WIDTH + kSharedSequence]
                             : p.batch;
    // Where few sequences are merged, all before this one mostly are too: its number of splits is
    // then read beside the table, not after it.
    int first = k < p.batch ? p.num_splits[k] : 0;
    int end = k < p.batch ? p.num_splits[k + 1] : 0;
    const bool ends = sequence == p.batch;
    if (!ends && sequence != k) {
      first = p.num_splits[sequence];
      end = p.num_splits[sequence + 1];
    }
    // A block without work need not wait, but this kernel must not end before the decode kernel.
    if (!ends || (blockIdx.x == 0 && blockIdx.y == 0)) {
      wait_for_previous_kernel();
      launch_dependents();
    }
    if (ends) {
      return;
    }
    const RowSplits row = RowSplits::of<kLatent>(p.results, p.max_splits, all_rows, flat_row, column,
                                                 lane, first, end - first);
    const int partial_count = exists ? row.partial_sums() : 0;

    float merged = CUDART_INF_F;
    Columns total[kLoads] = {};
#pragma unroll 1
    for (int of = warp_of_tile; of < partial_count; of += kTileWarps) {
      Columns sum[kLoads] = {};
      row.partial_sum<kChunk / kLoads>(of, lane, merged, sum);
#pragma unroll
      for (int j = 0; j < kLoads; ++j) {
        if (kTileWarps > 1) {
          partial_sums[tile][of][lane] = sum[j];
        } else {
          total[j].add(sum[j]);
        }
      }
    }

    if (kTileWarps > 1) {
      __syncthreads();
    }
    if (exists) {
      const Target target(p, sequence, flat_row / p.rows, flat_row % p.rows);
      if (kTileWarps == 1) {
#pragma unroll
        for (int j = 0; j < kLoads; ++j) {
          total[j].store(target.out + column + j * kColumns, lane);
        }
      } else if (warp_of_tile < 4) {
        // Four of the tile's warps, a pair of columns a thread.
        const int pair = warp_of_tile * 32 + lane;
        float2 pair_total = {};
#pragma unroll 4
        for (int of = 0; of < partial_count; ++of) {
          const float2 add = reinterpret_cast<const float2*>(partial_sums[tile][of])[pair];
          pair_total.x = __fadd_rn(pair_total.x, add.x);
          pair_total.y = __fadd_rn(pair_total.y, add.y);
        }
        *reinterpret_cast<uint32_t*>(target.out + column + Columns::column_of(pair / 4, pair % 4)) =
            pack_bf16(pair_total.x, pair_total.y);
      }
      if (warp_of_tile == 0 && lane == 0 && column == 0) {
        target.write_lse(merged);
      }
    }
    if (kTileWarps > 1) {
      __syncthreads();
    }
  }
}

template <int kLatent, int kTileWarps, int kLoads>
cudaError_t launch(const CombineArgs& combine, int cut, int multiprocessors, cudaStream_t stream) {
  constexpr int kTiles = kWarps<kTileWarps> / kTileWarps;
  const int tiles = combine.h_kv * combine.rows * (kLatent / (kColumns * kLoads));
  const int blocks = (tiles + kTiles - 1) / kTiles;
  const int resident = multiprocessors * (kResidentWarps / kWarps<kTileWarps>);
  const LaunchShape shape{dim3(blocks, min(cut, max(1, resident / blocks))),
                          dim3(kWarps<kTileWarps> * 32)};
  return launch_dependent(combine_kernel<kLatent, kTileWarps, kLoads>, shape, stream, combine);
}

// `cut` sequences at most are to be merged, of about `splits` each. As many warps a tile as there
// are chunks, as long as all thread blocks are resident at once; whole rows where even single
// warps would not be.
template <int kLatent>
cudaError_t launch(const CombineArgs& combine, int cut, int splits, int multiprocessors,
                   cudaStream_t stream) {
  const int64_t tiles =
      static_cast<int64_t>(combine.h_kv) * combine.rows * cut * (kLatent / kColumns);
  const auto fits = [&](int warps) {
    return tiles * warps <= static_cast<int64_t>(multiprocessors) * kResidentWarps;
  };
  if (splits > 8 * kChunk && fits(16)) {
    return launch<kLatent, 16, 1>(combine, cut, multiprocessors, stream);
  }
  if (splits > 4 * kChunk && fits(8)) {
    return launch<kLatent, 8, 1>(combine, cut, multiprocessors, stream);
  }
  if (splits > 2 * kChunk && fits(4)) {
    return launch<kLatent, 4, 1>(combine, cut, multiprocessors, stream);
  }
  return fits(1) ? launch<kLatent, 1, 1>(combine, cut, multiprocessors, stream)
                 : launch<kLatent, 1, kLatent / kColumns>(combine, cut, multiprocessors, stream);
}

}  // namespace

cudaError_t launch_decode_combine(const spark_mla_decode_args& args, const DecodeShape& shape) {
  CombineArgs combine;
  combine.results = split_results(args, shape);
  combine.max_splits = shape.max_splits;
  combine.num_splits = args.num_splits;
  combine.out = static_cast<__nv_bfloat16*>(args.out);
  combine.out_stride_batch = args.out_stride_batch;
  combine.out_stride_token = args.out_stride_token;
  combine.out_stride_head = args.out_stride_head;
  combine.lse = args.lse;
  combine.batch = args.batch;
  combine.s_q = args.s_q;
  combine.h_q = args.h_q;
  combine.h_kv = args.h_kv;
  combine.group = args.h_q / args.h_kv;
  combine.rows = shape.rows;
  combine.metadata = args.metadata;
  combine.parts = shape.parts;
  const auto stream = static_cast<cudaStream_t>(args.stream);
  // Parts begin within so many sequences at most.
  const int cut = min(args.batch, max(1, shape.parts - 1));
  const int splits = shape.max_splits / args.batch;
  const int multiprocessors = shape.parts * shape.row_tiles * args.h_kv;
  return args.latent_dim == 512 ? launch<512>(combine, cut, splits, multiprocessors, stream)
                                : launch<256>(combine, cut, splits, multiprocessors, stream);
}

}  // namespace spark_mla
