// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// MLA decode over a paged cache for sm_90a: out = softmax(scale * q k^T) v, where a token's value
// is the first kLatent elements of its key. Written with wgmma, TMA and mbarriers.
//
// Tiles. A thread block computes 64 query rows (a row is one head of one query token) of one
// key/value head. It works through the splits of its part of the schedule (scheduler.cu), one after
// another: a split is a run of pages of one sequence. A page is 64 tokens, loaded as boxes of 64
// tokens by 64 columns.
//
// Warpgroups. Warpgroup 0 loads: two warps the halves of every page, one the queries. The 64 x
// kLatent float32 output fills half of a multiprocessor's registers and does not fit one warpgroup,
// so the consumers share it by columns: left (warpgroup 1) owns the first half, right (2) the
// second. Left computes scores and softmax of the even pages, right of the odd ones; each then
// multiplies the weights of both with its half of the values, so that one consumer's softmax runs
// beside the other's GEMM. Where two row tiles share their keys, the two thread blocks of a cluster
// load half of each page into both.
//
// Who waits on what (SharedStorage holds the barriers):
//   loader     k_empty[page][half]  until both consumers have read that half of a page buffer
//              q_empty              until the last scores with the queries are computed
//   consumers  q_full               the queries of the next sequence
//              k_full[page][box]    each box as it arrives, so that scores start on the first
//   the other  weights_ready[page][half of its tokens]  weights of the other consumer's page; the
//              first half comes with the row maxima and factors they are relative to
//   both       sums_ready           once a split: the other's sums and largest exponents
//
// Results. A sequence that is not cut goes to `out` as bf16. A split of one that is goes to the
// workspace in 16 bits, each row scaled by a power of two. Where all splits of a sequence are in one
// part, its thread block merges them after the last one; combine.cu merges the others (merge.cuh).

#include <cuda_bf16.h>
#include <math_constants.h>

#include "../fragments.cuh"
#include "../hopper.cuh"
#include "../launch.cuh"
#include "../tensor_map.h"
#include "../wgmma.cuh"
#include "merge.cuh"
#include "mla_decode.h"

namespace spark_mla {
namespace {

constexpr int kPage = SPARK_MLA_PAGE_TOKENS;
constexpr int kBoxColumns = 64;                     // one 128-byte swizzle row of bf16
constexpr int kBoxBytes = kPage * kBoxColumns * 2;  // also of a box of 64 query rows
constexpr int kThreads = 384;
constexpr int kConsumerThreads = 256;
constexpr int kWarpgroup = 128;
// A row's maximum may be outgrown by 2 to this before sums and outputs are rescaled to the new one.
constexpr float kRescaleAbove = 8.f;

// Named barriers; 0 is __syncthreads.
constexpr int kTailZeroed = 1;     // and 2, one a consumer
constexpr int kSplitsWritten = 3;  // of both consumers

template <int kLatentDim, int kRopeDim>
struct Dimensions {
  static constexpr int kLatent = kLatentDim;
  static constexpr int kRope = kRopeDim;
  static constexpr int kHalf = kLatent / 2;               // output columns of one consumer
  static constexpr int kHalfBoxes = kHalf / kBoxColumns;  // and its value boxes
  static constexpr int kRopeBox = 2 * kHalfBoxes;
  static constexpr int kBoxes = kRopeBox + 1;
  static constexpr int kAccumulators = kHalf / 2;  // float32 registers of a thread
  static_assert(kLatent % 128 == 0 && kRope % 16 == 0 && kRope <= kBoxColumns);
};

// What the consumers tell each other of a row: the maximum that its weights are relative to, and
// the factor by which sums and outputs so far must be multiplied for it.
struct RowStatistics {
  float maximum;
  float factor;
};

template <class D>
struct alignas(1024) SharedStorage {
  uint8_t q[D::kBoxes][kBoxBytes];
  uint8_t k[2][D::kBoxes][kBoxBytes];
  uint8_t weights0[kBoxBytes];  // of page 0; page 1's lie in its own rope box, by then read
  RowStatistics statistics[2][kTileRows];
  float sums[2][2][kTileRows];
  uint8_t exponents[2][2][kTileRows];  // biased: of the largest output of a consumer's columns
  uint64_t q_full;
  uint64_t q_empty;
  uint64_t k_full[2][D::kBoxes];
  uint64_t k_empty[2][2];  // [page][half]; the rope box goes with the left half
  // Between the consumers. Every thread arrives for itself: racecheck sees no order otherwise.
  uint64_t weights_ready[2][2];  // [page][half of its tokens]; the first comes with the statistics
  uint64_t sums_ready;
};

struct DecodeParams {
  CUtensorMap q_map;  // [batch, token, h_kv, row in group, dim]
  CUtensorMap k_map;  // [block, h_kv, token, dim]
  const int32_t* block_table;
  int64_t block_table_stride;
  const int32_t* lengths;
  const int32_t* settled;
  const int32_t* metadata;
  const int32_t* num_splits;
  __nv_bfloat16* out;
  int64_t out_stride_batch;
  int64_t out_stride_token;
  int64_t out_stride_head;
  float* lse;
  SplitResults splits;
  int max_splits;
  int batch;
  int s_q;
  int h_q;
  int group;             // query heads of one key/value head
  int rows;              // s_q * group
  int q_box_rows;        // query rows of one copy
  int q_rows_per_token;  // rows before the map's token coordinate moves on
  int causal;
  float scale_log2;  // softmax_scale * log2(e)
  float scale;
};

// A run of pages of one sequence, worked on without a break.
struct Split {
  int sequence;
  int length;  // of the sequence, in tokens
  int begin;   // pages
  int end;
  int slot;    // of the workspace
  bool whole;  // the sequence is not cut: its result goes to `out`
  bool first;  // of its sequence in this part: its queries are not loaded yet
  bool last;   // of its sequence in this part: nothing needs its queries afterwards
  int to_merge;  // splits, up to this one, to be merged after it: all of the sequence, or none
};

// Walks the splits of a thread block's part; every warp of the block walks the same ones.
class SplitIterator {
 public:
  __device__ __forceinline__ explicit SplitIterator(const DecodeParams& p) : p_(p) {
    const int4* row =
        reinterpret_cast<const int4*>(p.metadata + blockIdx.z * SPARK_MLA_METADATA_WIDTH);
    const int4 low = row[0];
    const int4 high = row[1];
    sequence_ = low.x;
    page_ = low.y;
    last_sequence_ = low.z;
    end_page_ = low.w;
    index_ = high.x;
    halved_ = high.y != 0;
    first_length_ = high.z;
    entering_ = true;
  }

