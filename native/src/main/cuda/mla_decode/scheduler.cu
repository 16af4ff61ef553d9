// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Deals the pages of a batch to parts, one for each thread block of decode.cu (or cluster of them).
// One warp, once a step; sequences' lengths are on the device, and no host knows them.
//
// A part is a run of consecutive pages over one or more sequences. What a part takes of one
// sequence without a break is a split: it costs its pages and a fixed overhead (queries, filling
// the pipeline, writing out). Parts are filled in order up to a capacity; the smallest capacity
// that needs no more parts than there are makes the longest part as short as possible. It is found
// by trying 32 of them at once, one on each lane. Each lane lists where its parts begin; the list
// of the lane whose capacity is chosen becomes the table, a row a lane.
//
// The policy says where sequences may be cut:
//   balanced   where a part is full, so that all parts finish together. A sequence's splits then
//              depend on the rest of the batch.
//   by length  at split_begin(), which depends on the sequence's own length alone. Parts take whole
//              splits.

#include "../warp.cuh"
#include "mla_decode.h"

namespace spark_mla {
namespace {

// What a split costs besides its pages, in pages: with one row tile, and with several.
constexpr int kOverheadOneTile = 2;
constexpr int kOverheadManyTiles = 4;
constexpr int kLeastSplit = 4;  // pages: balanced, a shorter split is not worth its overhead

struct SchedulerArgs {
  const int32_t* lengths;
  int32_t* metadata;
  int32_t* num_splits;
  int batch;
  int parts;
  int overhead;
  int row_tiles;
};

__device__ __forceinline__ int pages_of(int length) {
  return (length + SPARK_MLA_PAGE_TOKENS - 1) / SPARK_MLA_PAGE_TOKENS;
}

// Where a part begins: with a sequence (page 0) or where one is cut.
struct PartBegin {
  int sequence;
  unsigned page : 24;
  unsigned split : 8;
};

// The parts that one lane fills. The list has room for a batch's parts on each lane, and the begins
// of a lane's parts lie 32 apart.
class Parts {
 public:
  __device__ __forceinline__ Parts(const SchedulerArgs& p, int capacity, PartBegin* list)
      : room(capacity), capacity_(capacity), most_(p.parts), list_(list) {
    list_[0] = PartBegin{0, 0, 0};
  }

  // Ends the part that is being filled; the next one begins here.
  __device__ __forceinline__ void next(int sequence, int page, int split) {
    room = capacity_;
    if (count_ < most_) {
      list_[count_ * 32] =
          PartBegin{sequence, static_cast<unsigned>(page), static_cast<unsigned>(split)};
    }
    ++count_;
  }

  // The part that is being filled is one of them.
  __device__ __forceinline__ int count() const { return count_; }

  int room;  // pages and overheads that still fit

 private:
  const int capacity_;
  const int most_;
  PartBegin* const list_;
  int count_ = 1;
};

// Part `part` of the chosen list, or the batch's end behind the last part.
__device__ __forceinline__ PartBegin part_begin(const SchedulerArgs& p, const PartBegin* list,
                                                int used, int part) {
  return part < used ? list[part * 32] : PartBegin{p.batch, 0, 0};
}

struct Balanced {
  static constexpr bool kHalves = false;

  // Bounds of the capacity for a batch. With `slack` more than the mean, every part does at least a
  // mean part's work, so that there are enough parts.
  static __device__ __forceinline__ void bounds(const SchedulerArgs& p, int lane, int& least,
                                                int& slack) {
    long long cost = 0;
    for (int s = lane; s < p.batch; s += 32) {
      cost += pages_of(p.lengths[s]) + p.overhead;
    }
    const int mean = static_cast<int>((warp_sum(cost) + p.parts - 1) / p.parts);
    slack = 2 * p.overhead + kLeastSplit + 2;
    if (p.row_tiles == 1) {
      slack = (24 * slack + mean) / 23 + 1;  // equal splits may be 1/24 short of the capacity
    }
    least = max(mean, p.overhead + kLeastSplit);
  }

