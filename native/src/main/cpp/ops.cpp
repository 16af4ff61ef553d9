// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// The C interface of spark_mla_ops.h: checks arguments, then hands them to the kernels.

#include "ops/ops.h"

#include <initializer_list>

#include "status.h"

namespace {

using spark_mla::aligned;

bool all_aligned(uintptr_t bytes, std::initializer_list<const void*> pointers) {
  for (const void* pointer : pointers) {
    if (!aligned(pointer, bytes)) {
      return false;
    }
  }
  return true;
}

bool real(int32_t type) { return type == SPARK_MLA_BFLOAT16 || type == SPARK_MLA_FLOAT32; }

bool multiple(int64_t value, int64_t least, int64_t of) { return value >= least && value % of == 0; }

// Launches unless a check has failed or there is nothing to do.
template <typename Args>
int32_t launch(const Args* args, int32_t checked, int64_t count,
               cudaError_t (*kernel)(const Args&)) {
  return checked != SPARK_MLA_OK || count == 0 ? checked : spark_mla::status_of(kernel(*args));
}

template <typename Args>
bool known(const Args* args) {
  return args != nullptr && args->struct_size == sizeof(Args);
}

int32_t check(bool shape, bool option, bool pointers, bool strides) {
  return !shape      ? SPARK_MLA_INVALID_SHAPE
         : !option   ? SPARK_MLA_INVALID_OPTION
         : !pointers ? SPARK_MLA_INVALID_POINTER
         : !strides  ? SPARK_MLA_INVALID_STRIDE
                     : SPARK_MLA_OK;
}

}  // namespace

extern "C" {

int32_t spark_mla_embed(const spark_mla_embed_args* a) {
  if (!known(a)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  return launch(a,
                check(a->rows >= 0 && multiple(a->columns, 8, 8) && a->table_rows >= 1, true,
                      all_aligned(16, {a->table, a->out}) && aligned(a->tokens, 4) &&
                          (a->previous == nullptr || aligned(a->previous, 4)),
                      true),
                a->rows, spark_mla::launch_embed);
}

int32_t spark_mla_rms_norm(const spark_mla_rms_norm_args* a) {
  if (!known(a)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  return launch(a,
                check(a->rows >= 0 && multiple(a->columns, 8, 8) && a->columns <= 8192,
                      real(a->in_type) && a->epsilon >= 0.f,
                      all_aligned(16, {a->in, a->gain, a->out}),
                      multiple(a->in_stride, a->columns, 8) &&
                          multiple(a->out_stride, a->columns, 8)),
                a->rows, spark_mla::launch_rms_norm);
}

int32_t spark_mla_rope_table(const spark_mla_rope_table_args* a) {
  if (!known(a)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  return launch(a,
                check(a->positions >= 1, true,
                      aligned(a->inverse_frequencies, 8) && aligned(a->out, 16), true),
                a->positions, spark_mla::launch_rope_table);
}

int32_t spark_mla_write_cache(const spark_mla_write_cache_args* a) {
  if (!known(a)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  return launch(a,
                check(a->rows >= 0 && a->positions >= 1, real(a->in_type) && a->epsilon >= 0.f,
                      all_aligned(16, {a->in, a->gain, a->cache, a->angles}) &&
                          all_aligned(4, {a->position, a->slot}),
                      multiple(a->in_stride, 576, 8)),
                a->rows, spark_mla::launch_write_cache);
}

int32_t spark_mla_rotate(const spark_mla_rotate_args* a) {
  if (!known(a)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  return launch(a,
                check(a->rows >= 0 && a->heads >= 1 && a->positions >= 1, true,
                      all_aligned(4, {a->in, a->out, a->position}) && aligned(a->angles, 16),
                      multiple(a->in_stride, 64, 2) && multiple(a->in_head, 64, 2) &&
                          multiple(a->out_stride, 64, 2) && multiple(a->out_head, 64, 2)),
                a->rows, spark_mla::launch_rotate);
}

int32_t spark_mla_gate(const spark_mla_gate_args* a) {
  if (!known(a)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  return launch(a,
                check(a->rows >= 0 && multiple(a->width, 8, 8), true,
                      all_aligned(16, {a->gate_up, a->out}),
                      multiple(a->gate_up_stride, 2ll * a->width, 8) &&
                          multiple(a->out_stride, a->width, 8)),
                a->rows, spark_mla::launch_gate);
}

int32_t spark_mla_gather_rows(const spark_mla_gather_rows_args* a) {
  if (!known(a)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  return launch(a,
                check(a->rows >= 0 && multiple(a->columns, 4, 4), true,
                      all_aligned(16, {a->in, a->out}) && aligned(a->row, 4), true),
                a->rows, spark_mla::launch_gather_rows);
}

int32_t spark_mla_add_bias(const spark_mla_add_bias_args* a) {
  if (!known(a)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  return launch(a,
                check(a->rows >= 0 && multiple(a->columns, 8, 8), real(a->out_type),
                      all_aligned(16, {a->bias, a->out}),
                      multiple(a->out_stride, a->columns, 8)),
                a->rows, spark_mla::launch_add_bias);
}

int32_t spark_mla_sample(const spark_mla_sample_args* a) {
  if (!known(a)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  return launch(a,
                check(a->rows >= 0 && a->columns >= 1, true,
                      all_aligned(4, {a->logits, a->tokens}) && aligned(a->sampling, 8) &&
                          (a->log_probability == nullptr || aligned(a->log_probability, 4)),
                      a->logits_stride >= a->columns),
                a->rows, spark_mla::launch_sample);
}

int32_t spark_mla_convert(const spark_mla_convert_args* a) {
  if (!known(a)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  return launch(a,
                check(a->count >= 0, (real(a->in_type) || a->in_type == SPARK_MLA_FLOAT16) &&
                                         real(a->out_type),
                      aligned(a->in, a->in_type == SPARK_MLA_FLOAT32 ? 4 : 2) &&
                          aligned(a->out, a->out_type == SPARK_MLA_FLOAT32 ? 4 : 2),
                      true),
                a->count, spark_mla::launch_convert);
}

int32_t spark_mla_random(const spark_mla_random_args* a) {
  if (!known(a)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  return launch(a,
                check(a->count >= 0, real(a->out_type) && a->deviation >= 0.f,
                      aligned(a->out, a->out_type == SPARK_MLA_FLOAT32 ? 4 : 2), true),
                a->count, spark_mla::launch_random);
}

}  // extern "C"