  __device__ __forceinline__ bool next(Split& split) {
    if (sequence_ >= p_.batch) {
      return false;
    }
    split.first = entering_;
    if (entering_) {
      length_ = first_length_ >= 0 ? first_length_ : p_.lengths[sequence_];
      first_length_ = -1;
      first_slot_ = p_.num_splits[sequence_];
      const int count = p_.num_splits[sequence_ + 1] - first_slot_;
      whole_ = count == 1;
      halvings_ = __ffs(count) - 1;
      pages_ = (length_ + kPage - 1) / kPage;
      limit_ = sequence_ == last_sequence_ ? min(end_page_, pages_) : pages_;
      merges_ = !whole_ && page_ == 0 && limit_ == pages_;
      if (merges_) {
        // Sequences that are merged here use the same slots one after another, those of the first of
        // them: what is written again so soon need not go to memory.
        merge_slot_ = merge_slot_ < 0 ? first_slot_ : merge_slot_;
        first_slot_ = merge_slot_;
      }
      entering_ = false;
    }
    split.sequence = sequence_;
    split.length = length_;
    split.begin = page_;
    split.end = halved_ ? split_begin(pages_, halvings_, index_ + 1) : limit_;
    split.slot = first_slot_ + index_;
    split.whole = whole_;
    split.last = split.end == limit_;
    split.to_merge = merges_ && split.last ? index_ + 1 : 0;
    if (!split.last) {
      page_ = split.end;
      ++index_;
    } else {
      sequence_ = sequence_ == last_sequence_ ? p_.batch : sequence_ + 1;
      page_ = 0;
      index_ = 0;
      entering_ = true;
    }
    return true;
  }