  // Fills parts, lists them, and returns how many there are.
  static __device__ __forceinline__ int fill(const SchedulerArgs& p, int capacity,
                                             PartBegin* list) {
    // With one row tile memory is the limit: rather overfill a part a little than cut off a
    // sequence's end.
    const int slack = p.row_tiles == 1 ? capacity / 24 : 0;
    Parts parts(p, capacity, list);
    for (int s = 0; s < p.batch; ++s) {
      const int pages = pages_of(p.lengths[s]);
      int done = 0;
      int split = 0;
      while (pages - done + p.overhead > parts.room + slack) {
        // An even number of pages, because the decode kernel works on pairs. Equal splits, each in
        // a part of its own, where they come out near the capacity.
        const int rest = pages - done;
        int take = (parts.room - p.overhead) / 2 * 2;
        if (parts.room == capacity) {
          const int most = parts.room + slack - p.overhead;
          const int splits_left = (rest + most - 1) / most;
          const int equal = ((rest + splits_left - 1) / splits_left + 1) / 2 * 2;
          if (equal >= take - slack && equal <= most) {
            take = equal;
          }
        }
        if (take >= kLeastSplit) {
          done += take;
          ++split;
        }
        parts.next(s, done, split);
      }
      parts.room -= pages - done + p.overhead;
    }
    return parts.count();
  }

  // A sequence has one split more than parts begin within it.
  static __device__ __forceinline__ void count_splits(const SchedulerArgs& p, const PartBegin* list,
                                                      int used, int lane) {
    int cuts = 0;
    for (int first = 0; first < used; first += 32) {
      const PartBegin begin = part_begin(p, list, used, first + lane);
      const PartBegin end = part_begin(p, list, used, first + lane + 1);
      const int cuts_to_here = cuts + warp_inclusive_sum(begin.page > 0 ? 1 : 0);
      const int new_sequence = begin.sequence + (begin.page > 0 ? 1 : 0);
      for (int s = new_sequence; s < end.sequence + (end.page > 0 ? 1 : 0); ++s) {
        p.num_splits[s] = s + cuts_to_here;
      }
      cuts = __shfl_sync(kAllLanes, cuts_to_here, 31);
    }
    if (lane == 0) {
      p.num_splits[p.batch] = p.batch + cuts;
    }
  }
};

struct ByLength {
  static constexpr bool kHalves = true;

  // Pages, at most one too many.
  static __device__ __forceinline__ int longest_split(int pages, int halvings) {
    return (((pages + 1) / 2 + (1 << halvings) - 1) >> halvings) * 2;
  }

  static __device__ __forceinline__ void bounds(const SchedulerArgs& p, int lane, int& least,
                                                int& slack) {
    long long cost = 0;
    int longest = 0;
    for (int s = lane; s < p.batch; s += 32) {
      const int pages = pages_of(p.lengths[s]);
      const int halvings = halvings_by_length(pages, p.row_tiles);
      cost += pages + (static_cast<long long>(p.overhead) << halvings);
      longest = max(longest, longest_split(pages, halvings));
    }
    const int mean = static_cast<int>((warp_sum(cost) + p.parts - 1) / p.parts);
    slack = p.overhead + warp_max(longest);
    least = max(mean, slack);
  }

  static __device__ __forceinline__ int fill(const SchedulerArgs& p, int capacity,
                                             PartBegin* list) {
    Parts parts(p, capacity, list);
    const int lane = threadIdx.x;
    for (int first = 0; first < p.batch; first += 32) {
      // Each lane looks at one of the next 32 sequences, for all.
      const int own_pages = first + lane < p.batch ? pages_of(p.lengths[first + lane]) : 0;
      const int own_halvings = halvings_by_length(own_pages, p.row_tiles);
      const float own_inverse = 1.f / (longest_split(own_pages, own_halvings) + p.overhead);
      for (int s = first; s < min(first + 32, p.batch); ++s) {
        const int pages = __shfl_sync(kAllLanes, own_pages, s - first);
        const int halvings = __shfl_sync(kAllLanes, own_halvings, s - first);
        const float inverse = __shfl_sync(kAllLanes, own_inverse, s - first);
        const int count = 1 << halvings;
        const auto cost_before = [&](int split) {
          return split_begin(pages, halvings, split) + split * p.overhead;
        };
        const int cost = pages + count * p.overhead;
        int split = 0;
        int done = 0;  // of the cost
        while (cost - done > parts.room) {
          // As many whole splits as fit: so many for sure, and seldom more. The half keeps the
          // quotient's rounding (for room below 2^21) from reaching the next whole number.
          const int sure = static_cast<int>((parts.room + .5f) * inverse);
          split = min(split + sure, count - 1);
          while (split + 1 < count && cost_before(split + 1) - done <= parts.room) {
            ++split;
          }
          done = cost_before(split);
          parts.next(s, split_begin(pages, halvings, split), split);
        }
        parts.room -= cost - done;
        __syncwarp();
      }
    }
    return parts.count();
  }

