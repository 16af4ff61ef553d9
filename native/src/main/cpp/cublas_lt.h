// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// Dense GEMMs through cuBLASLt, which belongs to the host's CUDA installation and is opened when first
// asked for. Every int is a cublasStatus_t, 0 where all is well.
#pragma once

#include <cstddef>
#include <cstdint>

namespace spark_mla {

// Row-major c[m, n] = a[m, k] b^T (+ c), a and b bf16, sums in float32, c float32 or bf16, `batch` times
// with all three pointers moved on by their batch strides. Strides count elements; the others are from
// row to row.
//
// Or a and b e4m3 with float32 scales: of a [ceil(k / 128), m] without gaps, of b [ceil(n / 128),
// ceil(k / 128)] with a stride of the next multiple of 4; m has to be a multiple of 4 and batch 1. From
// cuBLASLt 12.9 on.
struct GemmShape {
  void* handle;       // of cublas_lt_create
  int64_t typical_m;  // the algorithm is chosen for so many rows
  int64_t n;
  int64_t k;
  int32_t batch;
  int32_t b_transposed;  // 1: b lies as [k, n] instead of [n, k]
  int32_t float_result;  // 1: c is float32
  int32_t add;           // 1: to c
  int32_t float8;        // 1: a and b are e4m3 with scales
  int32_t reserved;
  const void* a_scales;  // of the first call: the choice depends on how they are aligned
  const void* b_scales;
  int64_t a_stride;
  int64_t a_batch;
  int64_t b_stride;
  int64_t b_batch;
  int64_t c_stride;
  int64_t c_batch;
};

// An algorithm for a shape, for any number of rows. One thread at a time.
struct GemmPlan;

struct GemmCall {
  void* handle;
  GemmPlan* plan;
  int64_t m;
  const void* a;
  const void* a_scales;  // null for bf16, as b's
  const void* b;
  const void* b_scales;
  void* c;
  void* stream;
};

// File name of the library that was found, null where there is none. Thread-safe.
const char* cublas_lt_library();

// What cublasLtGetVersion answers; the library must have been found, as for all that follows.
size_t cublas_lt_version();

int cublas_lt_create(void** handle);
int cublas_lt_destroy(void* handle);

// Chooses the first algorithm of the library's heuristic that adds up k without splitting it and needs
// no workspace. The plan is the caller's, to be freed before the handle is destroyed.
int cublas_lt_plan(const GemmShape* shape, GemmPlan** plan);
void cublas_lt_free(GemmPlan* plan);

// Enqueues the GEMM.
int cublas_lt_run(const GemmCall* call);

}  // namespace spark_mla