 private:
  const DecodeParams& p_;
  int sequence_, page_, last_sequence_, end_page_, index_;  // index_: of the next split
  int first_length_, length_ = 0, pages_ = 0, limit_ = 0, first_slot_ = 0, halvings_ = 0;
  int merge_slot_ = -1;
  bool entering_, halved_, whole_ = false;
  bool merges_ = false;  // all splits of the sequence are in this part
};

// ---- Loading ------------------------------------------------------------------------------------

// One lane loads one half of every page: its kHalfBoxes boxes, and with the left half the rope box. It fills both
// buffers before the kernel before has ended, as far as their tokens are settled.
template <class D, int kCluster, int kSide>
__device__ __forceinline__ void load_keys(const DecodeParams& p, SharedStorage<D>& shared,
                                          uint32_t rank) {
  constexpr int kCount = D::kHalfBoxes + (kSide == 0 ? 1 : 0);
  // Pages prefetched into L2. Where no thread block shares its keys, memory is the limit, and
  // fetching early only disturbs it: a fifth slower.
  constexpr int kAhead = kCluster > 1 ? 2 : 0;
  // Pages that another cluster reads too should stay in L2, others need not.
  const bool shared_pages = gridDim.x > kCluster;
  const uint64_t policy = shared_pages ? kEvictNormal : kEvictFirst;
  const int head = blockIdx.y;
  uint32_t parity = 3;  // bit s: of slot s
  bool waited = p.settled == nullptr;
  int early = 0;
  SplitIterator splits(p);
  Split split;
  while (splits.next(split)) {
    const int32_t* table = p.block_table + split.sequence * p.block_table_stride;
    const int settled_pages = waited ? 0 : p.settled[split.sequence] / kPage;
    for (int page = split.begin; page < split.end; ++page) {
      if (!waited && (page >= settled_pages || early == 2)) {
        wait_for_previous_kernel();
        waited = true;
      }
      ++early;
      const int slot = (page - split.begin) & 1;
      const int block = table[page];
      int ahead = 0;
      if (kAhead > 0 && !shared_pages) {
        ahead = table[min(page + kAhead, split.end - 1)];
      }
      mbarrier_wait(shared_address(&shared.k_empty[slot][kSide]), (parity >> slot) & 1);
      parity ^= 1u << slot;
#pragma unroll 1
      for (int i = 0; i < kCount; ++i) {
        const int box = i < D::kHalfBoxes ? kSide * D::kHalfBoxes + i : D::kRopeBox;
        const uint32_t full = shared_address(&shared.k_full[slot][box]);
        const uint32_t destination = shared_address(shared.k[slot][box]);
        mbarrier_arrive_expect(full, kBoxBytes);
        if (kCluster == 1) {
          tma_load_4d(destination, &p.k_map, full, box * kBoxColumns, 0, head, block, policy);
        } else if ((i & 1) == static_cast<int>(rank)) {
          tma_load_4d_multicast(destination, &p.k_map, full, box * kBoxColumns, 0, head, block,
                                (1 << kCluster) - 1, policy);
        }
      }
      if (kAhead > 0 && page + kAhead < split.end) {
        if (shared_pages) {
          ahead = table[page + kAhead];  // this late: 2 to 3 % faster here, 1 to 2 % slower otherwise
        }
#pragma unroll 1
        for (int i = 0; i < kCount; ++i) {
          const int box = i < D::kHalfBoxes ? kSide * D::kHalfBoxes + i : D::kRopeBox;
          if (kCluster == 1 || (i & 1) == static_cast<int>(rank)) {
            tma_prefetch_4d(&p.k_map, box * kBoxColumns, 0, head, ahead, policy);
          }
        }
      }
    }
  }
}

// All lanes of a warp call it: each enqueues the copies of some boxes, since one lane would take
// longer for all than the keys need.
template <class D>
__device__ __forceinline__ void load_queries(const DecodeParams& p, SharedStorage<D>& shared,
                                             int lane) {
  const int head = blockIdx.y;
  const int first_row = blockIdx.x * kTileRows;
  const int copies = D::kBoxes * (kTileRows / p.q_box_rows);
  const uint32_t full = shared_address(&shared.q_full);
  uint32_t parity = 1;
  SplitIterator splits(p);
  Split split;
  while (splits.next(split)) {
    if (!split.first || split.begin == split.end) {
      continue;
    }
    mbarrier_wait(shared_address(&shared.q_empty), parity);
    parity ^= 1;
    if (lane == 0) {
      mbarrier_arrive_expect(full, D::kBoxes * kBoxBytes);
    }
    for (int i = lane; i < copies; i += 32) {
      const int box = i % D::kBoxes;
      const int row = i / D::kBoxes * p.q_box_rows;
      tma_load_5d(shared_address(shared.q[box]) + row * kBoxColumns * 2, &p.q_map, full,
                  box * kBoxColumns, (first_row + row) % p.q_rows_per_token, head,
                  (first_row + row) / p.q_rows_per_token, split.sequence);
    }
  }
}

// ---- Computing ----------------------------------------------------------------------------------

// Column boxes in the order in which they are released and so arrive: of the left consumer's page
// the left half first, of the right one's the right half.
template <class D, int kSide>
__device__ __forceinline__ constexpr int qk_box(int i) {
  if (kSide == 0) {
    return i < D::kHalfBoxes ? i : i == D::kHalfBoxes ? D::kRopeBox : i - 1;
  }
  return i < D::kHalfBoxes ? D::kHalfBoxes + i : i < 2 * D::kHalfBoxes ? i - D::kHalfBoxes
                                                                       : D::kRopeBox;
}

// Enqueues scores = queries * keys^T of page buffer kSide; starts on each box as it arrives.
template <class D, int kSide>
__device__ __forceinline__ void multiply_qk(SharedStorage<D>& shared, uint32_t parity,
                                            float (&scores)[32]) {
  const uint64_t q = wgmma_descriptor(shared_address(shared.q), 0);
  const uint64_t k = wgmma_descriptor(shared_address(shared.k[kSide]), 0);
  pin(scores);
  wgmma_fence();
#pragma unroll
  for (int i = 0; i < D::kBoxes; ++i) {
    const int box = qk_box<D, kSide>(i);
    mbarrier_wait(shared_address(&shared.k_full[kSide][box]), parity);
    const int steps = (box == D::kRopeBox ? D::kRope : kBoxColumns) / 16;
#pragma unroll
    for (int step = 0; step < steps; ++step) {
      const uint64_t offset = (box * kBoxBytes + step * 32) >> 4;
      wgmma_ss(scores, q + offset, k + offset, i + step > 0);
    }
  }
  wgmma_commit();
}

// Rows of the last page past the sequence's end may hold NaN, and 0 * NaN is NaN: zeroes them.
template <class D, int kSide>
__device__ __forceinline__ void zero_tail(SharedStorage<D>& shared, uint32_t parity, int valid,
                                          int thread) {
  for (int box = 0; box < D::kBoxes; ++box) {
    mbarrier_wait(shared_address(&shared.k_full[kSide][box]), parity);
  }
  for (int i = thread; i < (kPage - valid) * 8; i += kWarpgroup) {
    const int offset = (valid + i / 8) * kBoxColumns * 2 + i % 8 * 16;
#pragma unroll
    for (int box = 0; box < D::kBoxes; ++box) {
      *reinterpret_cast<int4*>(&shared.k[kSide][box][offset]) = make_int4(0, 0, 0, 0);
    }
  }
  fence_proxy_async();
  named_barrier_sync(kTailZeroed + kSide, kWarpgroup);
}

// A thread's two rows' largest scores, over the whole page.
__device__ __forceinline__ void row_maxima(const float (&scores)[32], float (&top)[2]) {
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    float chain[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      chain[i] = fmaxf(scores[i * 4 + h * 2], scores[i * 4 + h * 2 + 1]);
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      chain[i] = fmaxf(chain[i], fmaxf(scores[16 + i * 4 + h * 2], scores[16 + i * 4 + h * 2 + 1]));
    }
    top[h] = quad_max(fmaxf(fmaxf(chain[0], chain[1]), fmaxf(chain[2], chain[3])));
  }
}

// One consumer's registers. A thread holds two rows of its warp's sixteen: lane / 4 and 8 below,
// and of every 8 columns the pair 2 * (lane % 4).
template <class D>
struct Consumer {
  float out[D::kAccumulators];
  float maximum[2];
  float sum[2];  // of this consumer's own pages and this thread's own columns
  int row[2];    // within the tile
  // Of the phase that is waited for next at each barrier.
  uint32_t q_parity = 0, k_parity = 0, other_parity = 0, sums_parity = 0;

