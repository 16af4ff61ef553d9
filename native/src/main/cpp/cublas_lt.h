// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Dense products through cuBLASLt, opened when first asked for: the host's CUDA installation brings
// it. Every int is a cublasStatus_t, 0 where all is well.
#pragma once

#include <cstddef>
#include <cstdint>

namespace spark_mla {

// A product of one size with its algorithm chosen.
struct ProductPlan;

// File name of the library that was found, null where there is none. Thread-safe, as all of this.
const char* cublas_lt_library();

// What cublasLtGetVersion says; the library must have been found.
size_t cublas_lt_version();

int cublas_lt_create(void** handle);
int cublas_lt_destroy(void* handle);

// Row-major c[m, n] = a[m, k] b[n, k]^T, a and b bf16, sums in float32, c float32 or bf16.
int cublas_lt_plan(void* handle, int64_t m, int64_t n, int64_t k, bool float_result,
                   size_t workspace_bytes, ProductPlan** plan);
int cublas_lt_run(void* handle, const ProductPlan& plan, const void* a, const void* b, void* c,
                  void* workspace, void* stream);
void cublas_lt_free(ProductPlan* plan);

}  // namespace spark_mla
