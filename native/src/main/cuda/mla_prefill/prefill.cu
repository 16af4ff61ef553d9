// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Prefill attention over expanded keys and values for sm_90a: out = softmax(scale * q k^T) v for
// the query rows of several segments, each row over the keys of its segment up to a diagonal.
// Written with wgmma, TMA and mbarriers; the schedule is FlashAttention-3's (arXiv:2407.08608).
//
// Tiles. A tile is 64 query rows for each consumer, all of one head, and the key tiles of kTileKeys
// keys that any of its rows sees, taken from the last to the first, so that masked ones come first.
// Persistent thread blocks draw tiles from a counter in memory, numbered so that those which share
// keys follow each other and the longest of them come first (TileFinder).
//
// Warpgroups. Warpgroup 0 loads. Two or three consumers hold 64 rows each. A consumer enqueues the
// scores of the next keys before it multiplies the current weights with their values, so that its
// softmax runs beside its own GEMM and those of the others. Consumers never wait for each other: they
// only share the key tiles, and each has its own queries, so that one begins the next tile while
// another ends this one.
//
// Who waits on what:
//   loader     q_empty            a consumer has read its queries, and which tile it is
//              k_empty, v_empty   a key tile's keys or values may be overwritten
//   consumers  q_full             a consumer's queries, and which tile it is
//              k_full, v_full     a key tile's keys; its values
//              kTailZeroed        a consumer's own threads: values past the segment's end are zero
//
// A row's result depends on its query, its keys and where the key tiles begin (at the segment's
// first key), but not on the other rows of its tile: key tiles in which it sees nothing leave its
// maximum at -infinity and its sum and output at 0.

#include <cuda_bf16.h>
#include <math_constants.h>

#include <algorithm>
#include <climits>

#include "../fragments.cuh"
#include "../hopper.cuh"
#include "../launch.cuh"
#include "../tensor_map.h"
#include "../wgmma.cuh"
#include "mla_prefill.h"

