// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Merges the splits of each sequence that was cut: out = sum over splits of exp2(lse_i - lse)
// out_i, where lse is the log-sum-exp of all. Launched dependent on the decode kernel: its thread
// blocks start while the last ones of that kernel still run, and wait for it.
//
// Its time is that of a few trips to L2 and of fetching its own instructions, so it has few of
// these, and work is spread so that every block is resident. A row is cut into tiles of kColumns
// columns; 1 to 16 warps merge a tile, or one warp all tiles of a row. Splits are taken four at a
// time, a chunk. Chunk c is added to partial sum c % 16; a tile's warps share out the partial sums,
// which are added up last. Numbers are added in the same order (splits of a chunk, chunks of a
// partial sum, partial sums) whatever the number of warps, so that a result does not depend on it.

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <math_constants.h>

#include "../fragments.cuh"
#include "../hopper.cuh"
#include "../launch.cuh"
#include "../warp.cuh"
#include "mla_decode.h"

namespace spark_mla {
namespace {

constexpr int kChunk = 4;
constexpr int kPartialSums = 16;
constexpr int kLaneColumns = 8;  // of one 16-byte load
constexpr int kColumns = 32 * kLaneColumns;

struct CombineArgs {
  SplitResults results;
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
  bool by_length;
};

// Eight neighbouring columns of a row.
struct Columns {
  float value[kLaneColumns];

  __device__ __forceinline__ void add_weighted(float weight, const uint4& halves) {
    const uint32_t words[4] = {halves.x, halves.y, halves.z, halves.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      __half2 pair;
      memcpy(&pair, &words[i], sizeof(pair));
      const float2 wide = __half22float2(pair);
      value[2 * i] = __fmaf_rn(weight, wide.x, value[2 * i]);
      value[2 * i + 1] = __fmaf_rn(weight, wide.y, value[2 * i + 1]);
    }
  }

  __device__ __forceinline__ void add(const Columns& other) {
#pragma unroll
    for (int i = 0; i < kLaneColumns; ++i) {
      value[i] = __fadd_rn(value[i], other.value[i]);
    }
  }

  __device__ __forceinline__ void store(__nv_bfloat16* out) const {
    *reinterpret_cast<uint4*>(out) =
        make_uint4(pack_bf16(value[0], value[1]), pack_bf16(value[2], value[3]),
                   pack_bf16(value[4], value[5]), pack_bf16(value[6], value[7]));
  }
};

// The splits of one row, from a lane's columns on.
struct RowSplits {
  const __half* values;
  int64_t stride;  // from split to split
  const SplitRow* rows;
  int splits;

  // Base-2 log-sum-exp over all of them, the same in every lane; -infinity where the row sees no
  // key.
  __device__ __forceinline__ float merged_lse(int lane) const {
    // Few splits: each quad of lanes for itself.
    const bool few = splits <= kChunk;
    const int step = few ? kChunk : 32;
    float top = -CUDART_INF_F;
    float sum = 0.f;  // of 2^(lse - top) over this lane's
#pragma unroll 1
    for (int base = lane % step; base < splits; base += kChunk * step) {
      float lse[kChunk];
      float next = top;
#pragma unroll
      for (int i = 0; i < kChunk; ++i) {
        lse[i] = base + i * step < splits ? rows[base + i * step].lse : -CUDART_INF_F;
        next = fmaxf(next, lse[i]);
      }
      if (next != -CUDART_INF_F) {
        sum *= exp2_approximate(top - next);
#pragma unroll
        for (int i = 0; i < kChunk; ++i) {
          sum += exp2_approximate(lse[i] - next);
        }
        top = next;
      }
    }
    const float merged = few ? quad_max(top) : warp_max(top);
    if (merged == -CUDART_INF_F) {
      return merged;
    }
    sum *= exp2_approximate(top - merged);
    return merged + log2f(few ? quad_sum(sum) : warp_sum(sum));
  }

