// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// What the C interface (cpp/spark_mla.cpp) asks of the kernels in this folder, and what these
// kernels agree on among themselves. Arguments arrive checked.
#pragma once

#include <cuda_fp16.h>
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

// What goes with a row of a piece.
struct PieceNote {
  float lse;   // base 2, over the piece's tokens; -infinity where the row sees none of them
  float unit;  // what 1 of its 16-bit numbers stands for
};

// The workspace: what decode leaves of each piece of a sequence that was cut. 16 bits are enough: a
// row's largest number uses all of a half's 11, and the weights that went into it had bfloat16's 8.
struct Pieces {
  __half* values;    // [max_splits, h_kv, rows, latent_dim]
  PieceNote* notes;  // [h_kv, rows, max_splits]: those of a row side by side
};

DecodeShape decode_shape(const spark_mla_decode_args& args, int multiprocessors);

size_t decode_workspace_bytes(const spark_mla_decode_args& args, const DecodeShape& shape);
Pieces pieces_of(const spark_mla_decode_args& args, const DecodeShape& shape);

// True where decode kernels are built for these dimensions.
bool decode_dimensions_supported(int latent_dim, int rope_dim);

// Lengths -> metadata and num_splits: scheduler.cu.
cudaError_t launch_decode_metadata(const spark_mla_decode_args& args, const DecodeShape& shape);

// Attention over each part; whole sequences go to out and lse, pieces to the workspace: decode.cu.
cudaError_t launch_decode_parts(const spark_mla_decode_args& args, const DecodeShape& shape);

// Pieces in the workspace -> out and lse: combine.cu.
cudaError_t launch_decode_combine(const spark_mla_decode_args& args, const DecodeShape& shape);

// Plain float32 decode, any shape: reference.cu.
cudaError_t launch_decode_reference(const spark_mla_decode_args& args);

}  // namespace spark_mla
