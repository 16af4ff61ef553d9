// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// The C interface of spark_mla_experts.h: checks arguments, then hands them to the kernels.

#include "experts/experts.h"

#include <cmath>

#include "float8/float8.h"
#include "gemm_output.h"
#include "norm.h"
#include "status.h"

namespace {

using spark_mla::aligned;
using spark_mla::hopper_multiprocessors;
using spark_mla::known;
using spark_mla::null_or_aligned;
using spark_mla::status_of;
using spark_mla::stride_ok;

int32_t check_route(const spark_mla_route_args* a) {
  if (!known(a)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  if (a->method < SPARK_MLA_SOFTMAX_GREEDY || a->method > SPARK_MLA_SIGMOID_BIASED ||
      (a->flags & ~SPARK_MLA_NORMALIZED) != 0 || !std::isfinite(a->scale)) {
    return SPARK_MLA_INVALID_OPTION;
  }
  if (a->rows < 1 || a->experts < 1 || a->experts > spark_mla::kMaxExperts || a->per_token < 1 ||
      a->per_token > spark_mla::kMaxPerToken || a->per_token > a->experts || a->groups < 1 ||
      a->groups > spark_mla::kMaxGroups || a->experts % a->groups != 0 ||
      a->groups_per_token < 1 || a->groups_per_token > a->groups) {
    return SPARK_MLA_INVALID_SHAPE;
  }
  if (a->method != SPARK_MLA_SOFTMAX_GREEDY &&
      a->per_token > a->experts / a->groups * a->groups_per_token) {
    return SPARK_MLA_INVALID_SHAPE;
  }
  if (!stride_ok(a->logits_stride, a->experts, a->rows, 1)) {
    return SPARK_MLA_INVALID_STRIDE;
  }
  const bool biased = a->method == SPARK_MLA_SIGMOID_BIASED;
  if (!aligned({a->logits, a->ids, a->weights}, 4) ||
      (biased ? !aligned(a->bias, 4) : a->bias != nullptr)) {
    return SPARK_MLA_INVALID_POINTER;
  }
  return SPARK_MLA_OK;
}

bool size_ok(int32_t size, int32_t multiple) {
  return size >= multiple && size % multiple == 0 && size <= 1 << 16;
}

int32_t check_expert_shapes(const spark_mla_experts_args* a) {
  if (!known(a)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  if (a->flags != 0 || (a->scaling != 0 && !spark_mla::float8_scaling_ok(a->scaling))) {
    return SPARK_MLA_INVALID_OPTION;
  }
  const int32_t multiple = a->scaling == 0 ? 8 : 16;
  if (a->rows < 1 || a->rows > 1 << 20 || a->experts < 1 || a->experts > spark_mla::kMaxExperts ||
      a->per_token < 1 || a->per_token > spark_mla::kMaxPerToken ||
      static_cast<int64_t>(a->rows) * a->per_token > 1 << 24 || !size_ok(a->hidden, multiple) ||
      !size_ok(a->width, multiple)) {
    return SPARK_MLA_INVALID_SHAPE;
  }
  return SPARK_MLA_OK;
}

int32_t check_sort(const spark_mla_experts_args* a) {
  const int32_t shapes = check_expert_shapes(a);
  if (shapes != SPARK_MLA_OK) {
    return shapes;
  }
  if (!aligned(a->x, 16) || !aligned(a->ids, 4) || !null_or_aligned(a->valid_rows, 4)) {
    return SPARK_MLA_INVALID_POINTER;
  }
  return stride_ok(a->x_stride, a->hidden, a->rows) ? SPARK_MLA_OK : SPARK_MLA_INVALID_STRIDE;
}

// The norm of the sum, where one is wanted.
int32_t check_norm(const spark_mla_experts_args* a) {
  if (a->gain == nullptr) {
    return SPARK_MLA_OK;
  }
  const spark_mla::GemmOutput normed{a->normed,        a->normed_stride,
                                     a->float8_out,    a->float8_stride,
                                     a->float8_scales, a->float8_scales_stride,
                                     a->rows,          a->hidden};
  return a->hidden > spark_mla::kMaxNormColumns || !normed.columns_ok() ? SPARK_MLA_INVALID_SHAPE
         : !(a->epsilon >= 0.f)                                         ? SPARK_MLA_INVALID_OPTION
         : !aligned(a->gain, 16) || !normed.pointers_ok()               ? SPARK_MLA_INVALID_POINTER
         : !normed.strides_ok()                                         ? SPARK_MLA_INVALID_STRIDE
                                                                        : SPARK_MLA_OK;
}

int32_t check_add(const spark_mla_experts_args* a) {
  const int32_t shapes = check_expert_shapes(a);
  if (shapes != SPARK_MLA_OK) {
    return shapes;
  }
  if (!aligned({a->gate_up, a->down, a->out}, 16) || !aligned(a->weights, 4) ||
      !null_or_aligned(a->valid_rows, 4) ||
      (a->scaling == 0 ? a->gate_up_scales != nullptr || a->down_scales != nullptr
                       : !aligned({a->gate_up_scales, a->down_scales}, 4))) {
    return SPARK_MLA_INVALID_POINTER;
  }
  return stride_ok(a->out_stride, a->hidden, a->rows, 4) ? check_norm(a)
                                                          : SPARK_MLA_INVALID_STRIDE;
}

int32_t check_workspace(const spark_mla_experts_args* a) {
  if (!aligned(a->workspace, 128)) {
    return SPARK_MLA_INVALID_POINTER;
  }
  return a->workspace_bytes < spark_mla::experts_workspace(*a).bytes ? SPARK_MLA_WORKSPACE_TOO_SMALL
                                                                     : SPARK_MLA_OK;
}

}  // namespace

extern "C" {

int32_t spark_mla_route(const spark_mla_route_args* args) {
  const int32_t checked = check_route(args);
  return checked != SPARK_MLA_OK ? checked : status_of(spark_mla::launch_route(*args));
}

int32_t spark_mla_experts_workspace_size(const spark_mla_experts_args* args, size_t* bytes) {
  const int32_t shapes = check_expert_shapes(args);
  if (shapes != SPARK_MLA_OK) {
    return shapes;
  }
  if (bytes == nullptr) {
    return SPARK_MLA_INVALID_POINTER;
  }
  *bytes = spark_mla::experts_workspace(*args).bytes;
  return SPARK_MLA_OK;
}

int32_t spark_mla_experts_sort(const spark_mla_experts_args* args) {
  int32_t status = check_sort(args);
  if (status == SPARK_MLA_OK) {
    status = check_workspace(args);
  }
  int multiprocessors;
  if (status == SPARK_MLA_OK) {
    status = hopper_multiprocessors(&multiprocessors);
  }
  return status == SPARK_MLA_OK ? status_of(spark_mla::launch_experts_sort(*args)) : status;
}

int32_t spark_mla_experts_add(const spark_mla_experts_args* args) {
  int32_t status = check_add(args);
  if (status == SPARK_MLA_OK) {
    status = check_workspace(args);
  }
  int multiprocessors;
  if (status == SPARK_MLA_OK) {
    status = hopper_multiprocessors(&multiprocessors);
  }
  return status == SPARK_MLA_OK ? status_of(spark_mla::launch_experts_add(*args, multiprocessors))
                                : status;
}

int32_t spark_mla_experts_reference(const spark_mla_experts_args* args) {
  int32_t status = check_sort(args);
  if (status == SPARK_MLA_OK) {
    status = check_add(args);
  }
  if (status != SPARK_MLA_OK) {
    return status;
  }
  if (args->scaling != 0) {
    return SPARK_MLA_INVALID_OPTION;
  }
  return spark_mla::experts_reference_supported(*args)
             ? status_of(spark_mla::launch_experts_reference(*args))
             : SPARK_MLA_UNSUPPORTED_DIMENSIONS;
}

}  // extern "C"
