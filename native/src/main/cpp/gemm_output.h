// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Checks of rows that an operation writes for GEMMs: as bf16, as e4m3 with scales, or as both.
#pragma once

#include "float8/float8.h"
#include "status.h"

namespace spark_mla {

struct GemmOutput {
  const void* out;
  int64_t out_stride;
  const void* float8;
  int64_t float8_stride;
  const float* scales;
  int64_t scales_stride;
  int32_t rows;
  int32_t columns;

  bool columns_ok() const { return columns > 0 && columns % (float8 == nullptr ? 8 : 16) == 0; }

  // Whether there is one of them.
  bool pointers_ok() const {
    return (out != nullptr || float8 != nullptr) && null_or_aligned(out, 16) &&
           null_or_aligned(float8, 16) && (float8 == nullptr || aligned(scales, 16));
  }

  bool strides_ok() const {
    return (out == nullptr || stride_ok(out_stride, columns, rows)) &&
           (float8 == nullptr ||
            (stride_ok(float8_stride, columns, rows, 16) &&
             stride_ok(scales_stride, rows, float8_blocks(columns), 4)));
  }
};

}  // namespace spark_mla
