// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Cuts the pages of a batch into parts that take equally long. A piece of a sequence costs its
// pages and a fixed overhead (loading queries, filling the pipeline, writing out). Parts are filled
// in order; the smallest capacity that needs no more parts than there are is found by trying 32
// capacities at once, one on each lane of a warp.

#include <climits>

#include "../warp.cuh"
#include "mla_decode.h"

namespace spark_mla {
namespace {

// What a piece costs besides its pages, in pages: with one row tile, and with several.
constexpr int kOverheadOneTile = 2;
constexpr int kOverheadManyTiles = 4;
constexpr int kLeastPiece = 4;  // pages: a shorter piece is not worth its overhead

struct SchedulerArgs {
  const int32_t* lengths;
  int32_t* metadata;
  int32_t* num_splits;
  int batch;
  int parts;
  int overhead;
  int fixed_pages;  // 0: cut anywhere
  bool spare_cuts;  // rather overfill a part a little than cut off a sequence's end
};

__device__ int pages_of(const SchedulerArgs& p, int sequence) {
  return (p.lengths[sequence] + SPARK_MLA_PAGE_TOKENS - 1) / SPARK_MLA_PAGE_TOKENS;
}

// Fills parts of the given capacity in order and returns how many it took.
template <bool kWrite>
__device__ int fill_parts(const SchedulerArgs& p, int capacity) {
  const int slack = p.spare_cuts ? capacity / 24 : 0;
  int part = 0;
  int room = capacity;
  int splits = 0;
  int first_sequence = 0, first_page = 0, first_split = 0;
  const auto close = [&](int sequence, int page, int next_sequence, int next_page, int next_split) {
    if (kWrite) {
      int32_t* row = p.metadata + part * SPARK_MLA_METADATA_WIDTH;
      row[kFirstSequence] = first_sequence;
      row[kFirstPage] = first_page;
      row[kLastSequence] = sequence;
      row[kEndPage] = page;
      row[kFirstSplit] = first_split;
      row[kSplitPages] = p.fixed_pages > 0 ? p.fixed_pages : INT_MAX;
      row[kFirstLength] = p.lengths[first_sequence];
      row[7] = 0;
    }
    ++part;
    room = capacity;
    first_sequence = next_sequence;
    first_page = next_page;
    first_split = next_split;
  };
  int previous_pages = 0;
  for (int s = 0; s < p.batch; ++s) {
    const int pages = pages_of(p, s);
    int done = 0;
    int split = 0;
    if (kWrite) {
      p.num_splits[s] = splits;
    }
    while (true) {
      if (p.fixed_pages > 0) {
        const int whole = (pages - done) / p.fixed_pages;
        const int fitting = min(whole, room / (p.fixed_pages + p.overhead));
        room -= fitting * (p.fixed_pages + p.overhead);
        done += fitting * p.fixed_pages;
        split += fitting;
        const int rest = pages - done;
        if (rest == 0 && split > 0) {
          break;
        }
        if (fitting == whole && rest + p.overhead <= room) {
          room -= rest + p.overhead;
          ++split;
          break;
        }
      } else {
        const int rest = pages - done;
        if (rest + p.overhead <= room + slack) {
          room -= rest + p.overhead;
          ++split;
          break;
        }
        // An even number of pages, because the decode kernel works on pairs. Equal pieces, each in a
        // part of its own, where they come out near the capacity.
        int take = (room - p.overhead) / 2 * 2;
        if (room == capacity) {
          const int most = room + slack - p.overhead;
          const int pieces = (rest + most - 1) / most;
          const int equal = ((rest + pieces - 1) / pieces + 1) / 2 * 2;
          if (equal >= take - slack && equal <= most) {
            take = equal;
          }
        }
        if (take >= kLeastPiece) {
          done += take;
          ++split;
        }
      }
      // The part is full: it ends inside this sequence, or before it where nothing was taken.
      if (done > 0) {
        close(s, done, s, done, split);
      } else {
        close(s - 1, previous_pages, s, 0, 0);
      }
    }
    splits += split;
    previous_pages = pages;
  }
  if (kWrite) {
    p.num_splits[p.batch] = splits;
  }
  close(p.batch - 1, previous_pages, p.batch, 0, 0);
  return part;
}

__global__ void __launch_bounds__(32) scheduler_kernel(const SchedulerArgs p) {
  const int lane = threadIdx.x;
  long long cost = 0;
  int longest_piece = 0;
  for (int s = lane; s < p.batch; s += 32) {
    const int pages = pages_of(p, s);
    const int pieces = p.fixed_pages > 0 ? max(1, (pages + p.fixed_pages - 1) / p.fixed_pages) : 1;
    cost += pages + static_cast<long long>(pieces) * p.overhead;
    longest_piece = max(longest_piece, p.fixed_pages > 0 ? min(pages, p.fixed_pages) : 0);
  }
  cost = warp_sum(cost);
  longest_piece = warp_max(longest_piece);
  // With `slack` more than the mean, every part does at least a mean part's work: enough parts.
  const int mean = static_cast<int>((cost + p.parts - 1) / p.parts);
  int slack = p.overhead + (p.fixed_pages > 0 ? longest_piece : p.overhead + kLeastPiece + 2);
  if (p.spare_cuts) {
    slack = (24 * slack + mean) / 23 + 1;  // equal pieces may be 1/24 short of the capacity
  }
  const int step = (slack + 30) / 31;
  const int least = max(mean, p.overhead + max(longest_piece, p.fixed_pages > 0 ? 0 : kLeastPiece));
  const bool fits = fill_parts<false>(p, least + lane * step) <= p.parts;
  const unsigned fitting = __ballot_sync(0xffffffffu, fits);
  int used = 0;
  if (lane == 0) {
    used = fill_parts<true>(p, least + (__ffs(fitting) - 1) * step);
  }
  used = __shfl_sync(0xffffffffu, used, 0);
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
                                args.fixed_split_tokens / SPARK_MLA_PAGE_TOKENS,
                                shape.row_tiles == 1};
  scheduler_kernel<<<1, 32, 0, static_cast<cudaStream_t>(args.stream)>>>(scheduler);
  return cudaGetLastError();
}

}  // namespace spark_mla
