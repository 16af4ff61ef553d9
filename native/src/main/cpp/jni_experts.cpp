// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// The functions of dev.sparkmla.cuda.NativeExperts, over spark_mla_experts.h.

#include "dev_sparkmla_cuda_NativeExperts.h"
#include "jni_arguments.h"
#include "spark_mla_experts.h"

#define FIELD(NAME, member) spark_mla::field(dev_sparkmla_cuda_NativeExperts_##NAME, &Args::member)
#define LAYOUT(args, ...) \
  SPARK_MLA_LAYOUT(dev_sparkmla_cuda_NativeExperts_FIELD_COUNT, args, __VA_ARGS__)

static_assert(dev_sparkmla_cuda_NativeExperts_SOFTMAX_GREEDY == SPARK_MLA_SOFTMAX_GREEDY &&
                  dev_sparkmla_cuda_NativeExperts_SOFTMAX_GROUP_LIMITED ==
                      SPARK_MLA_SOFTMAX_GROUP_LIMITED &&
                  dev_sparkmla_cuda_NativeExperts_SIGMOID_BIASED == SPARK_MLA_SIGMOID_BIASED &&
                  dev_sparkmla_cuda_NativeExperts_NORMALIZED == SPARK_MLA_NORMALIZED,
              "NativeExperts.java and spark_mla_experts.h disagree");

namespace {

constexpr auto kExperts = LAYOUT(
    spark_mla_experts_args,
    FIELD(FLAGS, flags), FIELD(ROWS, rows), FIELD(EXPERTS, experts),
    FIELD(PER_TOKEN, per_token), FIELD(HIDDEN, hidden), FIELD(WIDTH, width),
    FIELD(SCALING, scaling), FIELD(VALID_ROWS, valid_rows), FIELD(X, x), FIELD(X_STRIDE, x_stride), FIELD(IDS, ids),
    FIELD(WEIGHTS, weights), FIELD(GATE_UP, gate_up), FIELD(GATE_UP_SCALES, gate_up_scales),
    FIELD(DOWN, down), FIELD(DOWN_SCALES, down_scales), FIELD(OUT, out),
    FIELD(OUT_STRIDE, out_stride), FIELD(GAIN, gain), FIELD(EPSILON, epsilon),
    FIELD(NORMED, normed), FIELD(NORMED_STRIDE, normed_stride), FIELD(FLOAT8_OUT, float8_out),
    FIELD(FLOAT8_STRIDE, float8_stride), FIELD(FLOAT8_SCALES, float8_scales),
    FIELD(FLOAT8_SCALES_STRIDE, float8_scales_stride), FIELD(WORKSPACE, workspace),
    FIELD(WORKSPACE_BYTES, workspace_bytes), FIELD(STREAM, stream));

constexpr auto kRoute = LAYOUT(
    spark_mla_route_args,
    FIELD(FLAGS, flags), FIELD(METHOD, method), FIELD(ROWS, rows), FIELD(EXPERTS, experts),
    FIELD(PER_TOKEN, per_token), FIELD(GROUPS, groups),
    FIELD(GROUPS_PER_TOKEN, groups_per_token), FIELD(SCALE, scale), FIELD(LOGITS, logits),
    FIELD(LOGITS_STRIDE, logits_stride), FIELD(BIAS, bias), FIELD(IDS, ids),
    FIELD(WEIGHTS, weights), FIELD(STREAM, stream));

}  // namespace

extern "C" {

SPARK_MLA_METHOD(NativeExperts, route, kRoute, spark_mla_route)
SPARK_MLA_METHOD_WITH_RESULT(NativeExperts, workspaceSize, kExperts,
                             spark_mla_experts_workspace_size)
SPARK_MLA_METHOD(NativeExperts, sort, kExperts, spark_mla_experts_sort)
SPARK_MLA_METHOD(NativeExperts, add, kExperts, spark_mla_experts_add)
SPARK_MLA_METHOD(NativeExperts, reference, kExperts, spark_mla_experts_reference)

}  // extern "C"