  // sum += the splits of the chunk from `first` on, weighted. `merged` is +infinity until it is
  // known.
  template <int kLoads>
  __device__ __forceinline__ void add_chunk(int first, int lane, float& merged,
                                             Columns (&sum)[kLoads]) const {
    constexpr int kLoaded = kChunk / kLoads;  // splits loaded at once
    const SplitRow row = rows[min(first + lane % kChunk, splits - 1)];
    float weight = 0.f;
#pragma unroll 1
    for (int loaded = 0; loaded < kChunk && first + loaded < splits; loaded += kLoaded) {
      uint4 halves[kLoaded][kLoads];
#pragma unroll
      for (int i = 0; i < kLoaded; ++i) {
        const int split = first + loaded + i;
#pragma unroll
        for (int j = 0; j < kLoads; ++j) {
          halves[i][j] = make_uint4(0, 0, 0, 0);
          if (split < splits) {
            halves[i][j] =
                __ldcs(reinterpret_cast<const uint4*>(values + split * stride + j * kColumns));
          }
        }
      }
      if (loaded == 0) {
        if (merged == CUDART_INF_F) {
          merged = merged_lse(lane);
        }
        if (merged != -CUDART_INF_F) {
          weight = exp2_approximate(row.lse - merged) * row.scale;
        }
      }
#pragma unroll
      for (int i = 0; i < kLoaded; ++i) {
        const float weight_i = __shfl_sync(kAllLanes, weight, loaded + i);
#pragma unroll
        for (int j = 0; j < kLoads; ++j) {
          sum[j].add_weighted(weight_i, halves[i][j]);
        }
      }
    }
  }
};

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

// The k-th of the sequences that were cut, or the batch's end where there are fewer; all lanes of a
// warp ask alike. num_splits is older than the decode kernel: this need not wait for that one.
__device__ __forceinline__ int cut_sequence(const CombineArgs& p, int k, int lane) {
#pragma unroll 4
  for (int base = 0; base < p.batch; base += 32) {
    const int sequence = base + lane;
    const bool cut = sequence < p.batch && p.num_splits[sequence + 1] - p.num_splits[sequence] > 1;
    const unsigned mask = __ballot_sync(kAllLanes, cut);
    const int count = __popc(mask);
    if (k < count) {
      const bool kth = cut && __popc(mask & ((1u << lane) - 1)) == k;
      return base + __ffs(__ballot_sync(kAllLanes, kth)) - 1;
    }
    k -= count;
  }
  return p.batch;
}

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
  const int column = index % kRowTiles * kColumns + lane * kLaneColumns;
  const int64_t stride = static_cast<int64_t>(all_rows) * kLatent;

#pragma unroll 1
  for (int k = blockIdx.y;; k += gridDim.y) {
    // Balanced, few sequences of a large batch are cut; by length, most are.
    const int sequence = p.by_length ? k : cut_sequence(p, k, lane);
    const bool ends = sequence >= p.batch;
    const int first = ends ? 0 : p.num_splits[sequence];
    const int splits = ends ? 0 : p.num_splits[sequence + 1] - first;
    // A block without work need not wait, but this kernel must not end before the decode kernel.
    if (splits > 1 || (blockIdx.x == 0 && blockIdx.y == 0)) {
      wait_for_previous_kernel();
    }
    if (ends) {
      return;
    }
    if (splits == 1) {
      continue;
    }
    const RowSplits row = {
        p.results.values + first * stride + static_cast<int64_t>(flat_row) * kLatent + column, stride,
        p.results.rows + static_cast<int64_t>(flat_row) * p.max_splits + first, splits};
    const int chunks = exists ? (splits + kChunk - 1) / kChunk : 0;

    float merged = CUDART_INF_F;
    Columns total[kLoads] = {};
#pragma unroll 1
    for (int of = warp_of_tile; of < min(chunks, kPartialSums); of += kTileWarps) {
      Columns sum[kLoads] = {};
#pragma unroll 1
      for (int chunk = of; chunk < chunks; chunk += kPartialSums) {
        row.add_chunk(chunk * kChunk, lane, merged, sum);
      }
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
          total[j].store(target.out + column + j * kColumns);
        }
      } else if (warp_of_tile < 4) {
        // Four of the tile's warps, two columns a thread.
        const int pair = warp_of_tile * 32 + lane;
        float2 pair_total = {};
#pragma unroll 4
        for (int of = 0; of < min(chunks, kPartialSums); ++of) {
          const float2 add = reinterpret_cast<const float2*>(partial_sums[tile][of])[pair];
          pair_total.x = __fadd_rn(pair_total.x, add.x);
          pair_total.y = __fadd_rn(pair_total.y, add.y);
        }
        *reinterpret_cast<uint32_t*>(target.out + index % kRowTiles * kColumns + pair * 2) =
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

// `cut` sequences at most are cut, into about `splits` each. As many warps a tile as there are
// chunks, as long as all thread blocks are resident at once; whole rows where even single warps
// would not be.
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
  combine.by_length = args.split_policy == SPARK_MLA_SPLIT_BY_LENGTH;
  const auto stream = static_cast<cudaStream_t>(args.stream);
  // Balanced, each part's end cuts one sequence at most.
  const int cut = combine.by_length ? args.batch : min(args.batch, max(1, shape.parts - 1));
  const int splits = shape.max_splits / args.batch;
  const int multiprocessors = shape.parts * shape.row_tiles * args.h_kv;
  return args.latent_dim == 512 ? launch<512>(combine, cut, splits, multiprocessors, stream)
                                : launch<256>(combine, cut, splits, multiprocessors, stream);
}

}  // namespace spark_mla