namespace spark_mla {
namespace {

constexpr int kBoxColumns = 64;  // one 128-byte swizzle row of bf16
constexpr int kBoxRowBytes = kBoxColumns * 2;
constexpr int kConsumerRows = 64;  // wgmma's M
constexpr int kQueryBoxBytes = kConsumerRows * kBoxRowBytes;
constexpr int kWarpgroup = 128;
constexpr int kWarpgroupWarps = kWarpgroup / 32;
constexpr int kStages = 2;
// A row's maximum may be outgrown by 2 to this before sums and outputs are rescaled to the new one.
constexpr float kRescaleAbove = 8.f;

constexpr int kLoaderRegisters = 56;
// Keys and values of heads that are worked on at the same time fill at most about so much of L2.
constexpr int64_t kGroupBytes = 32 << 20;

// Named barriers; 0 is __syncthreads'.
enum NamedBarrier { kTailZeroed = 1 /* of the first consumer; the others' follow */ };

// What a kernel is built for: sizes of a key and a value, keys of a key tile, consumers.
template <int kNopeDim, int kRopeDim, int kValueDim, int kKeys, int kConsumerCount>
struct Dimensions {
  static constexpr int kNope = kNopeDim;
  static constexpr int kRope = kRopeDim;
  static constexpr int kValue = kValueDim;
  static constexpr int kTileKeys = kKeys;
  static constexpr int kNopeBoxes = kNopeDim / kBoxColumns;
  static constexpr int kKeyBoxes = kNopeBoxes + 1;
  static constexpr int kValueBoxes = kValueDim / kBoxColumns;
  static constexpr int kBoxBytes = kKeys * kBoxRowBytes;
  static constexpr int kScores = kKeys / 2;  // float32 registers of a thread
  static constexpr int kOut = kValueDim / 2;
  static constexpr int kQkSteps = (kNopeDim + kRopeDim) / 16;  // wgmmas, 16 columns each
  static constexpr int kPvSteps = kKeys / 16;                  // and 16 keys each
  static constexpr int kConsumers = kConsumerCount;
  static constexpr int kTileRows = kConsumers * kConsumerRows;
  static constexpr int kFewTileRows = 2 * kConsumerRows;  // where there are few tiles
  static constexpr int kThreads = (1 + kConsumers) * kWarpgroup;
  // Of a thread. One of each consumer and one of the loader have at most 512 together.
  static constexpr int kConsumerRegisters = kConsumers == 2 ? 224 : 152;
  static_assert(kConsumers == 2 || kConsumers == 3);
  static_assert(kNopeDim % kBoxColumns == 0 && kValueDim % kBoxColumns == 0);
  static_assert(kRopeDim % 16 == 0 && kRopeDim <= kBoxColumns && kKeys % 16 == 0);
};

// Query rows of one head, and the keys they see.
struct Tile {
  int head;       // negative: there are no more tiles
  int row;        // of q, the tile's first
  int rows;       // that exist, at most 64 a consumer
  int key;        // of kv, the segment's first
  int keys;       // of the segment
  int diagonal;   // row i of the tile sees keys 0 .. diagonal + i
  int key_tiles;  // that any row sees
};

template <class D>
struct alignas(1024) SharedStorage {
  uint8_t q[D::kConsumers][D::kKeyBoxes][kQueryBoxBytes];
  uint8_t k[kStages][D::kKeyBoxes][D::kBoxBytes];
  uint8_t v[kStages][D::kValueBoxes][D::kBoxBytes];
  Tile tile[D::kConsumers];
  uint64_t q_full[D::kConsumers];
  uint64_t q_empty[D::kConsumers];
  uint64_t k_full[kStages];
  uint64_t k_empty[kStages];
  uint64_t v_full[kStages];
  uint64_t v_empty[kStages];
};

struct PrefillParams {
  CUtensorMap q_map;     // [total_q, heads, dim]
  CUtensorMap kv_map;    // [total_k, heads, nope + value]
  CUtensorMap rope_map;  // [total_k, 1, rope]
  const int32_t* cu_q;
  const int32_t* cu_k;
  const int32_t* q_offset;
  __nv_bfloat16* out;
  int64_t out_stride_token;
  int64_t out_stride_head;
  float* lse;
  int32_t* next_tile;  // 0 before and after the kernel
  int segments;
  int heads;
  int total_q;
  int merge;
  float scale_log2;  // softmax_scale * log2(e)
  float scale;
};

// ---- Order of work ------------------------------------------------------------------------------

// Numbers the tiles of all segments and heads: group of heads by group of heads, in a group by
// falling number of key tiles, among equals by segment, and the group's heads innermost. Blocks that
// run together so share keys in L2, and the longest tiles of a group come first. All methods are
// called by all lanes of a warp alike.
template <class D>
class TileFinder {
 public:
  __device__ __forceinline__ TileFinder(const PrefillParams& p, int lane) : p_(p), lane_(lane) {
    row_tiles_ = tiles_above(-1);
    if (D::kFewTileRows < D::kTileRows && tiles() <= 2 * static_cast<int>(gridDim.x)) {
      // At most two tiles a block: smaller ones can be dealt more evenly.
      tile_rows_ = D::kFewTileRows;
      row_tiles_ = tiles_above(-1);
    }
    int longest = 0;
    int shortest = INT_MAX;
    int work = 0;  // in key tiles, of all row tiles of a head; saturates
    for (int s = lane; s < p.segments; s += 32) {
      const int tiles = row_tiles(s);
      if (tiles > 0) {
        const int first = tile_of(s, 0, 0).key_tiles;
        const int last = tile_of(s, tiles - 1, 0).key_tiles;
        longest = max(longest, last);
        shortest = min(shortest, first);
        work += static_cast<int>(min(tiles * static_cast<int64_t>(first + last) / 2,
                                     static_cast<int64_t>(kMostWork - work)));
      }
    }
    longest_ = __reduce_max_sync(0xffffffffu, longest);
    shortest = __reduce_min_sync(0xffffffffu, shortest);
    work = max(1, __reduce_add_sync(0xffffffffu, work));
    group_heads_ = heads_of_group(shortest, work);
  }

  // Of all heads. Fits 32 bits, since each tile has a row of `out` in memory.
  __device__ __forceinline__ int tiles() const { return row_tiles_ * p_.heads; }

