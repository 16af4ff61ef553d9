// Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
//
// The C interface of spark_mla_ops.h: checks arguments, then hands them to the kernels.

#include "ops/ops.h"

#include "gemm/gemm.h"
#include "gemm_output.h"
#include "norm.h"
#include "status.h"

namespace {

using spark_mla::aligned;
using spark_mla::known;
using spark_mla::null_or_aligned;
using spark_mla::stride_ok;

bool real(int32_t type) { return type == SPARK_MLA_BFLOAT16 || type == SPARK_MLA_FLOAT32; }

uintptr_t bytes_of(int32_t type) { return type == SPARK_MLA_FLOAT32 ? 4 : 2; }

// A number of columns that kernels take `multiple` at a time.
bool columns_ok(int32_t columns, int32_t multiple = 8) {
  return columns > 0 && columns % multiple == 0;
}

bool flag(int32_t value) { return value == 0 || value == 1; }

// The status of the first check that does not hold.
int32_t check(bool shape, bool option, bool pointers, bool strides) {
  return !shape      ? SPARK_MLA_INVALID_SHAPE
         : !option   ? SPARK_MLA_INVALID_OPTION
         : !pointers ? SPARK_MLA_INVALID_POINTER
         : !strides  ? SPARK_MLA_INVALID_STRIDE
                     : SPARK_MLA_OK;
}

// Launches unless a check has failed or there is nothing to do.
template <typename Args>
int32_t launch(const Args* args, int32_t checked, int64_t count,
               cudaError_t (*kernel)(const Args&)) {
  return checked != SPARK_MLA_OK || count == 0 ? checked : spark_mla::status_of(kernel(*args));
}

// What an operation writes for GEMMs.
template <typename Args>
spark_mla::GemmOutput output(const Args* a, int32_t columns) {
  return {a->out,           a->out_stride,           a->float8_out, a->float8_stride,
          a->float8_scales, a->float8_scales_stride, a->rows,       columns};
}

// Heads of rows that are rotated.
bool heads_ok(int32_t rows, int32_t heads) {
  return heads >= 1 && static_cast<int64_t>(rows) * heads <= INT32_MAX;
}

template <typename Args>
bool head_strides_ok(const Args* a, int32_t rows, int64_t row, int64_t head) {
  return stride_ok(row, a->rope_dim, rows, 2) && stride_ok(head, a->rope_dim, a->heads, 2);
}

}  // namespace