  __device__ __forceinline__ explicit Consumer(int thread) {
    row[0] = thread / 32 * 16 + thread % 32 / 4;
    row[1] = row[0] + 8;
  }

  // Begins a split, once its queries are there.
  __device__ __forceinline__ void begin(SharedStorage<D>& shared, const Split& split) {
#pragma unroll
    for (int i = 0; i < D::kAccumulators; ++i) {
      out[i] = 0.f;
    }
    maximum[0] = maximum[1] = -CUDART_INF_F;
    sum[0] = sum[1] = 0.f;
    if (split.first && split.begin < split.end) {
      mbarrier_wait(shared_address(&shared.q_full), q_parity);
      q_parity ^= 1;
    }
  }

  // Multiplies the output by a factor for each row; most of the time all are 1.
  __device__ __forceinline__ void rescale(const float (&factor)[2]) {
    if (__any_sync(kAllLanes, factor[0] != 1.f || factor[1] != 1.f)) {
#pragma unroll
      for (int i = 0; i < D::kAccumulators; ++i) {
        out[i] *= factor[(i >> 1) & 1];
      }
    }
  }

  // Takes over the maximum that the other consumer has moved to.
  __device__ __forceinline__ void adopt_maximum(const RowStatistics* statistics,
                                                float (&factor)[2]) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const RowStatistics other = statistics[row[h]];
      maximum[h] = other.maximum;
      factor[h] = other.factor;
      sum[h] *= factor[h];
    }
  }

  // Moves a row's maximum only when `top`, its largest score, has outgrown it by 2^kRescaleAbove:
  // exact all the same, since sum and out share it. `base` is what exponents are relative to.
  __device__ __forceinline__ void update_maximum(const float (&top)[2], float scale_log2,
                                                 float (&factor)[2], float (&base)[2]) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const bool keep = top[h] * scale_log2 <= maximum[h] * scale_log2 + kRescaleAbove;
      factor[h] = keep ? 1.f : exp2_approximate((maximum[h] - top[h]) * scale_log2);
      maximum[h] = keep ? maximum[h] : top[h];
      base[h] = maximum[h] == -CUDART_INF_F ? 0.f : -maximum[h] * scale_log2;
      sum[h] *= factor[h];
    }
  }

  // Half of a page's scores -> weights, packed as wgmma's left operand.
  template <int kHalf>
  __device__ __forceinline__ void softmax(const float (&scores)[32], float scale_log2,
                                          const float (&base)[2], uint32_t (&weights)[4][4]) {
    float sums[2] = {};
#pragma unroll
    for (int i = kHalf * 16; i < kHalf * 16 + 16; i += 2) {
      const int h = (i >> 1) & 1;
      const float low = exp2_approximate(fmaf(scores[i], scale_log2, base[h]));
      const float high = exp2_approximate(fmaf(scores[i + 1], scale_log2, base[h]));
      sums[h] += low + high;
      weights[i / 8][(i % 8) / 2] = pack_bf16(low, high);
    }
    sum[0] += sums[0];
    sum[1] += sums[1];
  }
};

template <class D>
__device__ __forceinline__ void mask_scores(const DecodeParams& p, const Split& split, int page,
                                            const Consumer<D>& consumer, int lane,
                                            float (&scores)[32]) {
  const int hidden_most = p.causal ? p.s_q - 1 : 0;
  if ((page + 1) * kPage <= split.length - hidden_most) {
    return;
  }
  int visible[2];
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    const int token = min((static_cast<int>(blockIdx.x) * kTileRows + consumer.row[h]) / p.group,
                          p.s_q - 1);
    visible[h] = split.length - (p.causal ? p.s_q - 1 - token : 0) - page * kPage;
  }
#pragma unroll
  for (int i = 0; i < 32; ++i) {
    const int column = i / 4 * 8 + lane % 4 * 2 + (i & 1);
    if (column >= visible[(i >> 1) & 1]) {
      scores[i] = -CUDART_INF_F;
    }
  }
}

// Writes half of the weights where the other consumer's wgmma reads them: 64 x 64 bf16, 128-byte
// swizzle. A fence must follow.
template <class D, int kHalf>
__device__ __forceinline__ void store_weights(const Consumer<D>& consumer, int lane,
                                              const uint32_t (&weights)[4][4],
                                              uint8_t* destination) {
  // Lane l names row l % 8 of the (l / 8)th 8 x 8 matrix: upper and lower rows, then 8 columns on.
  const int row = consumer.row[0] - lane / 4 + lane % 16;
  const uint32_t target = shared_address(destination) + row * kBoxColumns * 2 +
                          (((lane / 16) ^ (row & 7)) * 16);
#pragma unroll
  for (int step = kHalf * 2; step < kHalf * 2 + 2; ++step) {
    stmatrix_x4(target ^ (step * 32), weights[step]);
  }
}