  __device__ __forceinline__ Tile find(int number) const {
    if (number >= tiles()) {
      return Tile{-1};
    }
    const int group = number / (row_tiles_ * group_heads_);
    const int first_head = group * group_heads_;
    const int heads = min(group_heads_, p_.heads - first_head);
    const int within = number - group * (row_tiles_ * group_heads_);
    const int index = within / heads;
    // The number of key tiles that the tile has.
    int level = 0;
    for (int above = longest_; level < above;) {
      const int middle = (level + above) / 2;
      if (tiles_above(middle) <= index) {
        above = middle;
      } else {
        level = middle + 1;
      }
    }
    int left = index - tiles_above(level);
    for (int chunk = 0;; chunk += 32) {
      const int s = chunk + lane_;
      const int below = s < p_.segments ? tiles_up_to(s, level - 1) : 0;
      const int count = s < p_.segments ? tiles_up_to(s, level) - below : 0;
      const int end = warp_inclusive_sum(count);
      const uint32_t after = __ballot_sync(0xffffffffu, end > left);
      if (after == 0) {
        left -= __shfl_sync(0xffffffffu, end, 31);
        continue;
      }
      const int owner = __ffs(after) - 1;
      const int tile = below + left - (end - count);
      return tile_of(chunk + owner, __shfl_sync(0xffffffffu, tile, owner),
                     first_head + within % heads);
    }
  }

 private:
  static constexpr int kMostWork = 1 << 25;  // 32 lanes' sum fits an int

  static __device__ __forceinline__ int key_tiles(int keys) {
    return (keys + D::kTileKeys - 1) / D::kTileKeys;
  }

  __device__ __forceinline__ int keys(int segment) const {
    return p_.cu_k[segment + 1] - p_.cu_k[segment];
  }

  __device__ __forceinline__ int queries(int segment) const {
    return p_.cu_q[segment + 1] - p_.cu_q[segment];
  }

  __device__ __forceinline__ int row_tiles(int segment) const {
    return (queries(segment) + tile_rows_ - 1) / tile_rows_;
  }

  // As few heads as their keys and values fill the share of L2, but enough for the work that follows
  // the last group's longest tiles to fill the blocks that are done before them.
  __device__ __forceinline__ int heads_of_group(int shortest, int work) const {
    const int64_t head_bytes =
        max(1, p_.cu_k[p_.segments]) * static_cast<int64_t>(2 * (D::kNope + D::kValue));
    const int64_t cached = kGroupBytes / head_bytes;
    const int64_t spread = max(0, longest_ - shortest) * static_cast<int64_t>(2 * gridDim.x);
    const int64_t balanced = (spread + work - 1) / work;
    const int64_t heads = p_.heads;
    const int groups = static_cast<int>(heads / max(int64_t{1}, min(heads, max(cached, balanced))));
    return (p_.heads + groups - 1) / groups;
  }

  // How many tiles of a head have more than so many key tiles.
  __device__ __forceinline__ int tiles_above(int level) const {
    int count = 0;
    for (int s = lane_; s < p_.segments; s += 32) {
      count += row_tiles(s) - tiles_up_to(s, level);
    }
    return __reduce_add_sync(0xffffffffu, count);
  }

  // How many of a segment's tiles have at most so many key tiles: their last row sees no key beyond.
  __device__ __forceinline__ int tiles_up_to(int segment, int level) const {
    if (level < 0) {
      return 0;
    }
    const int tiles = row_tiles(segment);
    const int beyond = queries(segment) - (level * D::kTileKeys - p_.q_offset[segment]);
    if (beyond <= 0 || level >= key_tiles(keys(segment))) {
      return tiles;
    }
    return max(0, tiles - (beyond + tile_rows_ - 1) / tile_rows_);
  }

  // Tiles end with the segment: where rows are missing, it is in the first, which has fewest keys.
  __device__ __forceinline__ Tile tile_of(int segment, int index, int head) const {
    const int end = queries(segment) - (row_tiles(segment) - 1 - index) * tile_rows_;
    const int first = max(0, end - tile_rows_);
    Tile tile;
    tile.head = head;
    tile.row = p_.cu_q[segment] + first;
    tile.rows = end - first;
    tile.key = p_.cu_k[segment];
    tile.keys = keys(segment);
    tile.diagonal = p_.q_offset[segment] + first;
    tile.key_tiles = key_tiles(max(0, min(tile.keys, tile.diagonal + tile.rows)));
    return tile;
  }

