// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// What the C interface (cpp/spark_mla.cpp) asks of the kernels in this folder, and what these
// kernels agree on among themselves. Arguments arrive checked.
#pragma once

#include <cuda_runtime_api.h>

#include "spark_mla.h"

namespace spark_mla {

constexpr int kTileRows = 64;  // query rows of one block: wgmma's M

// Columns of a row of the scheduler's table. A part is a run of consecutive pages, over one or more
// sequences, that one block (or cluster) works through.
enum MetadataColumn {
  kFirstSequence = 0,  // equals batch where the part has no work
  kFirstPage = 1,      // within kFirstSequence
  kLastSequence = 2,   // included
  kEndPage = 3,        // within kLastSequence, excluded
  kFirstSplit = 4,     // which piece of kFirstSequence comes first
  kSplitPages = 5,     // every piece ends at a multiple of this
  kFirstLength = 6,    // tokens of kFirstSequence
};

// How the query rows of one call fall onto thread blocks.
struct DecodeShape {
  int rows;        // s_q * (h_q / h_kv)
  int row_tiles;   // of kTileRows
  int cluster;     // row tiles that share their keys: 1 or 2
  int parts;       // rows of the scheduler's table
  int max_splits;  // of the whole batch
};

DecodeShape decode_shape(const spark_mla_decode_args& args, int multiprocessors);

// True where decode kernels are built for these dimensions.
bool decode_dimensions_supported(int latent_dim, int rope_dim);

// Lengths -> metadata and num_splits: scheduler.cu.
cudaError_t launch_decode_metadata(const spark_mla_decode_args& args, const DecodeShape& shape);

// Attention over each part; whole sequences go to out and lse, pieces to the workspace as
// float32 [max_splits, h_kv, rows, latent_dim], then their base-2 log-sum-exp [max_splits, h_kv,
// rows]: decode.cu.
cudaError_t launch_decode_parts(const spark_mla_decode_args& args, const DecodeShape& shape);

// Pieces in the workspace -> out and lse: combine.cu.
cudaError_t launch_decode_combine(const spark_mla_decode_args& args, const DecodeShape& shape);

// Plain float32 decode, any shape: reference.cu.
cudaError_t launch_decode_reference(const spark_mla_decode_args& args);

}  // namespace spark_mla
