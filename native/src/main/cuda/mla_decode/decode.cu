// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Split-KV MLA decode for sm_90a: wgmma, TMA, mbarriers. docs/kernels.md draws the schedule.
//
// A block of three warpgroups owns 64 query rows of one sequence and one key/value head at a time,
// and walks the pages of its part, two at a time. Consumer 0 scores the even page, consumer 1 the
// odd one; the 64 x latent output does not fit one warpgroup's registers, so consumer 0 holds its
// left half of columns and consumer 1 its right half, and each multiplies both pages' weights with
// its half of the values. While one computes its softmax, the other keeps the tensor cores busy.
// The third warpgroup loads. Where two row tiles share their keys, a cluster of two blocks loads
// each page once, each block half of it, into both.

#include <cuda_bf16.h>
#include <math_constants.h>

#include <climits>
#include <type_traits>

#include "../fragments.cuh"
#include "../hopper.cuh"
#include "../launch.cuh"
#include "../tensor_map.h"
#include "../wgmma.cuh"
#include "mla_decode.h"

namespace spark_mla {
namespace {

constexpr int kPage = SPARK_MLA_PAGE_TOKENS;
constexpr int kBoxColumns = 64;                        // one 128-byte swizzle row of bf16
constexpr int kBoxBytes = kPage * kBoxColumns * 2;     // also of a box of 64 query rows
constexpr int kThreads = 384;
constexpr int kConsumerThreads = 256;
constexpr int kWarpgroup = 128;
constexpr float kRescaleAbove = 8.f;  // growth of a row's maximum, in powers of two, that is let be

constexpr int kZeroed = 1;  // and 2: named barriers; 0 is __syncthreads'

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
  uint8_t weights0[kBoxBytes];  // page 1's weights lie in its own rope box, by then read
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
  const int32_t* metadata;
  const int32_t* num_splits;
  __nv_bfloat16* out;
  int64_t out_stride_batch;
  int64_t out_stride_token;
  int64_t out_stride_head;
  float* lse;
  Pieces pieces;
  int max_splits;
  int batch;
  int s_q;
  int h_q;
  int group;          // query heads of one key/value head
  int rows;           // s_q * group
  int q_box_rows;     // query rows of one copy
  int q_rows_per_token;  // rows before the map's token coordinate moves on
  int causal;
  float scale_log2;   // softmax_scale * log2(e)
  float scale;
};

// A run of pages of one sequence: what one pass over the pipeline works on.
struct Segment {
  int sequence;
  int length;
  int begin;
  int end;
  int slot;    // of the workspace
  bool whole;  // the sequence is not cut
};

// Walks the segments of a part; every warp of a block walks the same ones.
class SegmentWalker {
 public:
  __device__ __forceinline__ explicit SegmentWalker(const DecodeParams& p) : p_(p) {
    const int4* row =
        reinterpret_cast<const int4*>(p.metadata + blockIdx.z * SPARK_MLA_METADATA_WIDTH);
    const int4 low = row[0];
    const int4 high = row[1];
    sequence_ = low.x;
    page_ = low.y;
    last_sequence_ = low.z;
    end_page_ = low.w;
    split_ = high.x;
    split_pages_ = high.y;
    first_length_ = high.z;
    entering_ = true;
  }

  __device__ __forceinline__ bool next(Segment& segment) {
    if (sequence_ >= p_.batch) {
      return false;
    }
    if (entering_) {
      length_ = first_length_ >= 0 ? first_length_ : p_.lengths[sequence_];
      first_length_ = -1;
      first_slot_ = p_.num_splits[sequence_];
      whole_ = p_.num_splits[sequence_ + 1] - first_slot_ == 1;
      const int pages = (length_ + kPage - 1) / kPage;
      limit_ = sequence_ == last_sequence_ ? min(end_page_, pages) : pages;
      entering_ = false;
    }
    segment.sequence = sequence_;
    segment.length = length_;
    segment.begin = page_;
    segment.end =
        limit_ - page_ <= split_pages_ ? limit_ : page_ / split_pages_ * split_pages_ + split_pages_;
    segment.slot = first_slot_ + split_;
    segment.whole = whole_;
    if (segment.end < limit_) {
      page_ = segment.end;
      ++split_;
    } else {
      sequence_ = sequence_ == last_sequence_ ? p_.batch : sequence_ + 1;
      page_ = 0;
      split_ = 0;
      entering_ = true;
    }
    return true;
  }