  const PrefillParams& p_;
  const int lane_;
  int tile_rows_ = D::kTileRows;
  int row_tiles_;    // of a head
  int longest_;      // key tiles of the longest tile
  int group_heads_;  // heads whose tiles are numbered together
};

// ---- Loading ------------------------------------------------------------------------------------

// One warp draws the block's tiles and loads them.
template <class D>
__device__ __forceinline__ void load(const PrefillParams& p, SharedStorage<D>& shared, int lane) {
  const TileFinder<D> finder(p, lane);
  uint32_t uses = 0;  // of a stage for keys, and of one for values
  for (uint32_t round = 0;; ++round) {
    int number = lane == 0 ? atomicAdd(p.next_tile, 1) : 0;
    number = __shfl_sync(0xffffffffu, number, 0);
    const Tile tile = finder.find(number);
    if (lane == 0) {
      const auto load_queries = [&](int consumer) {
        const uint32_t full = shared_address(&shared.q_full[consumer]);
        mbarrier_wait(shared_address(&shared.q_empty[consumer]), round % 2 ^ 1);
        shared.tile[consumer] = tile;
        if (tile.head < 0) {
          mbarrier_arrive(full);
          return;
        }
        mbarrier_arrive_expect(full, D::kKeyBoxes * kQueryBoxBytes);
        for (int box = 0; box < D::kKeyBoxes; ++box) {
          tma_load_3d(shared_address(shared.q[consumer][box]), &p.q_map, full, box * kBoxColumns,
                      tile.head, tile.row + consumer * kConsumerRows, kEvictFirst);
        }
      };
      const auto load_keys = [&](int key_tile, uint32_t use) {
        const uint32_t stage = use % kStages;
        const uint32_t full = shared_address(&shared.k_full[stage]);
        const int key = tile.key + key_tile * D::kTileKeys;
        mbarrier_wait(shared_address(&shared.k_empty[stage]), use / kStages % 2 ^ 1);
        mbarrier_arrive_expect(full, D::kKeyBoxes * D::kBoxBytes);
        for (int box = 0; box < D::kNopeBoxes; ++box) {
          tma_load_3d(shared_address(shared.k[stage][box]), &p.kv_map, full, box * kBoxColumns,
                      tile.head, key, kEvictNormal);
        }
        tma_load_3d(shared_address(shared.k[stage][D::kNopeBoxes]), &p.rope_map, full, 0, 0, key,
                    kEvictNormal);
      };
      const auto load_values = [&](int key_tile, uint32_t use) {
        const uint32_t stage = use % kStages;
        const uint32_t full = shared_address(&shared.v_full[stage]);
        mbarrier_wait(shared_address(&shared.v_empty[stage]), use / kStages % 2 ^ 1);
        mbarrier_arrive_expect(full, D::kValueBoxes * D::kBoxBytes);
        for (int box = 0; box < D::kValueBoxes; ++box) {
          tma_load_3d(shared_address(shared.v[stage][box]), &p.kv_map, full,
                      D::kNope + box * kBoxColumns, tile.head, tile.key + key_tile * D::kTileKeys,
                      kEvictNormal);
        }
      };
      // The first consumer to leave the tile before gets its queries, and keys to begin with, before
      // the loader waits for the others.
      load_queries(0);
      if (tile.key_tiles > 0) {
        load_keys(tile.key_tiles - 1, uses);
      }
      for (int consumer = 1; consumer < D::kConsumers; ++consumer) {
        load_queries(consumer);
      }
      for (int key_tile = tile.key_tiles - 1; key_tile >= 0; --key_tile) {
        // Keys are one tile ahead of values.
        if (key_tile > 0) {
          load_keys(key_tile - 1, uses + 1);
        }
        load_values(key_tile, uses);
        ++uses;
      }
    }
    __syncwarp();
    if (tile.head < 0) {
      // Each block draws one number past the tiles; with the last of these all are drawn.
      if (lane == 0 && number == finder.tiles() + static_cast<int>(gridDim.x) - 1) {
        *p.next_tile = 0;
      }
      return;
    }
  }
}

// ---- Computing ----------------------------------------------------------------------------------

// One consumer's registers. A thread holds two rows of its warp's sixteen.
template <class D>
struct Consumer {
  float scores[D::kScores];
  float out[D::kOut];
  uint32_t weights[D::kPvSteps][4];  // as wgmma's left operand
  float maximum[2];
  float sum[2];  // of this thread's own columns
  int row[2];    // within the tile
  int side;      // which consumer it is; alike in all lanes

