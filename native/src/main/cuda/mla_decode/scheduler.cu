// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Deals the pages of a batch to parts, one for each thread block of decode.cu (or cluster of them).
// One warp, once a step; sequences' lengths are on the device, and no host knows them.
//
// A part is a run of consecutive pages over one or more sequences. What a part takes of one
// sequence without a break is a split: it costs its pages and a fixed overhead (queries, filling
// the pipeline, writing out). Parts are filled in order up to a capacity; the smallest capacity
// that needs no more parts than there are makes the longest part as short as possible. It is found
// by trying 32 of them at once, one on each lane.
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

// The part that is being filled. Every lane fills parts of its own capacity; only one writes them.
template <bool kHalves>
class Part {
 public:
  __device__ __forceinline__ Part(const SchedulerArgs& p, int capacity, bool writes)
      : room(capacity), p_(p), capacity_(capacity), writes_(writes) {}

  // Ends the part before page `page` of `sequence`, where the next one begins with split `split`.
  __device__ __forceinline__ void end_inside(int sequence, int page, int split) {
    write(sequence, page);
    begin(sequence, page, split);
  }

  // Ends the part with the last of `pages` of the sequence before `next`, where the next one
  // begins.
  __device__ __forceinline__ void end_before(int next, int pages) {
    write(next - 1, pages);
    begin(next, 0, 0);
  }

  __device__ __forceinline__ int count() const { return count_; }

  int room;  // pages and overheads that still fit

 private:
  __device__ __forceinline__ void write(int last_sequence, int end_page) {
    if (writes_) {
      int32_t* row = p_.metadata + count_ * SPARK_MLA_METADATA_WIDTH;
      row[kFirstSequence] = sequence_;
      row[kFirstPage] = page_;
      row[kLastSequence] = last_sequence;
      row[kEndPage] = end_page;
      row[kFirstSplit] = split_;
      row[kHalved] = kHalves;
      row[kFirstLength] = p_.lengths[sequence_];
      row[7] = 0;
    }
    ++count_;
  }

  __device__ __forceinline__ void begin(int sequence, int page, int split) {
    room = capacity_;
    sequence_ = sequence;
    page_ = page;
    split_ = split;
  }

  const SchedulerArgs& p_;
  const int capacity_;
  const bool writes_;
  int count_ = 0;  // of parts that have ended
  int sequence_ = 0, page_ = 0, split_ = 0;
};

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

  // Fills parts and returns how many it took.
  static __device__ __forceinline__ int fill(const SchedulerArgs& p, int capacity, bool writes) {
    // With one row tile memory is the limit: rather overfill a part a little than cut off a
    // sequence's end.
    const int slack = p.row_tiles == 1 ? capacity / 24 : 0;
    Part<kHalves> part(p, capacity, writes);
    int splits = 0;
    int previous_pages = 0;
    for (int s = 0; s < p.batch; ++s) {
      const int pages = pages_of(p.lengths[s]);
      int done = 0;
      int split = 0;
      if (writes) {
        p.num_splits[s] = splits;
      }
      while (pages - done + p.overhead > part.room + slack) {
        // An even number of pages, because the decode kernel works on pairs. Equal splits, each in
        // a part of its own, where they come out near the capacity.
        const int rest = pages - done;
        int take = (part.room - p.overhead) / 2 * 2;
        if (part.room == capacity) {
          const int most = part.room + slack - p.overhead;
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
        if (done > 0) {
          part.end_inside(s, done, split);
        } else {
          part.end_before(s, previous_pages);
        }
      }
      part.room -= pages - done + p.overhead;
      splits += split + 1;
      previous_pages = pages;
    }
    if (writes) {
      p.num_splits[p.batch] = splits;
    }
    part.end_before(p.batch, previous_pages);
    return part.count();
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

  static __device__ __forceinline__ int fill(const SchedulerArgs& p, int capacity, bool writes) {
    Part<kHalves> part(p, capacity, writes);
    const int lane = threadIdx.x;
    int splits = 0;
    int previous_pages = 0;
    for (int first = 0; first < p.batch; first += 32) {
      // Each lane looks at one of the next 32 sequences, for all.
      const int own_pages = first + lane < p.batch ? pages_of(p.lengths[first + lane]) : 0;
      const int own_halvings = halvings_by_length(own_pages, p.row_tiles);
      for (int s = first; s < min(first + 32, p.batch); ++s) {
        const int pages = __shfl_sync(kAllLanes, own_pages, s - first);
        const int halvings = __shfl_sync(kAllLanes, own_halvings, s - first);
        const int count = 1 << halvings;
        const int most = longest_split(pages, halvings) + p.overhead;
        const auto cost_before = [&](int split) {
          return split_begin(pages, halvings, split) + split * p.overhead;
        };
        const int cost = pages + count * p.overhead;
        int split = 0;
        int done = 0;  // of the cost
        if (writes) {
          p.num_splits[s] = splits;
        }
        while (cost - done > part.room) {
          // As many whole splits as fit: so many for sure, and seldom more.
          split = min(split + part.room / most, count - 1);
          while (split + 1 < count && cost_before(split + 1) - done <= part.room) {
            ++split;
          }
          done = cost_before(split);
          if (split > 0) {
            part.end_inside(s, split_begin(pages, halvings, split), split);
          } else {
            part.end_before(s, previous_pages);
          }
        }
        part.room -= cost - done;
        splits += count;
        previous_pages = pages;
        __syncwarp();
      }
    }
    if (writes) {
      p.num_splits[p.batch] = splits;
    }
    part.end_before(p.batch, previous_pages);
    return part.count();
  }
};

template <class Policy>
__global__ void __launch_bounds__(32) scheduler_kernel(const SchedulerArgs p) {
  const int lane = threadIdx.x;
  int least, slack;
  Policy::bounds(p, lane, least, slack);
  const int step = (slack + 30) / 31;
  const bool fits = Policy::fill(p, least + lane * step, false) <= p.parts;
  const int capacity = least + (__ffs(__ballot_sync(kAllLanes, fits)) - 1) * step;
  const int used = Policy::fill(p, capacity, lane == 0);
  for (int part = used + lane; part < p.parts; part += 32) {
    int32_t* row = p.metadata + part * SPARK_MLA_METADATA_WIDTH;
    row[kFirstSequence] = p.batch;
    for (int column = 1; column < SPARK_MLA_METADATA_WIDTH; ++column) {
      row[column] = 0;
    }
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
  if (args.split_policy == SPARK_MLA_SPLIT_BY_LENGTH) {
    scheduler_kernel<ByLength><<<1, 32, 0, stream>>>(scheduler);
  } else {
    scheduler_kernel<Balanced><<<1, 32, 0, stream>>>(scheduler);
  }
  return cudaGetLastError();
}

}  // namespace spark_mla
