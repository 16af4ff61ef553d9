// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// The C interface of spark_mla_float8.h: checks arguments, then hands them to the kernels.

#include "float8/float8.h"

#include "spark_mla_ops.h"
#include "status.h"

namespace {

using spark_mla::aligned;
using spark_mla::float8_scaling_ok;
using spark_mla::known;
using spark_mla::status_of;
using spark_mla::stride_ok;

constexpr int32_t kColumnMultiple = 16;
constexpr int32_t kScaleMultiple = 4;

bool real(int32_t type) { return type == SPARK_MLA_BFLOAT16 || type == SPARK_MLA_FLOAT32; }

bool columns_ok(int32_t columns) { return columns > 0 && columns % kColumnMultiple == 0; }

int32_t check_quantize(const spark_mla_float8_quantize_args* a) {
  if (!known(a)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  if (a->rows < 0 || !columns_ok(a->columns)) {
    return SPARK_MLA_INVALID_SHAPE;
  }
  if (!real(a->in_type)) {
    return SPARK_MLA_INVALID_OPTION;
  }
  if (!aligned({a->in, a->out, a->out_scales}, 16)) {
    return SPARK_MLA_INVALID_POINTER;
  }
  return stride_ok(a->in_stride, a->columns, a->rows) &&
                 stride_ok(a->out_stride, a->columns, a->rows, kColumnMultiple) &&
                 stride_ok(a->out_scales_stride, a->rows, spark_mla::float8_blocks(a->columns),
                           kScaleMultiple)
             ? SPARK_MLA_OK
             : SPARK_MLA_INVALID_STRIDE;
}

int32_t check_dequantize(const spark_mla_float8_dequantize_args* a) {
  if (!known(a)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  if (a->rows < 0 || !columns_ok(a->columns)) {
    return SPARK_MLA_INVALID_SHAPE;
  }
  if (!float8_scaling_ok(a->scaling)) {
    return SPARK_MLA_INVALID_OPTION;
  }
  if (!aligned({a->weights, a->out}, 16) || !aligned(a->weight_scales, 4)) {
    return SPARK_MLA_INVALID_POINTER;
  }
  return stride_ok(a->weights_stride, a->columns, a->rows, kColumnMultiple) &&
                 stride_ok(a->out_stride, a->columns, a->rows)
             ? SPARK_MLA_OK
             : SPARK_MLA_INVALID_STRIDE;
}

int32_t check_gemm(const spark_mla_float8_gemm_args* a) {
  if (!known(a)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  if (a->m < 0 || a->n < 8 || a->n % 8 != 0 || !columns_ok(a->k)) {
    return SPARK_MLA_INVALID_SHAPE;
  }
  if (!float8_scaling_ok(a->scaling) || !real(a->c_type) || a->add < 0 || a->add > 1 ||
      (a->add == 1 && a->c_type != SPARK_MLA_FLOAT32)) {
    return SPARK_MLA_INVALID_OPTION;
  }
  if (!aligned({a->a, a->a_scales, a->b, a->c}, 16) || !aligned(a->b_scales, 4)) {
    return SPARK_MLA_INVALID_POINTER;
  }
  return stride_ok(a->a_stride, a->k, a->m, kColumnMultiple) &&
                 stride_ok(a->a_scales_stride, a->m, spark_mla::float8_blocks(a->k),
                           kScaleMultiple) &&
                 stride_ok(a->b_stride, a->k, a->n, kColumnMultiple) &&
                 stride_ok(a->c_stride, a->n, a->m)
             ? SPARK_MLA_OK
             : SPARK_MLA_INVALID_STRIDE;
}

}  // namespace

extern "C" {

int32_t spark_mla_float8_quantize(const spark_mla_float8_quantize_args* args) {
  const int32_t checked = check_quantize(args);
  return checked != SPARK_MLA_OK || args->rows == 0
             ? checked
             : status_of(spark_mla::launch_float8_quantize(*args));
}

int32_t spark_mla_float8_dequantize(const spark_mla_float8_dequantize_args* args) {
  const int32_t checked = check_dequantize(args);
  return checked != SPARK_MLA_OK || args->rows == 0
             ? checked
             : status_of(spark_mla::launch_float8_dequantize(*args));
}

int32_t spark_mla_float8_gemm(const spark_mla_float8_gemm_args* args) {
  const int32_t checked = check_gemm(args);
  if (checked != SPARK_MLA_OK || args->m == 0) {
    return checked;
  }
  int multiprocessors;
  const int32_t status = spark_mla::hopper_multiprocessors(&multiprocessors);
  return status != SPARK_MLA_OK
             ? status
             : status_of(spark_mla::launch_float8_gemm(*args, multiprocessors));
}

}  // extern "C"
