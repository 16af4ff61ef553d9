// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// What the C interface (cpp/spark_mla.cpp) asks of the kernels in this folder, and what these
// kernels agree on among themselves. Arguments arrive checked.
#pragma once

#include <cuda_fp16.h>
#include <cuda_runtime_api.h>

#include "spark_mla.h"

namespace spark_mla {

constexpr int kTileRows = 64;  // query rows of one thread block: wgmma's M

// Columns of a row of the scheduler's table. A part is a run of consecutive pages, over one or more
// sequences, that one thread block (or cluster) works through.
enum MetadataColumn {
  kFirstSequence = 0,  // equals batch where the part has no work
  kFirstPage = 1,      // within kFirstSequence
  kLastSequence = 2,   // included
  kEndPage = 3,        // within kLastSequence, excluded
  kFirstSplit = 4,     // which split of kFirstSequence comes first
  kHalved = 5,         // 1: sequences are cut at split_begin(); 0: where parts end, nowhere else
  kFirstLength = 6,    // tokens of kFirstSequence
  // Row i holds the i-th of the sequences that several parts share, or batch where there are fewer:
  // a part begins within each, so there are always more rows.
  kSharedSequence = 7,
};

// How the query rows of one call fall onto thread blocks.
struct DecodeShape {
  int rows;        // s_q * (h_q / h_kv)
  int row_tiles;   // of kTileRows
  int cluster;     // row tiles that share their keys: 1 or 2
  int parts;       // rows of the scheduler's table
  int max_splits;  // of the whole batch
};

// What goes with a row of a split.
struct SplitRow {
  float lse;    // base 2, over the split's tokens; -infinity where the row sees none of them
  float scale;  // the row's output is this times its 16-bit values
};

// The workspace: what decode leaves of each split of a sequence that was cut. 16 bits are enough: a
// row's largest number uses all of a half's 11, and the weights that went into it had bfloat16's 8.
// Of every 32 columns lane q of a quad holds the pairs that begin at 2q, 8 + 2q, 16 + 2q and
// 24 + 2q; these lie side by side, so that decode stores them as they are.
struct SplitResults {
  __half* values;  // [max_splits, h_kv, rows, latent_dim / 32, q, pair, 2]
  SplitRow* rows;  // [h_kv, rows, max_splits]: those of a row side by side
};

// SPARK_MLA_SPLIT_BY_LENGTH: how often a sequence of so many pages is halved, into 2^this splits. A
// function of the sequence's own length, so that its result is the same in every batch. Until a
// split has at most 24 pages and a 64th of the sequence's (each row tile, which occupies a
// multiprocessor of its own, counts as a sequence): short sequences then occupy several
// multiprocessors, and long ones, which are cut into 64 at most, do not spend their time on
// merging. Powers of two, because equal sequences, often 2^n of them, then leave few
// multiprocessors without work. Never falls as pages grow.
__host__ __device__ inline int halvings_by_length(int pages, int row_tiles) {
  const int of_tile = pages / row_tiles;
  int halvings = 0;
  while ((of_tile >> halvings) > 24 + of_tile / 64) {
    ++halvings;
  }
  return halvings;
}

// The first page of split `index` of a sequence that was halved so often, always even, because the
// decode kernel works on pairs of pages: splits are equal as nearly as pairs allow. All of the
// sequence's pages where `index` is the number of splits.
__host__ __device__ inline int split_begin(int pages, int halvings, int index) {
  const int pairs = (pages + 1) / 2;
  const int page = static_cast<int>((static_cast<unsigned>(index) * pairs) >> halvings) * 2;
  return page < pages ? page : pages;
}

DecodeShape decode_shape(const spark_mla_decode_args& args, int multiprocessors);

size_t decode_workspace_bytes(const spark_mla_decode_args& args, const DecodeShape& shape);
SplitResults split_results(const spark_mla_decode_args& args, const DecodeShape& shape);

// True where decode kernels are built for these dimensions.
bool decode_dimensions_supported(int latent_dim, int rope_dim);

// Lengths -> metadata and num_splits: scheduler.cu.
cudaError_t launch_decode_metadata(const spark_mla_decode_args& args, const DecodeShape& shape);

// Attention over each part. Sequences that lie in one part go to out and lse, splits of the others
// to the workspace: decode.cu.
cudaError_t launch_decode_parts(const spark_mla_decode_args& args, const DecodeShape& shape);

// Splits in the workspace -> out and lse: combine.cu.
cudaError_t launch_decode_combine(const spark_mla_decode_args& args, const DecodeShape& shape);

// Plain float32 decode, any shape: reference.cu.
cudaError_t launch_decode_reference(const spark_mla_decode_args& args);

}  // namespace spark_mla