template <class D>
__device__ __forceinline__ void store_statistics(const Consumer<D>& consumer, int lane,
                                                 const float (&factor)[2],
                                                 RowStatistics* statistics) {
  if (lane % 4 == 0) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      statistics[consumer.row[h]] = RowStatistics{consumer.maximum[h], factor[h]};
    }
  }
}

// Enqueues out += weights * values, own weights from registers.
template <class D, int kSide>
__device__ __forceinline__ void multiply_own_pv(SharedStorage<D>& shared,
                                                float (&out)[D::kAccumulators],
                                                const uint32_t (&weights)[4][4]) {
  const uint64_t v = wgmma_descriptor(shared_address(shared.k[kSide][kSide * D::kHalfBoxes]),
                                      kBoxBytes);
  pin(out);
  wgmma_fence();
#pragma unroll
  for (int step = 0; step < 4; ++step) {
    wgmma_rs_t(out, weights[step], v + ((step * 16 * kBoxColumns * 2) >> 4));
  }
  wgmma_commit();
}

// Enqueues out += weights * values, with the other consumer's weights and page. The weights of the
// page's first half of tokens are there; those of the second half are waited for in between.
template <class D, int kSide>
__device__ __forceinline__ void multiply_other_pv(SharedStorage<D>& shared, uint32_t parity,
                                                  float (&out)[D::kAccumulators]) {
  constexpr int kOther = 1 - kSide;
  const uint64_t weights = wgmma_descriptor(
      shared_address(kOther == 0 ? shared.weights0 : shared.k[1][D::kRopeBox]), 0);
  const uint64_t v = wgmma_descriptor(shared_address(shared.k[kOther][kSide * D::kHalfBoxes]),
                                      kBoxBytes);
  pin(out);
  wgmma_fence();
#pragma unroll
  for (int step = 0; step < 4; ++step) {
    if (step == 2) {
      mbarrier_wait(shared_address(&shared.weights_ready[kOther][1]), parity);
    }
    wgmma_ss_t(out, weights + ((step * 32) >> 4), v + ((step * 16 * kBoxColumns * 2) >> 4));
  }
  wgmma_commit();
}

// Tells the loaders of all blocks of the cluster that this warp has read half of a page. All lanes
// call it, once their warpgroup's reads are over.
template <int kCluster>
__device__ __forceinline__ void release_page(uint64_t& empty, int lane) {
  if (kCluster == 1) {
    if (lane == 0) {
      mbarrier_arrive(shared_address(&empty));
    }
  } else if (lane < kCluster) {
    mbarrier_arrive_remote(shared_address(&empty), lane);
  }
}

// Writes a consumer's half of the columns of a split, once the other's sums are known: divided by
// them to `out` where the sequence is whole, else to the workspace.
template <class D, int kSide>
__device__ __forceinline__ void write_split(const DecodeParams& p, const Split& split,
                                            SharedStorage<D>& shared, Consumer<D>& consumer,
                                            uint32_t parity, int lane) {
  float sum[2];
  int exponent[2] = {};
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    sum[h] = quad_sum(consumer.sum[h]);
    if (!split.whole) {
      float largest = 0.f;
#pragma unroll
      for (int i = 0; i < D::kAccumulators; ++i) {
        if (((i >> 1) & 1) == h) {
          largest = fmaxf(largest, fabsf(consumer.out[i]));
        }
      }
      exponent[h] = __float_as_int(quad_max(largest)) >> 23;
    }
    if (lane % 4 == 0) {
      shared.sums[parity][kSide][consumer.row[h]] = sum[h];
      shared.exponents[parity][kSide][consumer.row[h]] = static_cast<uint8_t>(exponent[h]);
    }
  }
  mbarrier_arrive(shared_address(&shared.sums_ready));
  mbarrier_wait(shared_address(&shared.sums_ready), parity);
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    sum[h] += shared.sums[parity][1 - kSide][consumer.row[h]];
    const bool empty = !(sum[h] > 0.f);
    const float inverse = empty ? 0.f : 1.f / sum[h];
    const int row = blockIdx.x * kTileRows + consumer.row[h];
    const bool exists = row < p.rows;
    const bool writes_lse = kSide == 0 && exists && lane % 4 == 0;
    // Four lanes hold 32 columns of a row; each stores eight of them, `arrange`d first.
    const auto store_row = [&](auto* out, float factor, const auto& pack, const auto& arrange) {
      out += kSide * D::kHalf + lane % 4 * 8;
#pragma unroll
      for (int i = 0; i < D::kHalf / 32; ++i) {
        uint32_t word[4];
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          const int at = (i * 4 + j) * 4 + h * 2;
          word[j] = pack(consumer.out[at] * factor, consumer.out[at + 1] * factor);
        }
        arrange(word);
        if (exists) {
          *reinterpret_cast<uint4*>(out + i * 32) = make_uint4(word[0], word[1], word[2], word[3]);
        }
      }
    };
    if (split.whole) {
      const Target target(p, split.sequence, blockIdx.y, row);
      store_row(
          target.out, inverse, [](float low, float high) { return pack_bf16(low, high); },
          [&](uint32_t(&word)[4]) { transpose_quad(word, lane); });
      if (writes_lse) {
        *target.lse = empty ? CUDART_INF_F : consumer.maximum[h] * p.scale + logf(sum[h]);
      }
    } else {
      // Brings the row's largest into [2^14, 2^15).
      const int other = shared.exponents[parity][1 - kSide][consumer.row[h]];
      const int shift = min(14 + 127 - max(exponent[h], other), 126);
      const int64_t rows = static_cast<int64_t>(gridDim.y) * p.rows;
      const int64_t at = static_cast<int64_t>(blockIdx.y) * p.rows + row;
      store_row(
          p.splits.values + (split.slot * rows + at) * D::kLatent,
          __int_as_float((127 + shift) << 23),
          [](float low, float high) { return pack_half(low, high); }, [](uint32_t(&)[4]) {});
      if (writes_lse) {
        p.splits.rows[at * p.max_splits + split.slot] = {
            empty ? -CUDART_INF_F : consumer.maximum[h] * p.scale_log2 + log2f(sum[h]),
            inverse * __int_as_float((127 - shift) << 23)};
      }
    }
  }
}