  // Enqueues scores = queries * keys^T.
  __device__ __forceinline__ void multiply_qk(SharedStorage<D>& shared, uint32_t stage) {
    const uint64_t q = wgmma_descriptor(shared_address(shared.q[side]), 0);
    const uint64_t k = wgmma_descriptor(shared_address(shared.k[stage]), 0);
    pin(scores);
    wgmma_fence();
#pragma unroll
    for (int step = 0; step < D::kQkSteps; ++step) {
      wgmma_ss(scores, q + ((step / 4 * kQueryBoxBytes + step % 4 * 32) >> 4),
               k + ((step / 4 * D::kBoxBytes + step % 4 * 32) >> 4), step > 0);
    }
    wgmma_commit();
  }

  // Enqueues out += weights * values.
  __device__ __forceinline__ void multiply_pv(SharedStorage<D>& shared, uint32_t stage) {
    const uint64_t v = wgmma_descriptor(shared_address(shared.v[stage]), D::kBoxBytes);
    pin(out);
    wgmma_fence();
#pragma unroll
    for (int step = 0; step < D::kPvSteps; ++step) {
      wgmma_rs_t(out, weights[step], v + ((step * 16 * kBoxRowBytes) >> 4));
    }
    wgmma_commit();
  }

  // How many of a tile's key tiles some row of this consumer sees.
  __device__ __forceinline__ int key_tiles(const Tile& tile) const {
    const int rows = min(tile.rows - side * kConsumerRows, kConsumerRows);
    const int keys = min(tile.keys, tile.diagonal + side * kConsumerRows + rows);
    return rows <= 0 ? 0 : (max(0, keys) + D::kTileKeys - 1) / D::kTileKeys;
  }

  // Masks keys past the segment's end or after the query.
  __device__ __forceinline__ void mask(const Tile& tile, int key_tile, int lane) {
    const int first = key_tile * D::kTileKeys;
    if (first + D::kTileKeys <= min(tile.keys, tile.diagonal + side * kConsumerRows + 1)) {
      return;
    }
    int visible[2];
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      visible[h] = min(tile.keys, tile.diagonal + row[h] + 1) - first - lane % 4 * 2;
    }
#pragma unroll
    for (int i = 0; i < D::kScores; ++i) {
      if (i / 4 * 8 + (i & 1) >= visible[(i >> 1) & 1]) {
        scores[i] = -CUDART_INF_F;
      }
    }
  }

  // Scores -> their exponentials, relative to a maximum that moves only when a row has outgrown it
  // by 2^kRescaleAbove: exact all the same, since sum and out share it. `factor` is by how much
  // that makes the sum and out smaller.
  __device__ __forceinline__ void softmax(float scale_log2, float (&factor)[2]) {
    float base[2];
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      float chain[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        chain[i] = fmaxf(scores[i * 4 + h * 2], scores[i * 4 + h * 2 + 1]);
      }
#pragma unroll
      for (int i = 4; i < D::kScores / 4; ++i) {
        chain[i % 4] = fmaxf(chain[i % 4], fmaxf(scores[i * 4 + h * 2], scores[i * 4 + h * 2 + 1]));
      }
      const float top = quad_max(fmaxf(fmaxf(chain[0], chain[1]), fmaxf(chain[2], chain[3])));
      const bool keep = top * scale_log2 <= maximum[h] * scale_log2 + kRescaleAbove;
      factor[h] = keep ? 1.f : exp2_approximate((maximum[h] - top) * scale_log2);
      maximum[h] = keep ? maximum[h] : top;
      base[h] = maximum[h] == -CUDART_INF_F ? 0.f : -maximum[h] * scale_log2;
    }
    float sums[2][2] = {};
#pragma unroll
    for (int i = 0; i < D::kScores; ++i) {
      const int h = (i >> 1) & 1;
      scores[i] = exp2_approximate(fmaf(scores[i], scale_log2, base[h]));
      sums[h][i & 1] += scores[i];
    }
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      sum[h] = fmaf(sum[h], factor[h], sums[h][0] + sums[h][1]);
    }
  }

  __device__ __forceinline__ void pack() {
#pragma unroll
    for (int i = 0; i < D::kScores; i += 2) {
      weights[i / 8][i % 8 / 2] = pack_bf16(scores[i], scores[i + 1]);
    }
  }

  // Multiplies the output by a factor for each row; most of the time all are 1.
  __device__ __forceinline__ void rescale(const float (&factor)[2]) {
    if (__any_sync(0xffffffffu, factor[0] != 1.f || factor[1] != 1.f)) {
#pragma unroll
      for (int i = 0; i < D::kOut; ++i) {
        out[i] *= factor[(i >> 1) & 1];
      }
    }
  }
};

