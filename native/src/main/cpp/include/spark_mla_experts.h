/*
 * Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
 *
 * The experts of a mixture-of-experts layer: the router and the grouped GEMMs. The rules of
 * spark_mla.h hold here too: device calls only enqueue, statuses are those of spark_mla_status.
 */
#ifndef SPARK_MLA_EXPERTS_H
#define SPARK_MLA_EXPERTS_H

#include "spark_mla.h"
#include "spark_mla_float8.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How spark_mla_route scores and chooses. */
typedef enum spark_mla_route_method {
  /* Softmax over all experts, the largest win. */
  SPARK_MLA_SOFTMAX_GREEDY = 0,
  /* Softmax; only experts of the best groups, ranked by their largest member. */
  SPARK_MLA_SOFTMAX_GROUP_LIMITED = 1,
  /* Sigmoid; the choice is by score plus bias, groups ranked by the sum of their two largest. */
  SPARK_MLA_SIGMOID_BIASED = 2
} spark_mla_route_method;

/* Bits of spark_mla_route_args.flags. */
/* Weights are divided by their sum plus 1e-20, before scale. */
#define SPARK_MLA_NORMALIZED 1u

/*
 * Arguments of spark_mla_route. Zero the struct, set struct_size = sizeof(spark_mla_route_args).
 */
typedef struct spark_mla_route_args {
  uint32_t struct_size;
  uint32_t flags;           /* SPARK_MLA_NORMALIZED or 0 */
  int32_t method;           /* spark_mla_route_method */
  int32_t rows;             /* at least 1 */
  int32_t experts;          /* 1 to 512 */
  int32_t per_token;        /* 1 to 32 */
  int32_t groups;           /* 1 to 32, divides experts; 1 where the method knows no groups */
  int32_t groups_per_token; /* 1 to groups; their experts are at least per_token */
  float scale;              /* multiplies the weights; finite */
  int32_t reserved;         /* 0 */
  const float *logits;      /* float32 [rows, experts], the last dimension contiguous */
  int64_t logits_stride;
  const float *bias; /* float32 [experts] with SPARK_MLA_SIGMOID_BIASED, else null */
  int32_t *ids;      /* int32 [rows, per_token], contiguous: best first */
  float *weights;    /* float32 [rows, per_token], contiguous */
  void *stream;      /* a cudaStream_t (CUstream); null is the default stream */
} spark_mla_route_args;

/*
 * Arguments of spark_mla_experts*. Zero the struct, set struct_size =
 * sizeof(spark_mla_experts_args). The workspace's size depends on rows, experts, per_token, hidden
 * and width alone, and grows with rows.
 */
typedef struct spark_mla_experts_args {
  uint32_t struct_size;
  uint32_t flags;     /* 0 */
  int32_t rows;       /* of x: 1 to 2^20; rows * per_token is at most 2^24 */
  int32_t experts;    /* 1 to 512 */
  int32_t per_token;  /* 1 to 32 */
  int32_t hidden;     /* a multiple of 8, of 16 with FP8 weights */
  int32_t width;      /* the same */
  int32_t scaling;    /* 0: gate_up and down are bf16; else e4m3, a spark_mla_float8_scaling */
  /* int32 on the device, or null: how many of the rows, from the first, are to be computed; the
     others are neither read nor written and cost next to nothing, but for the norm. Null means all. */
  const int32_t *valid_rows;
  const void *x; /* bf16 [rows, hidden], 16-byte aligned, the stride a multiple of 8 */
  int64_t x_stride;
  const int32_t *ids;   /* int32 [rows, per_token], contiguous; outside 0..experts-1: no expert */
  const float *weights; /* float32 [rows, per_token], contiguous */
  const void *gate_up;  /* [experts, 2 * width, hidden], contiguous, 16-byte aligned: gate rows, then
                           up rows */
  const float *gate_up_scales; /* null with bf16. By block: [experts, 2 * ceil(width / 128),
                           ceil(hidden / 128)], those of gate first, the last stride as
                           SPARK_MLA_FLOAT8_BLOCK says; by channel: [experts, 2 * width] */
  const void *down;     /* [experts, hidden, width], contiguous, 16-byte aligned */
  const float *down_scales; /* null with bf16. By block: [experts, ceil(hidden / 128),
                           ceil(width / 128)], likewise; by channel: [experts, hidden] */
  float *out; /* float32 [rows, hidden], added to; 16-byte aligned, the stride a multiple of 4 */
  int64_t out_stride;
  /* Of the sum, which may be normed besides, as by spark_mla_rms_norm, in all rows; null: it is not. */
  const float *gain; /* float32 [hidden], hidden at most 8192 */
  float epsilon;
  int32_t reserved;
  void *normed; /* bf16 [rows, hidden]; it or float8_out may be null, as in spark_mla_rms_norm_args */
  int64_t normed_stride;
  void *float8_out;
  int64_t float8_stride;
  float *float8_scales;
  int64_t float8_scales_stride;
  void *workspace; /* 128-byte aligned; holds what the sort hands on to the sum */
  size_t workspace_bytes;
  void *stream; /* a cudaStream_t (CUstream); null is the default stream */
} spark_mla_experts_args;

/* Chooses experts. A chosen expert's weight is its score, without bias, divided by the sum of the
   chosen ones where SPARK_MLA_NORMALIZED says so, times scale. The lower id wins among equals; NaN
   counts as -infinity, so the ids of a row are always distinct and in range. */
SPARK_MLA_API int32_t spark_mla_route(const spark_mla_route_args *args);

/* Writes the bytes of workspace that these sizes need. */
SPARK_MLA_API int32_t spark_mla_experts_workspace_size(const spark_mla_experts_args *args,
                                                       size_t *bytes);

/* Brings rows of x together by the experts that they have chosen, in the workspace: the first half of the
   experts, which needs neither weights, gate_up, down nor out. With FP8 weights (scaling) x is quantized as by
   spark_mla_float8_quantize. */
SPARK_MLA_API int32_t spark_mla_experts_sort(const spark_mla_experts_args *args);

/* The second half, over what spark_mla_experts_sort with the same sizes, scaling, valid_rows and ids has left in the
   workspace; on its stream or on one that waits for it. x is not read.
   out[i] += sum over j, in order, of weights[i, j] * down_e (silu(gate_e x_i) * (up_e x_i)) with
   e = ids[i, j]. Dot products accumulate in float32; silu(..) * (..) and an expert's result are rounded
   to bf16, the sum over experts is float32. The same input gives bit-identical output, and a row's
   output does not depend on the other rows.
   With FP8 weights the activation is quantized as x is, from float32, and dot products accumulate as in
   spark_mla_float8_gemm. */
SPARK_MLA_API int32_t spark_mla_experts_add(const spark_mla_experts_args *args);

/* Both computed plainly, slowly, an expert's result not rounded: the oracle of tests.
   For bf16 weights only. Needs no workspace; 2 * hidden + width is at most 58112. */
SPARK_MLA_API int32_t spark_mla_experts_reference(const spark_mla_experts_args *args);

#ifdef __cplusplus
}
#endif

#endif /* SPARK_MLA_EXPERTS_H */