// Merges all splits of a sequence, which this thread block has computed, once the last one is
// written. The consumers' warps share out the rows.
template <class D, int kSide>
__device__ __forceinline__ void merge_splits(const DecodeParams& p, const Split& split, int thread) {
  constexpr int kLoads = D::kLatent / kColumns;
  constexpr int kWarps = kConsumerThreads / 32;
  named_barrier_sync(kSplitsWritten, kConsumerThreads);
  const int lane = thread % 32;
  const int first_row = blockIdx.x * kTileRows;
  const int end_row = min(first_row + kTileRows, p.rows);
#pragma unroll 1
  for (int row = first_row + kSide * (kWarps / 2) + thread / 32; row < end_row; row += kWarps) {
    const RowSplits splits = RowSplits::of<D::kLatent>(
        p.splits, p.max_splits, gridDim.y * p.rows, blockIdx.y * p.rows + row, 0, lane,
        split.slot - split.to_merge + 1, split.to_merge);
    float merged = CUDART_INF_F;
    Columns total[kLoads] = {};
#pragma unroll 1
    for (int of = 0; of < splits.partial_sums(); ++of) {
      Columns sum[kLoads] = {};
      splits.partial_sum<kChunk>(of, lane, merged, sum);
#pragma unroll
      for (int j = 0; j < kLoads; ++j) {
        total[j].add(sum[j]);
      }
    }
    const Target target(p, split.sequence, blockIdx.y, row);
#pragma unroll
    for (int j = 0; j < kLoads; ++j) {
      total[j].store(target.out + j * kColumns, lane);
    }
    if (lane == 0) {
      target.write_lse(merged);
    }
  }
}

// The left consumer: scores even pages, owns the left half of the output.
template <class D, int kCluster>
__device__ __forceinline__ void consume_left(const DecodeParams& p, SharedStorage<D>& shared,
                                             int thread) {
  const int lane = thread % 32;
  Consumer<D> consumer(thread);
  float scores[32];
  uint32_t weights[4][4];
  float top[2], factor[2], base[2];
  SplitIterator splits(p);
  for (Split split; splits.next(split);) {
    consumer.begin(shared, split);
    // The even page: scores, softmax, weights times the left half of its values.
    const auto own_page = [&](int page) {
      const int valid = split.length - page * kPage;
      if (valid < kPage) {
        zero_tail<D, 0>(shared, consumer.k_parity, valid, thread);
      }
      multiply_qk<D, 0>(shared, consumer.k_parity, scores);
      consumer.k_parity ^= 1;
      wgmma_wait<0>();
      pin(scores);
      if (page + 2 >= split.end && split.last && lane == 0) {
        mbarrier_arrive(shared_address(&shared.q_empty));
      }
      mask_scores(p, split, page, consumer, lane, scores);
      row_maxima(scores, top);
      consumer.update_maximum(top, p.scale_log2, factor, base);
      consumer.template softmax<0>(scores, p.scale_log2, base, weights);
      store_weights<D, 0>(consumer, lane, weights, shared.weights0);
      store_statistics(consumer, lane, factor, shared.statistics[0]);
      fence_proxy_async();
      mbarrier_arrive(shared_address(&shared.weights_ready[0][0]));
      consumer.template softmax<1>(scores, p.scale_log2, base, weights);
      store_weights<D, 1>(consumer, lane, weights, shared.weights0);
      fence_proxy_async();
      mbarrier_arrive(shared_address(&shared.weights_ready[0][1]));
      consumer.rescale(factor);
      multiply_own_pv<D, 0>(shared, consumer.out, weights);
    };
    int page = split.begin;
    for (; page + 1 < split.end; page += 2) {
      own_page(page);
      wgmma_wait<0>();
      pin(consumer.out);
      release_page<kCluster>(shared.k_empty[0][0], lane);
      mbarrier_wait(shared_address(&shared.weights_ready[1][0]), consumer.other_parity);
      consumer.adopt_maximum(shared.statistics[1], factor);
      consumer.rescale(factor);
      multiply_other_pv<D, 0>(shared, consumer.other_parity, consumer.out);
      consumer.other_parity ^= 1;
      wgmma_wait<0>();
      pin(consumer.out);
      release_page<kCluster>(shared.k_empty[1][0], lane);
    }
    if (page < split.end) {
      own_page(page);
      wgmma_wait<0>();
      pin(consumer.out);
      release_page<kCluster>(shared.k_empty[0][0], lane);
    }
    write_split<D, 0>(p, split, shared, consumer, consumer.sums_parity, lane);
    consumer.sums_parity ^= 1;
    if (split.to_merge > 0) {
      merge_splits<D, 0>(p, split, thread);
    }
  }
}