// Values past the segment's end may hold NaN, and 0 * NaN is NaN. Each consumer zeroes them for itself:
// so it need not wait for the others, and what they write twice is the same.
template <class D>
__device__ __forceinline__ void zero_tail(SharedStorage<D>& shared, uint32_t stage, int valid,
                                          int side) {
  for (int i = threadIdx.x % kWarpgroup; i < (D::kTileKeys - valid) * 8; i += kWarpgroup) {
    const int offset = (valid + i / 8) * kBoxRowBytes + i % 8 * 16;
#pragma unroll
    for (int box = 0; box < D::kValueBoxes; ++box) {
      *reinterpret_cast<int4*>(&shared.v[stage][box][offset]) = make_int4(0, 0, 0, 0);
    }
  }
  fence_proxy_async();
  named_barrier_sync(kTailZeroed + side, kWarpgroup);
}

// Writes a tile's rows, merged with what is there already if the call says so. A row that sees none
// of a merging call's keys is left as it is.
template <class D>
__device__ __forceinline__ void write_tile(const PrefillParams& p, const Tile& tile,
                                           Consumer<D>& consumer, int lane) {
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    const float total = quad_sum(consumer.sum[h]);
    const bool empty = !(total > 0.f);
    const bool writes = consumer.row[h] < tile.rows && !(p.merge && empty);
    const int row = tile.row + consumer.row[h];
    float* lse = p.lse + static_cast<int64_t>(tile.head) * p.total_q + row;
    __nv_bfloat16* out = p.out + row * p.out_stride_token + tile.head * p.out_stride_head;
    float result = empty ? CUDART_INF_F : consumer.maximum[h] * p.scale + logf(total);
    float inverse = empty ? 0.f : 1.f / total;
    float before = 0.f;  // weight of what out holds already
    if (p.merge && writes) {
      const float other = *lse;
      if (other != CUDART_INF_F) {
        const float top = fmaxf(result, other);
        const float mine = expf(result - top);
        const float others = expf(other - top);
        result = top + logf(mine + others);
        inverse *= mine / (mine + others);
        before = others / (mine + others);
      }
    }
    __syncwarp();
#pragma unroll
    for (int i = 0; i < D::kOut; ++i) {
      if (((i >> 1) & 1) == h) {
        consumer.out[i] *= inverse;
      }
    }
    if (before > 0.f) {
#pragma unroll
      for (int i = 0; i < D::kOut / 4; ++i) {
        const float2 old = __bfloat1622float2(
            *reinterpret_cast<const __nv_bfloat162*>(out + i * 8 + lane % 4 * 2));
        consumer.out[i * 4 + h * 2] = fmaf(before, old.x, consumer.out[i * 4 + h * 2]);
        consumer.out[i * 4 + h * 2 + 1] = fmaf(before, old.y, consumer.out[i * 4 + h * 2 + 1]);
      }
    }
    __syncwarp();
#pragma unroll
    for (int i = 0; i < D::kOut / 16; ++i) {
      uint32_t word[4];
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const int at = (i * 4 + j) * 4 + h * 2;
        word[j] = pack_bf16(consumer.out[at], consumer.out[at + 1]);
      }
      transpose_quad(word, lane);
      if (writes) {
        *reinterpret_cast<uint4*>(out + i * 32 + lane % 4 * 8) =
            make_uint4(word[0], word[1], word[2], word[3]);
      }
    }
    if (writes && lane % 4 == 0) {
      *lse = result;
    }
  }
}

