// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// How the rows and splits of a decode call fall onto thread blocks and into the workspace. Host
// code.

#include <algorithm>

#include "mla_decode.h"

namespace spark_mla {

DecodeShape decode_shape(const spark_mla_decode_args& args, int multiprocessors) {
  DecodeShape shape;
  shape.rows = args.s_q * (args.h_q / args.h_kv);
  shape.row_tiles = (shape.rows + kTileRows - 1) / kTileRows;
  shape.cluster = shape.row_tiles % 2 == 0 ? 2 : 1;
  shape.parts = std::max(1, multiprocessors / (shape.row_tiles * args.h_kv));
  // Balanced, each part's end cuts one sequence at most.
  shape.max_splits = args.split_policy == SPARK_MLA_SPLIT_BY_LENGTH
                         ? args.batch << halvings_by_length(args.max_blocks, shape.row_tiles)
                         : args.batch + shape.parts;
  return shape;
}

size_t decode_workspace_bytes(const spark_mla_decode_args& args, const DecodeShape& shape) {
  return static_cast<size_t>(shape.max_splits) * args.h_kv * shape.rows *
         (args.latent_dim * sizeof(__half) + sizeof(SplitRow));
}

SplitResults split_results(const spark_mla_decode_args& args, const DecodeShape& shape) {
  __half* const values = static_cast<__half*>(args.workspace);
  return {values, reinterpret_cast<SplitRow*>(values + static_cast<int64_t>(shape.max_splits) *
                                                           args.h_kv * shape.rows *
                                                           args.latent_dim)};
}

}  // namespace spark_mla