// The right consumer: scores odd pages, owns the right half of the output.
template <class D, int kCluster>
__device__ __forceinline__ void consume_right(const DecodeParams& p, SharedStorage<D>& shared,
                                              int thread) {
  const int lane = thread % 32;
  Consumer<D> consumer(thread);
  float scores[32];
  uint32_t weights[4][4];
  float top[2], factor[2], base[2];
  SplitIterator splits(p);
  for (Split split; splits.next(split);) {
    consumer.begin(shared, split);
    // The even page's weights, once they are there, times the right half of its values.
    const auto other_page = [&] {
      mbarrier_wait(shared_address(&shared.weights_ready[0][0]), consumer.other_parity);
      consumer.adopt_maximum(shared.statistics[0], factor);
      consumer.rescale(factor);
      multiply_other_pv<D, 1>(shared, consumer.other_parity, consumer.out);
      consumer.other_parity ^= 1;
    };
    int page = split.begin;
    for (; page + 1 < split.end; page += 2) {
      const int valid = split.length - (page + 1) * kPage;
      if (valid < kPage) {
        zero_tail<D, 1>(shared, consumer.k_parity, valid, thread);
      }
      multiply_qk<D, 1>(shared, consumer.k_parity, scores);
      consumer.k_parity ^= 1;
      wgmma_wait<0>();
      pin(scores);
      if (page + 3 >= split.end && split.last && lane == 0) {
        mbarrier_arrive(shared_address(&shared.q_empty));
      }
      mask_scores(p, split, page + 1, consumer, lane, scores);
      row_maxima(scores, top);
      other_page();
      consumer.update_maximum(top, p.scale_log2, factor, base);
      consumer.template softmax<0>(scores, p.scale_log2, base, weights);
      store_weights<D, 0>(consumer, lane, weights, shared.k[1][D::kRopeBox]);
      store_statistics(consumer, lane, factor, shared.statistics[1]);
      fence_proxy_async();
      mbarrier_arrive(shared_address(&shared.weights_ready[1][0]));
      consumer.template softmax<1>(scores, p.scale_log2, base, weights);
      store_weights<D, 1>(consumer, lane, weights, shared.k[1][D::kRopeBox]);
      fence_proxy_async();
      mbarrier_arrive(shared_address(&shared.weights_ready[1][1]));
      wgmma_wait<0>();
      pin(consumer.out);
      release_page<kCluster>(shared.k_empty[0][1], lane);
      consumer.rescale(factor);
      multiply_own_pv<D, 1>(shared, consumer.out, weights);
      wgmma_wait<0>();
      pin(consumer.out);
      release_page<kCluster>(shared.k_empty[1][1], lane);
    }
    if (page < split.end) {
      if (page == split.begin && split.last && lane == 0) {
        mbarrier_arrive(shared_address(&shared.q_empty));
      }
      other_page();
      wgmma_wait<0>();
      pin(consumer.out);
      release_page<kCluster>(shared.k_empty[0][1], lane);
    }
    write_split<D, 1>(p, split, shared, consumer, consumer.sums_parity, lane);
    consumer.sums_parity ^= 1;
    if (split.to_merge > 0) {
      merge_splits<D, 1>(p, split, thread);
    }
  }
}

template <class D, int kCluster>
__global__ void __launch_bounds__(kThreads, 1) decode_kernel(const __grid_constant__ DecodeParams p) {
  extern __shared__ __align__(1024) uint8_t raw[];
  SharedStorage<D>& shared = *reinterpret_cast<SharedStorage<D>*>(raw);
  const int warpgroup = __shfl_sync(0xffffffffu, threadIdx.x / kWarpgroup, 0);
  const int warp = __shfl_sync(0xffffffffu, threadIdx.x % kWarpgroup / 32, 0);

  if (threadIdx.x == 0) {
    prefetch_tensor_map(&p.q_map);
    prefetch_tensor_map(&p.k_map);
    mbarrier_init(shared_address(&shared.q_full), 1);
    mbarrier_init(shared_address(&shared.q_empty), kConsumerThreads / 32);
    for (int slot = 0; slot < 2; ++slot) {
      for (int box = 0; box < D::kBoxes; ++box) {
        mbarrier_init(shared_address(&shared.k_full[slot][box]), 1);
      }
      for (int half = 0; half < 2; ++half) {
        mbarrier_init(shared_address(&shared.k_empty[slot][half]), kCluster * kWarpgroup / 32);
        mbarrier_init(shared_address(&shared.weights_ready[slot][half]), kWarpgroup);
      }
    }
    mbarrier_init(shared_address(&shared.sums_ready), kConsumerThreads);
    fence_mbarrier_init();
  }
  if (kCluster > 1) {
    cluster_sync();
  } else {
    __syncthreads();
  }
  // Whoever lets the next kernel start has waited, so that kernels after it find settled what came before this one.
  const bool loads_keys = warpgroup == 0 && warp < 2;
  if (!loads_keys || p.settled == nullptr) {
    wait_for_previous_kernel();
    launch_dependents();
  }

  if (warpgroup == 0) {
    release_registers<40>();
    const int lane = threadIdx.x % 32;
    if (warp == 2) {
      load_queries<D>(p, shared, lane);
    } else if (lane == 0) {
      const uint32_t rank = kCluster > 1 ? cluster_rank() : 0;
      if (warp == 0) {
        load_keys<D, kCluster, 0>(p, shared, rank);
      } else if (warp == 1) {
        load_keys<D, kCluster, 1>(p, shared, rank);
      }
    }
    __syncwarp();
  } else {
    claim_registers<232>();
    if (warpgroup == 1) {
      consume_left<D, kCluster>(p, shared, threadIdx.x % kWarpgroup);
    } else {
      consume_right<D, kCluster>(p, shared, threadIdx.x % kWarpgroup);
    }
  }
  // The other block may still write here or wait for us.
  if (kCluster > 1) {
    cluster_sync();
  }
}