template <class D>
__device__ __forceinline__ void consume(const PrefillParams& p, SharedStorage<D>& shared) {
  const int lane = threadIdx.x % 32;
  Consumer<D> consumer;
  consumer.side = __shfl_sync(0xffffffffu, threadIdx.x / kWarpgroup, 0) - 1;
  consumer.row[0] =
      threadIdx.x / 32 % 4 * 16 + lane / 4 + consumer.side * kConsumerRows;
  consumer.row[1] = consumer.row[0] + 8;
  float factor[2];
  uint32_t k_uses = 0;
  uint32_t v_uses = 0;
  // Waits for the next key tile's keys or values; the stage they are in.
  const auto wait_keys = [&] {
    const uint32_t stage = k_uses % kStages;
    mbarrier_wait(shared_address(&shared.k_full[stage]), k_uses / kStages % 2);
    ++k_uses;
    return stage;
  };
  const auto wait_values = [&] {
    const uint32_t stage = v_uses % kStages;
    mbarrier_wait(shared_address(&shared.v_full[stage]), v_uses / kStages % 2);
    ++v_uses;
    return stage;
  };
  const auto release = [&](uint64_t& empty) {
    if (lane == 0) {
      mbarrier_arrive(shared_address(&empty));
    }
  };
  // Each lane for itself, since each has read which tile it is.
  const auto release_queries = [&] {
    mbarrier_arrive(shared_address(&shared.q_empty[consumer.side]));
  };

  for (uint32_t round = 0;; ++round) {
    mbarrier_wait(shared_address(&shared.q_full[consumer.side]), round % 2);
    const Tile tile = shared.tile[consumer.side];
    if (tile.head < 0) {
      break;
    }
#pragma unroll
    for (int i = 0; i < D::kOut; ++i) {
      consumer.out[i] = 0.f;
    }
    consumer.maximum[0] = consumer.maximum[1] = -CUDART_INF_F;
    consumer.sum[0] = consumer.sum[1] = 0.f;
    const int seen = consumer.key_tiles(tile);
    for (int i = seen; i < tile.key_tiles; ++i) {  // only other consumers' rows see these keys
      release(shared.k_empty[wait_keys()]);
      release(shared.v_empty[wait_values()]);
    }
    if (seen == 0) {
      release_queries();
    } else {
      int key_tile = seen - 1;
      uint32_t k_stage = wait_keys();
      consumer.multiply_qk(shared, k_stage);
      wgmma_wait<0>();
      pin(consumer.scores);
      release(shared.k_empty[k_stage]);
      if (key_tile == 0) {
        release_queries();
      }
      consumer.mask(tile, key_tile, lane);
      consumer.softmax(p.scale_log2, factor);
      consumer.pack();
      const int valid = tile.keys - key_tile * D::kTileKeys;
      uint32_t v_stage = wait_values();
      if (valid < D::kTileKeys) {
        zero_tail(shared, v_stage, valid, consumer.side);
      }
      for (--key_tile; key_tile >= 0; --key_tile) {
        k_stage = wait_keys();
        consumer.multiply_qk(shared, k_stage);
        consumer.multiply_pv(shared, v_stage);
        wgmma_wait<1>();
        pin(consumer.scores);
        release(shared.k_empty[k_stage]);
        if (key_tile == 0) {
          release_queries();
        }
        consumer.mask(tile, key_tile, lane);
        consumer.softmax(p.scale_log2, factor);
        // The assembler would move the wait before the softmax; it does not look through this.
        __syncwarp(consumer.sum[0] + consumer.sum[1] != -1.f ? 0xffffffffu : 0u);
        wgmma_wait<0>();
        pin(consumer.out);
        release(shared.v_empty[v_stage]);
        consumer.pack();
        consumer.rescale(factor);
        v_stage = wait_values();
      }
      consumer.multiply_pv(shared, v_stage);
      wgmma_wait<0>();
      pin(consumer.out);
      release(shared.v_empty[v_stage]);
    }
    write_tile(p, tile, consumer, lane);
  }
}