extern "C" {

int32_t spark_mla_embed(const spark_mla_embed_args* a) {
  if (!known(a)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  return launch(a,
                check(a->rows >= 0 && columns_ok(a->columns) && a->table_rows >= 1 &&
                          a->previous_rows >= 0,
                      true,
                      aligned({a->table, a->out}, 16) && aligned(a->tokens, 4) &&
                          (a->previous_rows == 0 ? null_or_aligned(a->previous, 4)
                                                 : aligned(a->previous, 4)),
                      true),
                a->rows, spark_mla::launch_embed);
}

int32_t spark_mla_write_tokens(const spark_mla_write_tokens_args* a) {
  if (!known(a)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  return launch(a,
                check(a->rows >= 0 && a->previous_rows >= 0 && a->blocks >= 1, true,
                      aligned({a->tokens, a->slot, a->tokens_cache}, 4) &&
                          (a->previous_rows == 0 ? null_or_aligned(a->previous, 4)
                                                 : aligned(a->previous, 4)),
                      true),
                a->rows, spark_mla::launch_write_tokens);
}

int32_t spark_mla_gemm_few_rows(const spark_mla_gemm_few_rows_args* a) {
  if (!known(a)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  const int32_t b_rows = a->b_transposed == 1 ? a->k : a->n;
  const int32_t b_columns = a->b_transposed == 1 ? a->n : a->k;
  return launch(a,
                check(a->m >= 0 && a->m <= SPARK_MLA_FEW_ROWS && columns_ok(a->n) && a->k >= 64 &&
                          a->k % 64 == 0 && a->heads >= 1,
                      flag(a->b_transposed) && real(a->c_type) && flag(a->add) &&
                          (a->add == 0 || a->c_type == SPARK_MLA_FLOAT32),
                      aligned({a->a, a->b, a->c}, 16),
                      stride_ok(a->a_stride, a->k, a->m) && stride_ok(a->a_head, 0, a->heads) &&
                          stride_ok(a->b_stride, b_columns, b_rows) &&
                          stride_ok(a->b_head, 0, a->heads) && stride_ok(a->c_stride, a->n, a->m) &&
                          stride_ok(a->c_head, 0, a->heads)),
                a->m, spark_mla::launch_gemm_few_rows);
}

int32_t spark_mla_rms_norm(const spark_mla_rms_norm_args* a) {
  if (!known(a)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  return launch(a,
                check(a->rows >= 0 && output(a, a->columns).columns_ok() &&
                          a->columns <= spark_mla::kMaxNormColumns,
                      real(a->in_type) && a->epsilon >= 0.f,
                      aligned({a->in, a->gain}, 16) && output(a, a->columns).pointers_ok(),
                      stride_ok(a->in_stride, a->columns, a->rows) &&
                          output(a, a->columns).strides_ok()),
                a->rows, spark_mla::launch_rms_norm);
}

int32_t spark_mla_cache_supports(int32_t latent_dim, int32_t rope_dim) {
  return spark_mla::cache_supported(latent_dim, rope_dim) && spark_mla::rope_supported(rope_dim)
             ? 1
             : 0;
}

int32_t spark_mla_rope_table(const spark_mla_rope_table_args* a) {
  if (!known(a)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  return launch(a,
                check(a->positions >= 1 && a->pairs >= 1 && a->pairs <= spark_mla::kMaxRopePairs,
                      true, aligned(a->inverse_frequencies, 8) && aligned(a->out, 16), true),
                a->positions, spark_mla::launch_rope_table);
}

int32_t spark_mla_write_cache(const spark_mla_write_cache_args* a) {
  if (!known(a)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  if (!spark_mla::cache_supported(a->latent_dim, a->rope_dim)) {
    return SPARK_MLA_UNSUPPORTED_DIMENSIONS;
  }
  const bool queries = a->query_rows > 0;
  return launch(
      a,
      check(a->rows >= 0 && a->positions >= 1 && a->blocks >= 1 && a->query_rows >= 0 &&
                a->query_rows <= a->rows && (!queries || heads_ok(a->query_rows, a->heads)),
            real(a->in_type) && a->epsilon >= 0.f,
            aligned({a->in, a->gain, a->cache, a->angles}, 16) &&
                aligned({a->position, a->slot}, 4) &&
                (!queries || aligned({a->queries, a->rotated}, 4)),
            stride_ok(a->in_stride, a->latent_dim + a->rope_dim, a->rows) &&
                (!queries ||
                 (head_strides_ok(a, a->query_rows, a->queries_stride, a->queries_head) &&
                  head_strides_ok(a, a->query_rows, a->rotated_stride, a->rotated_head)))),
      a->rows, spark_mla::launch_write_cache);
}

int32_t spark_mla_rotate(const spark_mla_rotate_args* a) {
  if (!known(a)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  if (!spark_mla::rope_supported(a->rope_dim)) {
    return SPARK_MLA_UNSUPPORTED_DIMENSIONS;
  }
  return launch(a,
                check(a->rows >= 0 && heads_ok(a->rows, a->heads) && a->positions >= 1, true,
                      aligned({a->in, a->out, a->position}, 4) && aligned(a->angles, 16),
                      head_strides_ok(a, a->rows, a->in_stride, a->in_head) &&
                          head_strides_ok(a, a->rows, a->out_stride, a->out_head)),
                a->rows, spark_mla::launch_rotate);
}

int32_t spark_mla_gate(const spark_mla_gate_args* a) {
  if (!known(a)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  return launch(a,
                check(a->rows >= 0 && output(a, a->width).columns_ok(), true,
                      aligned(a->gate_up, 16) && output(a, a->width).pointers_ok(),
                      stride_ok(a->gate_up_stride, 2ll * a->width, a->rows) &&
                          output(a, a->width).strides_ok()),
                a->rows, spark_mla::launch_gate);
}

int32_t spark_mla_gather_rows(const spark_mla_gather_rows_args* a) {
  if (!known(a)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  return launch(a,
                check(a->rows >= 0 && columns_ok(a->columns, 4) && a->in_rows >= 1, true,
                      aligned({a->in, a->out}, 16) && aligned(a->row, 4), true),
                a->rows, spark_mla::launch_gather_rows);
}

int32_t spark_mla_add_bias(const spark_mla_add_bias_args* a) {
  if (!known(a)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  return launch(a,
                check(a->rows >= 0 && columns_ok(a->columns), real(a->out_type),
                      aligned({a->bias, a->out}, 16),
                      stride_ok(a->out_stride, a->columns, a->rows)),
                a->rows, spark_mla::launch_add_bias);
}

int32_t spark_mla_process_logits(const spark_mla_process_logits_args* a) {
  if (!known(a)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  return launch(a,
                check(a->rows >= 0 && a->columns >= 1 && a->columns <= spark_mla::kMaxVocabulary &&
                          a->blocks >= 1 && a->word_count >= 0 && a->automata_words >= 0 &&
                          a->previous_rows >= a->rows && a->rows <= UINT16_MAX,
                      true,
                      aligned({a->logits, a->processing, a->words, a->tokens_cache, a->counts,
                               a->previous},
                              4) &&
                          aligned({a->positions, a->new_positions, a->automata}, 8),
                      stride_ok(a->logits_stride, a->columns, a->rows, 1)),
                a->rows, spark_mla::launch_process_logits);
}

int32_t spark_mla_sample(const spark_mla_sample_args* a) {
  if (!known(a)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  return launch(a,
                check(a->rows >= 0 && a->columns >= 1 && a->columns <= spark_mla::kMaxVocabulary,
                      true, aligned({a->logits, a->tokens}, 4) && aligned(a->sampling, 8),
                      stride_ok(a->logits_stride, a->columns, a->rows, 1)),
                a->rows, spark_mla::launch_sample);
}

int32_t spark_mla_logprobs(const spark_mla_logprobs_args* a) {
  if (!known(a)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  return launch(a,
                check(a->rows >= 0 && a->columns >= 1 && a->columns <= spark_mla::kMaxVocabulary,
                      true, aligned({a->logits, a->tokens, a->out}, 4) && aligned(a->sampling, 8),
                      stride_ok(a->logits_stride, a->columns, a->rows, 1)),
                a->rows, spark_mla::launch_logprobs);
}

int32_t spark_mla_convert(const spark_mla_convert_args* a) {
  if (!known(a)) {
    return SPARK_MLA_INVALID_STRUCT;
  }
  return launch(a,
                check(a->count >= 0, (real(a->in_type) || a->in_type == SPARK_MLA_FLOAT16) &&
                                         real(a->out_type),
                      aligned(a->in, bytes_of(a->in_type)) &&
                          aligned(a->out, bytes_of(a->out_type)),
                      true),
                a->count, spark_mla::launch_convert);
}

}  // extern "C"