// ---- Host ---------------------------------------------------------------------------------------

int greatest_common_divisor(int a, int b) { return b == 0 ? a : greatest_common_divisor(b, a % b); }

template <class D, int kCluster>
cudaError_t launch(const DecodeParams& params, const dim3& grid, cudaStream_t stream) {
  constexpr size_t kShared = sizeof(SharedStorage<D>);
  static_assert(kShared <= 227 * 1024);
  return launch_dependent(decode_kernel<D, kCluster>,
                          LaunchShape{grid, dim3(kThreads), kShared, kCluster}, stream, params);
}

template <class D>
cudaError_t launch(const DecodeParams& params, const DecodeShape& shape, int h_kv,
                   cudaStream_t stream) {
  const dim3 grid(shape.row_tiles, h_kv, shape.parts);
  return shape.cluster == 2 ? launch<D, 2>(params, grid, stream)
                            : launch<D, 1>(params, grid, stream);
}

}  // namespace

bool decode_dimensions_supported(int latent_dim, int rope_dim) {
  return (latent_dim == 512 && rope_dim == 64) ||
         (latent_dim == 256 && (rope_dim == 32 || rope_dim == 64));
}

cudaError_t launch_decode_parts(const spark_mla_decode_args& args, const DecodeShape& shape) {
  TensorMapEncoder encoder;
  cudaError_t error = find_encoder(&encoder);
  if (error != cudaSuccess) {
    return error;
  }
  const int group = args.h_q / args.h_kv;
  const int dim = args.latent_dim + args.rope_dim;
  DecodeParams p = {};

  // Rows that lie evenly spaced across query tokens form one dimension, and a copy takes 64 of
  // them; else a copy must not run from one token's heads into the next's.
  const bool even = args.s_q == 1 ||
                    (args.h_kv == 1 && args.q_stride_token == group * args.q_stride_head);
  const int rows_per_token = even ? shape.rows : group;
  p.q_box_rows = even ? kTileRows : greatest_common_divisor(group, kTileRows);
  p.q_rows_per_token = even ? shape.row_tiles * kTileRows : group;
  error = encode_map<5>(
      encoder, &p.q_map, args.q,
      {dim, rows_per_token, args.h_kv, even ? 1 : args.s_q, args.batch},
      {args.q_stride_head, group * args.q_stride_head, args.q_stride_token, args.q_stride_batch},
      {kBoxColumns, p.q_box_rows, 1, 1, 1});
  if (error != cudaSuccess) {
    return error;
  }
  error = encode_map<4>(
      encoder, &p.k_map, args.k_cache, {dim, kPage, args.h_kv, args.cache_blocks},
      {args.k_cache_stride_token, args.k_cache_stride_head, args.k_cache_stride_block},
      {kBoxColumns, kPage, 1, 1}, CU_TENSOR_MAP_L2_PROMOTION_L2_128B);
  if (error != cudaSuccess) {
    return error;
  }

  p.block_table = args.block_table;
  p.block_table_stride = args.block_table_stride;
  p.lengths = args.cache_seqlens;
  p.settled = args.settled;
  p.metadata = args.metadata;
  p.num_splits = args.num_splits;
  p.out = static_cast<__nv_bfloat16*>(args.out);
  p.out_stride_batch = args.out_stride_batch;
  p.out_stride_token = args.out_stride_token;
  p.out_stride_head = args.out_stride_head;
  p.lse = args.lse;
  p.splits = split_results(args, shape);
  p.max_splits = shape.max_splits;
  p.batch = args.batch;
  p.s_q = args.s_q;
  p.h_q = args.h_q;
  p.group = group;
  p.rows = shape.rows;
  p.causal = (args.flags & SPARK_MLA_CAUSAL) != 0;
  p.scale = args.softmax_scale;
  p.scale_log2 = args.softmax_scale * 1.4426950408889634f;

  const auto stream = static_cast<cudaStream_t>(args.stream);
  if (args.latent_dim == 512) {
    return launch<Dimensions<512, 64>>(p, shape, args.h_kv, stream);
  }
  return args.rope_dim == 64 ? launch<Dimensions<256, 64>>(p, shape, args.h_kv, stream)
                             : launch<Dimensions<256, 32>>(p, shape, args.h_kv, stream);
}

}  // namespace spark_mla
