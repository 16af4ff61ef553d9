/*
 * Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
 *
 * FP8 (e4m3: 1 sign, 4 exponent, 3 fraction bits, largest value 448): quantizing activations, dense
 * GEMMs with FP8 weights, and their conversion to bf16. The rules of spark_mla_ops.h hold here too.
 *
 * An element is its value times its scale. Weights share a scale in blocks of 128 x 128 or by row
 * (channel), activations have one for each row and 128 columns. Scales are float32; those of
 * activations lie as [ceil(columns / 128), rows], their stride a multiple of 4.
 */
#ifndef SPARK_MLA_FLOAT8_H
#define SPARK_MLA_FLOAT8_H

#include "spark_mla.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Which weights of a matrix [n, k] share a scale. */
typedef enum spark_mla_float8_scaling {
  SPARK_MLA_FLOAT8_BLOCK = 1,  /* scales are [ceil(n / 128), ceil(k / 128)], their stride the next
                                  multiple of 4, as cuBLASLt has them */
  SPARK_MLA_FLOAT8_CHANNEL = 2 /* scales are [n] */
} spark_mla_float8_scaling;

/* Quantizes rows. The scale of 128 columns is their largest absolute value / 448, 1 where all are 0;
   a value is the e4m3 nearest to the element / scale, ties to even. NaN stays NaN. */
typedef struct spark_mla_float8_quantize_args {
  uint32_t struct_size;
  int32_t rows;
  int32_t columns; /* a multiple of 16 */
  int32_t in_type; /* SPARK_MLA_BFLOAT16 or SPARK_MLA_FLOAT32 */
  const void *in;  /* [rows, columns] */
  int64_t in_stride; /* a multiple of 8, at least columns */
  void *out;         /* e4m3 [rows, columns] */
  int64_t out_stride; /* a multiple of 16, at least columns */
  float *out_scales;  /* [ceil(columns / 128), rows] */
  int64_t out_scales_stride;
  void *stream;
} spark_mla_float8_quantize_args;
SPARK_MLA_API int32_t spark_mla_float8_quantize(const spark_mla_float8_quantize_args *args);

/* out = weights * scales, rounded to bf16. */
typedef struct spark_mla_float8_dequantize_args {
  uint32_t struct_size;
  int32_t rows;
  int32_t columns; /* a multiple of 16 */
  int32_t scaling; /* spark_mla_float8_scaling */
  const void *weights;
  int64_t weights_stride; /* a multiple of 16, at least columns */
  const float *weight_scales;
  void *out;          /* bf16 [rows, columns] */
  int64_t out_stride; /* a multiple of 8, at least columns */
  void *stream;
} spark_mla_float8_dequantize_args;
SPARK_MLA_API int32_t spark_mla_float8_dequantize(const spark_mla_float8_dequantize_args *args);

/* c[m, n] = a[m, k] b[n, k]^T, or += where add is 1. For every 128 columns of k the tensor cores add up
   products of e4m3 values; these sums times their scales are added up in float32, in the order of k.
   Scales by channel multiply the whole sum. A row of c does not depend on m nor on the other rows. */
typedef struct spark_mla_float8_gemm_args {
  uint32_t struct_size;
  int32_t m;
  int32_t n;       /* a multiple of 8 */
  int32_t k;       /* a multiple of 16 */
  int32_t add;     /* 1: to c, which is float32 then */
  int32_t c_type;  /* SPARK_MLA_BFLOAT16 or SPARK_MLA_FLOAT32 */
  int32_t scaling; /* of b, a spark_mla_float8_scaling */
  int32_t reserved;
  const void *a;    /* e4m3 */
  int64_t a_stride; /* a multiple of 16, at least k */
  const float *a_scales; /* [ceil(k / 128), m] */
  int64_t a_scales_stride;
  const void *b;    /* e4m3 */
  int64_t b_stride; /* a multiple of 16, at least k */
  const float *b_scales; /* 4-byte aligned */
  void *c;
  int64_t c_stride; /* a multiple of 8, at least n */
  void *stream;
} spark_mla_float8_gemm_args;
SPARK_MLA_API int32_t spark_mla_float8_gemm(const spark_mla_float8_gemm_args *args);

#ifdef __cplusplus
}
#endif

#endif /* SPARK_MLA_FLOAT8_H */
