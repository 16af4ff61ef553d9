// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Dense products through cuBLASLt, opened when first asked for: the host's CUDA installation brings
// it. Every int is a cublasStatus_t, 0 where all is well.
#pragma once

#include <cstddef>
#include <cstdint>

namespace spark_mla {

// Row-major c[m, n] = a[m, k] b^T (+ c), a and b bf16, sums in float32, c float32 or bf16, `batch` times
// with all three pointers moved on by their batch strides. Strides count elements, the others are
// from row to row.
struct ProductShape {
  int64_t n;
  int64_t k;
  int32_t batch;
  bool b_rows_of_n;  // b lies as [k, n] instead of [n, k]
  bool float_result;
  bool add;  // to c
  int64_t a_stride;
  int64_t a_batch;
  int64_t b_stride;
  int64_t b_batch;
  int64_t c_stride;
  int64_t c_batch;
};

// A product of one shape with its algorithm chosen, for any number of rows. Not thread-safe.
struct ProductPlan;

// File name of the library that was found, null where there is none. Thread-safe, as all of this.
const char* cublas_lt_library();

// What cublasLtGetVersion says; the library must have been found.
size_t cublas_lt_version();

int cublas_lt_create(void** handle);
int cublas_lt_destroy(void* handle);

// Chooses an algorithm that is fast at `typical_rows` rows, adds up k in one piece and needs no
// workspace.
int cublas_lt_plan(void* handle, const ProductShape& shape, int64_t typical_rows,
                   ProductPlan** plan);
int cublas_lt_run(void* handle, ProductPlan* plan, int64_t m, const void* a, const void* b, void* c,
                  void* stream);
void cublas_lt_free(ProductPlan* plan);

}  // namespace spark_mla