template <class D>
__global__ void __launch_bounds__(D::kThreads, 1)
    prefill_kernel(const __grid_constant__ PrefillParams p) {
  extern __shared__ __align__(1024) uint8_t raw[];
  SharedStorage<D>& shared = *reinterpret_cast<SharedStorage<D>*>(raw);
  const int warp = __shfl_sync(0xffffffffu, threadIdx.x / 32, 0);

  if (threadIdx.x == 0) {
    prefetch_tensor_map(&p.q_map);
    prefetch_tensor_map(&p.kv_map);
    prefetch_tensor_map(&p.rope_map);
    for (int consumer = 0; consumer < D::kConsumers; ++consumer) {
      mbarrier_init(shared_address(&shared.q_full[consumer]), 1);
      mbarrier_init(shared_address(&shared.q_empty[consumer]), kWarpgroup);
    }
    for (int stage = 0; stage < kStages; ++stage) {
      mbarrier_init(shared_address(&shared.k_full[stage]), 1);
      mbarrier_init(shared_address(&shared.k_empty[stage]), D::kConsumers * kWarpgroupWarps);
      mbarrier_init(shared_address(&shared.v_full[stage]), 1);
      mbarrier_init(shared_address(&shared.v_empty[stage]), D::kConsumers * kWarpgroupWarps);
    }
    fence_mbarrier_init();
  }
  __syncthreads();
  wait_for_previous_kernel();
  launch_dependents();

  if (warp < kWarpgroupWarps) {
    release_registers<kLoaderRegisters>();
    if (warp == 0) {
      load<D>(p, shared, threadIdx.x);
    }
  } else {
    claim_registers<D::kConsumerRegisters>();
    consume<D>(p, shared);
  }
}

// ---- Host ---------------------------------------------------------------------------------------

template <class D>
cudaError_t launch(const spark_mla_prefill_args& args, int multiprocessors) {
  static_assert(sizeof(SharedStorage<D>) <= 227 * 1024);
  PrefillParams p = {};
  TensorMapEncoder encoder;
  cudaError_t error = find_encoder(&encoder);
  if (error == cudaSuccess) {
    error = encode_map<3>(encoder, &p.q_map, args.q,
                          {D::kNope + D::kRope, args.heads, args.total_q},
                          {args.q_stride_head, args.q_stride_token}, {kBoxColumns, 1, kConsumerRows});
  }
  if (error == cudaSuccess) {
    error = encode_map<3>(encoder, &p.kv_map, args.kv,
                          {D::kNope + D::kValue, args.heads, args.total_k},
                          {args.kv_stride_head, args.kv_stride_token},
                          {kBoxColumns, 1, D::kTileKeys});
  }
  if (error == cudaSuccess) {
    error = encode_map<3>(encoder, &p.rope_map, args.k_rope, {D::kRope, 1, args.total_k},
                          {D::kRope, args.k_rope_stride_token}, {kBoxColumns, 1, D::kTileKeys});
  }
  if (error != cudaSuccess) {
    return error;
  }
  p.cu_q = args.cu_q;
  p.cu_k = args.cu_k;
  p.q_offset = args.q_offset;
  p.out = static_cast<__nv_bfloat16*>(args.out);
  p.out_stride_token = args.out_stride_token;
  p.out_stride_head = args.out_stride_head;
  p.lse = args.lse;
  p.next_tile = args.next_tile;
  p.segments = args.segments;
  p.heads = args.heads;
  p.total_q = args.total_q;
  p.merge = (args.flags & SPARK_MLA_MERGE) != 0;
  p.scale = args.softmax_scale;
  p.scale_log2 = args.softmax_scale * 1.4426950408889634f;

  const int64_t tiles =
      (args.total_q / D::kFewTileRows + static_cast<int64_t>(args.segments)) * args.heads;
  const LaunchShape shape{
      dim3(static_cast<uint32_t>(std::min<int64_t>(tiles, multiprocessors))), dim3(D::kThreads),
      sizeof(SharedStorage<D>)};
  return launch_dependent(prefill_kernel<D>, shape, static_cast<cudaStream_t>(args.stream), p);
}

}  // namespace

bool prefill_dimensions_supported(int nope_dim, int rope_dim, int value_dim) {
  return (nope_dim == 128 && rope_dim == 64 && value_dim == 128) ||
         (nope_dim == 192 && rope_dim == 64 && value_dim == 256) ||
         (nope_dim == 64 && rope_dim == 64 && value_dim == 128) ||
         (nope_dim == 64 && rope_dim == 32 && value_dim == 64);
}

cudaError_t launch_prefill(const spark_mla_prefill_args& args, int multiprocessors) {
  switch (args.nope_dim) {
    case 128:
      return launch<Dimensions<128, 64, 128, 80, 3>>(args, multiprocessors);
    case 192:
      return launch<Dimensions<192, 64, 256, 80, 2>>(args, multiprocessors);
    default:
      return args.rope_dim == 64 ? launch<Dimensions<64, 64, 128, 128, 2>>(args, multiprocessors)
                                 : launch<Dimensions<64, 32, 64, 128, 2>>(args, multiprocessors);
  }
}

}  // namespace spark_mla
