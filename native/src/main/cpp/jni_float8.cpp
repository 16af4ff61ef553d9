// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// The functions of dev.sparkmla.cuda.NativeFloat8, over spark_mla_float8.h.

#include "dev_sparkmla_cuda_NativeFloat8.h"
#include "jni_arguments.h"
#include "spark_mla_float8.h"

#define FIELD(NAME, member) spark_mla::field(dev_sparkmla_cuda_NativeFloat8_##NAME, &Args::member)
#define LAYOUT(args, ...) \
  SPARK_MLA_LAYOUT(dev_sparkmla_cuda_NativeFloat8_FIELD_COUNT, args, __VA_ARGS__)

static_assert(dev_sparkmla_cuda_NativeFloat8_BLOCK == SPARK_MLA_FLOAT8_BLOCK &&
                  dev_sparkmla_cuda_NativeFloat8_CHANNEL == SPARK_MLA_FLOAT8_CHANNEL,
              "NativeFloat8.java and spark_mla_float8.h disagree");

namespace {

constexpr auto kQuantize = LAYOUT(
    spark_mla_float8_quantize_args,
    FIELD(M, rows), FIELD(K, columns), FIELD(IN_TYPE, in_type), FIELD(IN, in),
    FIELD(IN_STRIDE, in_stride), FIELD(OUT, out), FIELD(OUT_STRIDE, out_stride),
    FIELD(OUT_SCALES, out_scales), FIELD(OUT_SCALES_STRIDE, out_scales_stride),
    FIELD(STREAM, stream));

constexpr auto kDequantize = LAYOUT(
    spark_mla_float8_dequantize_args,
    FIELD(N, rows), FIELD(K, columns), FIELD(SCALING, scaling), FIELD(WEIGHTS, weights),
    FIELD(WEIGHTS_STRIDE, weights_stride), FIELD(WEIGHT_SCALES, weight_scales), FIELD(OUT, out),
    FIELD(OUT_STRIDE, out_stride), FIELD(STREAM, stream));

constexpr auto kGemm = LAYOUT(
    spark_mla_float8_gemm_args,
    FIELD(M, m), FIELD(N, n), FIELD(K, k), FIELD(ADD, add), FIELD(OUT_TYPE, c_type),
    FIELD(SCALING, scaling), FIELD(IN, a), FIELD(IN_STRIDE, a_stride), FIELD(IN_SCALES, a_scales),
    FIELD(IN_SCALES_STRIDE, a_scales_stride), FIELD(WEIGHTS, b), FIELD(WEIGHTS_STRIDE, b_stride),
    FIELD(WEIGHT_SCALES, b_scales), FIELD(OUT, c), FIELD(OUT_STRIDE, c_stride),
    FIELD(STREAM, stream));

}  // namespace

extern "C" {

SPARK_MLA_METHOD(NativeFloat8, quantize, kQuantize, spark_mla_float8_quantize)
SPARK_MLA_METHOD(NativeFloat8, dequantize, kDequantize, spark_mla_float8_dequantize)
SPARK_MLA_METHOD(NativeFloat8, gemm, kGemm, spark_mla_float8_gemm)

}  // extern "C"
