// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// How the splits of a row are merged: out = sum over splits of exp2(lse_i - lse) out_i, where lse is
// the log-sum-exp of all. decode.cu merges the splits of a sequence that one thread block has
// computed all of, combine.cu those of the others; both give the same bits.
//
// Splits are taken four at a time, a chunk. Chunk c is added to partial sum c % 16, and the partial
// sums are added up last. Numbers are added in this order (splits of a chunk, chunks of a partial
// sum, partial sums) whoever adds them.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <math_constants.h>

#include "../fragments.cuh"
#include "../hopper.cuh"
#include "../warp.cuh"
#include "mla_decode.h"

namespace spark_mla {

constexpr int kChunk = 4;
constexpr int kPartialSums = 16;
constexpr int kLaneColumns = 8;  // of one 16-byte load
constexpr int kColumns = 32 * kLaneColumns;

// What one lane holds of a tile of kColumns: four pairs of columns, as SplitResults has them.
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

  // Stores a tile; all lanes call.
  __device__ __forceinline__ void store(__nv_bfloat16* tile, int lane) const {
    uint32_t word[4] = {pack_bf16(value[0], value[1]), pack_bf16(value[2], value[3]),
                        pack_bf16(value[4], value[5]), pack_bf16(value[6], value[7])};
    transpose_quad(word, lane);
    *reinterpret_cast<uint4*>(tile + lane * kLaneColumns) =
        make_uint4(word[0], word[1], word[2], word[3]);
  }

  // The first column, within the tile, of a pair that a lane holds.
  static __device__ __forceinline__ int column_of(int lane, int pair) {
    return lane / 4 * 32 + pair * 8 + lane % 4 * 2;
  }
};

// The splits of one row, from a lane's values on.
struct RowSplits {
  const __half* values;
  int64_t stride;  // from split to split
  const SplitRow* rows;
  int splits;

  // `row` counts the rows of all key/value heads, `all_rows` of them; `first` is the slot of the
  // first split, `tile` the first column.
  template <int kLatent>
  static __device__ __forceinline__ RowSplits of(const SplitResults& results, int max_splits,
                                                 int all_rows, int row, int tile, int lane,
                                                 int first, int splits) {
    const int64_t stride = static_cast<int64_t>(all_rows) * kLatent;
    return {results.values + first * stride + static_cast<int64_t>(row) * kLatent + tile +
                lane * kLaneColumns,
            stride, results.rows + static_cast<int64_t>(row) * max_splits + first, splits};
  }

  __device__ __forceinline__ int partial_sums() const {
    return min((splits + kChunk - 1) / kChunk, kPartialSums);
  }

  // The partial sum `of`, of kLoads tiles of kColumns. kLoaded splits are loaded at once. `merged`
  // is +infinity until it is known.
  template <int kLoaded, int kLoads>
  __device__ __forceinline__ void partial_sum(int of, int lane, float& merged,
                                              Columns (&sum)[kLoads]) const {
#pragma unroll 1
    for (int first = of * kChunk; first < splits; first += kPartialSums * kChunk) {
      add_chunk<kLoaded>(first, lane, merged, sum);
    }
  }

 private:
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
        sum = __fmaf_rn(sum, exp2_approximate(top - next), exp2_approximate(lse[0] - next));
#pragma unroll
        for (int i = 1; i < kChunk; ++i) {
          sum = __fadd_rn(sum, exp2_approximate(lse[i] - next));
        }
        top = next;
      }
    }
    const float merged = few ? quad_max(top) : warp_max(top);
    if (merged == -CUDART_INF_F) {
      return merged;
    }
    sum = __fmul_rn(sum, exp2_approximate(top - merged));
    return merged + log2f(few ? quad_sum(sum) : warp_sum(sum));
  }

  // sum += the splits of the chunk from `first` on, weighted.
  template <int kLoaded, int kLoads>
  __device__ __forceinline__ void add_chunk(int first, int lane, float& merged,
                                             Columns (&sum)[kLoads]) const {
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

// Where row `row` of key/value head `head_kv` goes. Params holds the fields of spark_mla_decode_args
// of these names, and `group`, the query heads of a key/value head.
struct Target {
  __nv_bfloat16* out;
  float* lse;

  template <class Params>
  __device__ __forceinline__ Target(const Params& p, int sequence, int head_kv, int row) {
    const int token = row / p.group;
    const int head = head_kv * p.group + row % p.group;
    out = p.out + sequence * p.out_stride_batch + token * p.out_stride_token +
          head * p.out_stride_head;
    lse = p.lse + (static_cast<int64_t>(sequence) * p.h_q + head) * p.s_q + token;
  }

  // Of a base-2 log-sum-exp.
  __device__ __forceinline__ void write_lse(float merged) const {
    *lse = merged == -CUDART_INF_F ? CUDART_INF_F : merged * 0.69314718055994531f;
  }
};

}  // namespace spark_mla