  static __device__ __forceinline__ void count_splits(const SchedulerArgs& p, const PartBegin*, int,
                                                      int lane) {
    int splits = 0;
    for (int first = 0; first <= p.batch; first += 32) {
      const int s = first + lane;
      const int own =
          s < p.batch ? 1 << halvings_by_length(pages_of(p.lengths[s]), p.row_tiles) : 0;
      const int to_here = splits + warp_inclusive_sum(own);
      if (s <= p.batch) {
        p.num_splits[s] = to_here - own;
      }
      splits = __shfl_sync(kAllLanes, to_here, 31);
    }
  }
};

template <class Policy>
__global__ void __launch_bounds__(32) scheduler_kernel(const SchedulerArgs p) {
  extern __shared__ PartBegin lists[];  // [parts][32]
  const int lane = threadIdx.x;
  int least, slack;
  Policy::bounds(p, lane, least, slack);
  const int step = (slack + 30) / 31;
  const int count = Policy::fill(p, least + lane * step, lists + lane);
  const int chosen = __ffs(__ballot_sync(kAllLanes, count <= p.parts)) - 1;
  const int used = __shfl_sync(kAllLanes, count, chosen);
  __syncwarp();
  const PartBegin* const list = lists + chosen;
  Policy::count_splits(p, list, used, lane);
  const auto row_of = [&](int part) { return p.metadata + part * SPARK_MLA_METADATA_WIDTH; };
  for (int part = lane; part < p.parts; part += 32) {
    int32_t* const row = row_of(part);
    const PartBegin begin = part_begin(p, list, used, part);
    const PartBegin end = part_begin(p, list, used, part + 1);
    const bool works = part < used;
    const int last = end.page > 0 ? end.sequence : end.sequence - 1;
    row[kFirstSequence] = begin.sequence;
    row[kFirstPage] = begin.page;
    row[kLastSequence] = works ? last : 0;
    row[kEndPage] = !works ? 0 : end.page > 0 ? end.page : pages_of(p.lengths[last]);
    row[kFirstSplit] = begin.split;
    row[kHalved] = works && Policy::kHalves;
    row[kFirstLength] = works ? p.lengths[begin.sequence] : 0;
  }
  int shared = 0;  // sequences
  for (int first = 0; first < p.parts; first += 32) {
    // Counted at the first part that begins within a sequence.
    const int part = first + lane;
    const PartBegin begin = part_begin(p, list, used, part);
    const PartBegin before = part_begin(p, list, used, max(part - 1, 0));
    const bool found = begin.page > 0 && (before.sequence != begin.sequence || before.page == 0);
    const int to_here = shared + warp_inclusive_sum(found ? 1 : 0);
    if (found) {
      row_of(to_here - 1)[kSharedSequence] = begin.sequence;
    }
    shared = __shfl_sync(kAllLanes, to_here, 31);
  }
  for (int part = shared + lane; part < p.parts; part += 32) {
    row_of(part)[kSharedSequence] = p.batch;
  }
}

}  // namespace

cudaError_t launch_decode_metadata(const spark_mla_decode_args& args, const DecodeShape& shape) {
  const SchedulerArgs scheduler{args.cache_seqlens,
                                args.metadata,
                                args.num_splits,
                                args.batch,
                                shape.parts,
                                shape.row_tiles > 1 ? kOverheadManyTiles : kOverheadOneTile,
                                shape.row_tiles};
  const auto stream = static_cast<cudaStream_t>(args.stream);
  const size_t shared = shape.parts * 32 * sizeof(PartBegin);
  if (args.split_policy == SPARK_MLA_SPLIT_BY_LENGTH) {
    scheduler_kernel<ByLength><<<1, 32, shared, stream>>>(scheduler);
  } else {
    scheduler_kernel<Balanced><<<1, 32, shared, stream>>>(scheduler);
  }
  return cudaGetLastError();
}

}  // namespace spark_mla