 private:
  const DecodeParams& p_;
  int sequence_, page_, last_sequence_, end_page_, split_, split_pages_;
  int first_length_, length_ = 0, limit_ = 0, first_slot_ = 0;
  bool entering_, whole_ = false;
};

// ---- Loading ------------------------------------------------------------------------------------

// One warp loads one half of every page: the boxes [kFirstBox, kFirstBox + kHalfBoxes), and with
// the left half the rope box.
template <class D, int kCluster, int kSide>
__device__ __forceinline__ void load_keys(const DecodeParams& p, SharedStorage<D>& shared,
                                          uint32_t rank) {
  constexpr int kCount = D::kHalfBoxes + (kSide == 0 ? 1 : 0);
  // Pages asked into L2 beforehand. Where no block shares its keys, memory is the limit, and asking
  // early only disturbs it: a fifth slower.
  constexpr int kAhead = kCluster > 1 ? 2 : 0;
  // Pages that another cluster reads too should stay in L2, others need not.
  const bool shared_pages = gridDim.x > kCluster;
  const uint64_t policy = shared_pages ? kEvictNormal : kEvictFirst;
  const int head = blockIdx.y;
  uint32_t parity = 3;  // bit s: of slot s
  SegmentWalker walker(p);
  Segment segment;
  while (walker.next(segment)) {
    const int32_t* table = p.block_table + segment.sequence * p.block_table_stride;
    for (int page = segment.begin; page < segment.end; ++page) {
      const int slot = (page - segment.begin) & 1;
      const int block = table[page];
      int ahead = 0;
      if (kAhead > 0 && !shared_pages) {
        ahead = table[min(page + kAhead, segment.end - 1)];
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
      if (kAhead > 0 && page + kAhead < segment.end) {
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

// All lanes of a warp call it: each asks for some of the boxes, since one after the other would take
// longer than the keys need.
template <class D>
__device__ __forceinline__ void load_queries(const DecodeParams& p, SharedStorage<D>& shared,
                                             int lane) {
  const int head = blockIdx.y;
  const int first_row = blockIdx.x * kTileRows;
  const int copies = D::kBoxes * (kTileRows / p.q_box_rows);
  const uint32_t full = shared_address(&shared.q_full);
  uint32_t parity = 1;
  SegmentWalker walker(p);
  Segment segment;
  while (walker.next(segment)) {
    if (segment.begin == segment.end) {
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
                  (first_row + row) / p.q_rows_per_token, segment.sequence);
    }
  }
}

// ---- Computing ----------------------------------------------------------------------------------

// Column boxes in the order in which they become free: consumer 0's page gives its left half back
// first, consumer 1's page its right half.
template <class D, int kSide>
__device__ __forceinline__ constexpr int score_box(int i) {
  if (kSide == 0) {
    return i < D::kHalfBoxes ? i : i == D::kHalfBoxes ? D::kRopeBox : i - 1;
  }
  return i < D::kHalfBoxes ? D::kHalfBoxes + i : i < 2 * D::kHalfBoxes ? i - D::kHalfBoxes
                                                                       : D::kRopeBox;
}

// scores = queries * keys^T of page slot kSide; starts on each box as it arrives.
template <class D, int kSide>
__device__ __forceinline__ void score_page(SharedStorage<D>& shared, uint32_t parity,
                                           float (&scores)[32]) {
  const uint64_t q = wgmma_descriptor(shared_address(shared.q), 0);
  const uint64_t k = wgmma_descriptor(shared_address(shared.k[kSide]), 0);
  pin(scores);
  wgmma_fence();
#pragma unroll
  for (int i = 0; i < D::kBoxes; ++i) {
    const int box = score_box<D, kSide>(i);
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

// Rows of the last page past the sequence's end may hold NaN, and 0 * NaN is NaN: clears them.
template <class D, int kSide>
__device__ __forceinline__ void clear_tail(SharedStorage<D>& shared, uint32_t parity, int valid,
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
  named_barrier_sync(kZeroed + kSide, kWarpgroup);
}

// A thread's two rows' largest scores, over the whole page.
__device__ __forceinline__ void largest_scores(const float (&scores)[32], float (&top)[2]) {
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

  __device__ __forceinline__ void reset() {
#pragma unroll
    for (int i = 0; i < D::kAccumulators; ++i) {
      out[i] = 0.f;
    }
    maximum[0] = maximum[1] = -CUDART_INF_F;
    sum[0] = sum[1] = 0.f;
  }

  // Multiplies the output by a factor for each row; most of the time all are 1.
  __device__ __forceinline__ void rescale(const float (&factor)[2]) {
    if (__any_sync(0xffffffffu, factor[0] != 1.f || factor[1] != 1.f)) {
#pragma unroll
      for (int i = 0; i < D::kAccumulators; ++i) {
        out[i] *= factor[(i >> 1) & 1];
      }
    }
  }

  // Takes over the maximum that the other consumer has moved to.
  __device__ __forceinline__ void follow(const RowStatistics* statistics, float (&factor)[2]) {
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
  __device__ __forceinline__ void settle(const float (&top)[2], float scale_log2,
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
  __device__ __forceinline__ void soften(const float (&scores)[32], float scale_log2,
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
__device__ __forceinline__ void mask_scores(const DecodeParams& p, const Segment& segment, int page,
                                            const Consumer<D>& consumer, int lane,
                                            float (&scores)[32]) {
  const int hidden_most = p.causal ? p.s_q - 1 : 0;
  if ((page + 1) * kPage <= segment.length - hidden_most) {
    return;
  }
  int visible[2];
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    const int token = min((static_cast<int>(blockIdx.x) * kTileRows + consumer.row[h]) / p.group,
                          p.s_q - 1);
    visible[h] = segment.length - (p.causal ? p.s_q - 1 - token : 0) - page * kPage;
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
__device__ __forceinline__ void publish(const Consumer<D>& consumer, int lane,
                                        const uint32_t (&weights)[4][4], uint8_t* destination) {
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
__device__ __forceinline__ void publish(const Consumer<D>& consumer, int lane,
                                        const float (&factor)[2], RowStatistics* statistics) {
  if (lane % 4 == 0) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      statistics[consumer.row[h]] = RowStatistics{consumer.maximum[h], factor[h]};
    }
  }
}

// out += weights * values, own weights from registers.
template <class D, int kSide>
__device__ __forceinline__ void multiply_own(SharedStorage<D>& shared,
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

// out += weights * values, the other consumer's weights and page, of which the first half is there:
// starts on it while the last is being made.
template <class D, int kSide>
__device__ __forceinline__ void multiply_other(SharedStorage<D>& shared, uint32_t parity,
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

// Each of a warp's lanes calls it once its warpgroup's reads are over.
template <int kCluster>
__device__ __forceinline__ void give_back(uint64_t& empty, int lane) {
  if (kCluster == 1) {
    if (lane == 0) {
      mbarrier_arrive(shared_address(&empty));
    }
  } else if (lane < kCluster) {
    mbarrier_arrive_remote(shared_address(&empty), lane);
  }
}

template <class D, int kSide>
__device__ __forceinline__ void write_segment(const DecodeParams& p, const Segment& segment,
                                              SharedStorage<D>& shared, Consumer<D>& consumer,
                                              uint32_t turn, int lane) {
  float sum[2];
  int exponent[2] = {};
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    sum[h] = quad_sum(consumer.sum[h]);
    if (!segment.whole) {
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
      shared.sums[turn][kSide][consumer.row[h]] = sum[h];
      shared.exponents[turn][kSide][consumer.row[h]] = static_cast<uint8_t>(exponent[h]);
    }
  }
  mbarrier_arrive(shared_address(&shared.sums_ready));
  mbarrier_wait(shared_address(&shared.sums_ready), turn);
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    sum[h] += shared.sums[turn][1 - kSide][consumer.row[h]];
    const bool empty = !(sum[h] > 0.f);
    const float inverse = empty ? 0.f : 1.f / sum[h];
    const int row = blockIdx.x * kTileRows + consumer.row[h];
    const bool exists = row < p.rows;
    const bool speaks = kSide == 0 && exists && lane % 4 == 0;
    // Four lanes hold 32 columns of a row; each stores eight of them.
    const auto store_row = [&](auto* out, float factor, const auto& pack) {
      out += kSide * D::kHalf + lane % 4 * 8;
#pragma unroll
      for (int i = 0; i < D::kHalf / 32; ++i) {
        uint32_t word[4];
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          const int at = (i * 4 + j) * 4 + h * 2;
          word[j] = pack(consumer.out[at] * factor, consumer.out[at + 1] * factor);
        }
        transpose_quad(word, lane);
        if (exists) {
          *reinterpret_cast<uint4*>(out + i * 32) = make_uint4(word[0], word[1], word[2], word[3]);
        }
      }
    };
    if (segment.whole) {
      const int token = row / p.group;
      const int head = blockIdx.y * p.group + row % p.group;
      store_row(p.out + segment.sequence * p.out_stride_batch + token * p.out_stride_token +
                    head * p.out_stride_head,
                inverse, [](float low, float high) { return pack_bf16(low, high); });
      if (speaks) {
        p.lse[(static_cast<int64_t>(segment.sequence) * p.h_q + head) * p.s_q + token] =
            empty ? CUDART_INF_F : consumer.maximum[h] * p.scale + logf(sum[h]);
      }
    } else {
      // Brings the row's largest into [2^14, 2^15).
      const int other = shared.exponents[turn][1 - kSide][consumer.row[h]];
      const int shift = min(14 + 127 - max(exponent[h], other), 126);
      const int64_t rows = static_cast<int64_t>(gridDim.y) * p.rows;
      const int64_t at = static_cast<int64_t>(blockIdx.y) * p.rows + row;
      store_row(p.pieces.values + (segment.slot * rows + at) * D::kLatent,
                __int_as_float((127 + shift) << 23),
                [](float low, float high) { return pack_half(low, high); });
      if (speaks) {
        p.pieces.notes[at * p.max_splits + segment.slot] = {
            empty ? -CUDART_INF_F : consumer.maximum[h] * p.scale_log2 + log2f(sum[h]),
            inverse * __int_as_float((127 - shift) << 23)};
      }
    }
  }
}

// Consumer 0: scores even pages, owns the left half of the output.
template <class D, int kCluster>
__device__ __forceinline__ void consume_left(const DecodeParams& p, SharedStorage<D>& shared,
                                             int thread) {
  const int lane = thread % 32;
  Consumer<D> consumer;
  consumer.row[0] = thread / 32 * 16 + lane / 4;
  consumer.row[1] = consumer.row[0] + 8;
  uint32_t q_parity = 0, k_parity = 0, other_parity = 0, turn = 0;
  float scores[32];
  uint32_t weights[4][4];
  float top[2];
  float factor[2];
  float base[2];

  SegmentWalker walker(p);
  Segment segment;
  while (walker.next(segment)) {
    consumer.reset();
    if (segment.begin < segment.end) {
      mbarrier_wait(shared_address(&shared.q_full), q_parity);
      q_parity ^= 1;
    }
    // The even page: scores, weights, product with the left half of its values.
    const auto own_page = [&](int page) {
      const int valid = segment.length - page * kPage;
      if (valid < kPage) {
        clear_tail<D, 0>(shared, k_parity, valid, thread);
      }
      score_page<D, 0>(shared, k_parity, scores);
      k_parity ^= 1;
      wgmma_wait<0>();
      pin(scores);
      if (page + 2 >= segment.end && lane == 0) {
        mbarrier_arrive(shared_address(&shared.q_empty));
      }
      mask_scores(p, segment, page, consumer, lane, scores);
      largest_scores(scores, top);
      consumer.settle(top, p.scale_log2, factor, base);
      consumer.template soften<0>(scores, p.scale_log2, base, weights);
      publish<D, 0>(consumer, lane, weights, shared.weights0);
      publish(consumer, lane, factor, shared.statistics[0]);
      fence_proxy_async();
      mbarrier_arrive(shared_address(&shared.weights_ready[0][0]));
      consumer.template soften<1>(scores, p.scale_log2, base, weights);
      publish<D, 1>(consumer, lane, weights, shared.weights0);
      fence_proxy_async();
      mbarrier_arrive(shared_address(&shared.weights_ready[0][1]));
      consumer.rescale(factor);
      multiply_own<D, 0>(shared, consumer.out, weights);
    };
    int page = segment.begin;
    for (; page + 1 < segment.end; page += 2) {
      own_page(page);
      wgmma_wait<0>();
      pin(consumer.out);
      give_back<kCluster>(shared.k_empty[0][0], lane);
      mbarrier_wait(shared_address(&shared.weights_ready[1][0]), other_parity);
      consumer.follow(shared.statistics[1], factor);
      consumer.rescale(factor);
      multiply_other<D, 0>(shared, other_parity, consumer.out);
      other_parity ^= 1;
      wgmma_wait<0>();
      pin(consumer.out);
      give_back<kCluster>(shared.k_empty[1][0], lane);
    }
    if (page < segment.end) {
      own_page(page);
      wgmma_wait<0>();
      pin(consumer.out);
      give_back<kCluster>(shared.k_empty[0][0], lane);
    }
    write_segment<D, 0>(p, segment, shared, consumer, turn, lane);
    turn ^= 1;
  }
}

// Consumer 1: scores odd pages, owns the right half of the output.
template <class D, int kCluster>
__device__ __forceinline__ void consume_right(const DecodeParams& p, SharedStorage<D>& shared,
                                              int thread) {
  const int lane = thread % 32;
  Consumer<D> consumer;
  consumer.row[0] = thread / 32 * 16 + lane / 4;
  consumer.row[1] = consumer.row[0] + 8;
  uint32_t q_parity = 0, k_parity = 0, other_parity = 0, turn = 0;
  float scores[32];
  uint32_t weights[4][4];
  float top[2];
  float factor[2];
  float base[2];

  SegmentWalker walker(p);
  Segment segment;
  while (walker.next(segment)) {
    consumer.reset();
    if (segment.begin < segment.end) {
      mbarrier_wait(shared_address(&shared.q_full), q_parity);
      q_parity ^= 1;
    }
    // The even page's weights, once there, and the right half of its values.
    const auto other_page = [&] {
      mbarrier_wait(shared_address(&shared.weights_ready[0][0]), other_parity);
      consumer.follow(shared.statistics[0], factor);
      consumer.rescale(factor);
      multiply_other<D, 1>(shared, other_parity, consumer.out);
      other_parity ^= 1;
    };
    int page = segment.begin;
    for (; page + 1 < segment.end; page += 2) {
      const int valid = segment.length - (page + 1) * kPage;
      if (valid < kPage) {
        clear_tail<D, 1>(shared, k_parity, valid, thread);
      }
      score_page<D, 1>(shared, k_parity, scores);
      k_parity ^= 1;
      wgmma_wait<0>();
      pin(scores);
      if (page + 3 >= segment.end && lane == 0) {
        mbarrier_arrive(shared_address(&shared.q_empty));
      }
      mask_scores(p, segment, page + 1, consumer, lane, scores);
      largest_scores(scores, top);
      other_page();
      consumer.settle(top, p.scale_log2, factor, base);
      consumer.template soften<0>(scores, p.scale_log2, base, weights);
      publish<D, 0>(consumer, lane, weights, shared.k[1][D::kRopeBox]);
      publish(consumer, lane, factor, shared.statistics[1]);
      fence_proxy_async();
      mbarrier_arrive(shared_address(&shared.weights_ready[1][0]));
      consumer.template soften<1>(scores, p.scale_log2, base, weights);
      publish<D, 1>(consumer, lane, weights, shared.k[1][D::kRopeBox]);
      fence_proxy_async();
      mbarrier_arrive(shared_address(&shared.weights_ready[1][1]));
      wgmma_wait<0>();
      pin(consumer.out);
      give_back<kCluster>(shared.k_empty[0][1], lane);
      consumer.rescale(factor);
      multiply_own<D, 1>(shared, consumer.out, weights);
      wgmma_wait<0>();
      pin(consumer.out);
      give_back<kCluster>(shared.k_empty[1][1], lane);
    }
    if (page < segment.end) {
      if (page == segment.begin && lane == 0) {
        mbarrier_arrive(shared_address(&shared.q_empty));
      }
      other_page();
      wgmma_wait<0>();
      pin(consumer.out);
      give_back<kCluster>(shared.k_empty[0][1], lane);
    }
    write_segment<D, 1>(p, segment, shared, consumer, turn, lane);
    turn ^= 1;
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
  wait_for_previous_kernel();
  launch_dependents();

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

DecodeShape decode_shape(const spark_mla_decode_args& args, int multiprocessors) {
  DecodeShape shape;
  shape.rows = args.s_q * (args.h_q / args.h_kv);
  shape.row_tiles = (shape.rows + kTileRows - 1) / kTileRows;
  shape.cluster = shape.row_tiles % 2 == 0 ? 2 : 1;
  shape.parts = max(1, multiprocessors / (shape.row_tiles * args.h_kv));
  const int pages = args.fixed_split_tokens / SPARK_MLA_PAGE_TOKENS;
  shape.max_splits = pages > 0 ? args.batch * ((args.max_blocks + pages - 1) / pages)
                               : args.batch + shape.parts;
  return shape;
}

size_t decode_workspace_bytes(const spark_mla_decode_args& args, const DecodeShape& shape) {
  return static_cast<size_t>(shape.max_splits) * args.h_kv * shape.rows *
         (args.latent_dim * sizeof(__half) + sizeof(PieceNote));
}

Pieces pieces_of(const spark_mla_decode_args& args, const DecodeShape& shape) {
  __half* const values = static_cast<__half*>(args.workspace);
  return {values, reinterpret_cast<PieceNote*>(values + static_cast<int64_t>(shape.max_splits) *
                                                            args.h_kv * shape.rows *
                                                            args.latent_dim)};
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
  p.metadata = args.metadata;
  p.num_splits = args.num_splits;
  p.out = static_cast<__nv_bfloat16*>(args.out);
  p.out_stride_batch = args.out_stride_batch;
  p.out_stride_token = args.out_stride_token;
  p.out_stride_head = args.out_stride_head;
  p.lse = args.lse;
  p.pieces = pieces_of(args, shape);
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
