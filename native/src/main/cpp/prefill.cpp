// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// The prefill calls of spark_mla.h: checks arguments, then hands them to the kernels.

#include <cmath>

#include "mla_prefill/mla_prefill.h"
#include "spark_mla.h"
#include "status.h"

namespace {

using spark_mla::aligned;
using spark_mla::status_of;
using spark_mla::stride_ok;

// Everything that the reference and the real prefill kernel have in common.
int32_t check_prefill(const spark_mla_prefill_args* a) {
  if (a == nullptr || a->struct_size != sizeof(spark_mla_prefill_args)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  if (a->segments < 1 || a->heads < 1 || a->heads > 65535 || a->total_q < 1 || a->total_k < 1 ||
      a->total_k > (1 << 30) || a->nope_dim < 1 || a->rope_dim < 1 || a->value_dim < 1) {
    return SPARK_MLA_INVALID_SHAPE;
  }
  if (!(a->softmax_scale > 0.f) || !std::isfinite(a->softmax_scale)) {
    return SPARK_MLA_INVALID_OPTION;
  }
  if (!aligned(a->q, 16) || !aligned(a->kv, 16) || !aligned(a->k_rope, 16) ||
      !aligned(a->out, 16) || !aligned(a->lse, 4) || !aligned(a->cu_q, 4) ||
      !aligned(a->cu_k, 4) || !aligned(a->q_offset, 4)) {
    return SPARK_MLA_INVALID_POINTER;
  }
  const int64_t key = static_cast<int64_t>(a->nope_dim) + a->rope_dim;
  const int64_t expanded = static_cast<int64_t>(a->nope_dim) + a->value_dim;
  if (!stride_ok(a->q_stride_token, key, a->total_q) ||
      !stride_ok(a->q_stride_head, key, a->heads) ||
      !stride_ok(a->kv_stride_token, expanded, a->total_k) ||
      !stride_ok(a->kv_stride_head, expanded, a->heads) ||
      !stride_ok(a->k_rope_stride_token, a->rope_dim, a->total_k) ||
      !stride_ok(a->out_stride_token, a->value_dim, a->total_q) ||
      !stride_ok(a->out_stride_head, a->value_dim, a->heads)) {
    return SPARK_MLA_INVALID_STRIDE;
  }
  return SPARK_MLA_OK;
}

}  // namespace

extern "C" {

int32_t spark_mla_prefill_supports(int32_t nope_dim, int32_t rope_dim, int32_t value_dim) {
  return spark_mla::prefill_dimensions_supported(nope_dim, rope_dim, value_dim) ? 1 : 0;
}

int32_t spark_mla_prefill(const spark_mla_prefill_args* args) {
  const int32_t checked = check_prefill(args);
  if (checked != SPARK_MLA_OK) {
    return checked;
  }
  if ((args->flags & ~SPARK_MLA_MERGE) != 0) {
    return SPARK_MLA_INVALID_OPTION;
  }
  if (!aligned(args->next_tile, 4)) {
    return SPARK_MLA_INVALID_POINTER;
  }
  if (!spark_mla::prefill_dimensions_supported(args->nope_dim, args->rope_dim,
                                               args->value_dim)) {
    return SPARK_MLA_UNSUPPORTED_DIMENSIONS;
  }
  int multiprocessors;
  const int32_t device = spark_mla::hopper_multiprocessors(&multiprocessors);
  if (device != SPARK_MLA_OK) {
    return device;
  }
  return status_of(spark_mla::launch_prefill(*args, multiprocessors));
}

int32_t spark_mla_prefill_reference(const spark_mla_prefill_args* args) {
  const int32_t checked = check_prefill(args);
  if (checked != SPARK_MLA_OK) {
    return checked;
  }
  if (args->flags != 0) {
    return SPARK_MLA_INVALID_OPTION;
  }
  if (args->nope_dim + args->rope_dim > 1024 || args->value_dim > 1024) {
    return SPARK_MLA_UNSUPPORTED_DIMENSIONS;
  }
  return status_of(spark_mla::launch_prefill_reference(*args));
}

int32_t spark_mla_gather_cache(const spark_mla_gather_cache_args* args) {
  if (args == nullptr || args->struct_size != sizeof(spark_mla_gather_cache_args)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  if (args->segments < 1 || args->total_k < 1 || args->latent_dim < 8 ||
      args->latent_dim % 8 != 0 || args->rope_dim < 8 || args->rope_dim % 8 != 0 ||
      args->max_blocks < 1 || args->cache_blocks < 1) {
    return SPARK_MLA_INVALID_SHAPE;
  }
  if (!aligned(args->cache, 16) || !aligned(args->latents, 16) || !aligned(args->rope, 16) ||
      !aligned(args->block_table, 4) || !aligned(args->cu_k, 4) || !aligned(args->first_key, 4)) {
    return SPARK_MLA_INVALID_POINTER;
  }
  const int64_t row = static_cast<int64_t>(args->latent_dim) + args->rope_dim;
  if (!stride_ok(args->cache_stride_block, row, args->cache_blocks) ||
      !stride_ok(args->cache_stride_token, row, SPARK_MLA_PAGE_TOKENS) ||
      !stride_ok(args->latents_stride, args->latent_dim, args->total_k) ||
      !stride_ok(args->rope_stride, args->rope_dim, args->total_k) ||
      (args->segments > 1 && args->block_table_stride < args->max_blocks)) {
    return SPARK_MLA_INVALID_STRIDE;
  }
  int multiprocessors;
  const int32_t device = spark_mla::hopper_multiprocessors(&multiprocessors);
  return device != SPARK_MLA_OK ? device : status_of(spark_mla::launch_gather_cache(*args));
}

}  // extern "C"
