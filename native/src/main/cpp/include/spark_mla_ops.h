/*
 * Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
 *
 * The plain C interface of the operations of an MLA transformer other than attention, experts and
 * dense products: embedding, norms, rotary embedding and the paged cache, gated activation,
 * sampling, and what loading weights needs.
 *
 * As in spark_mla.h every call only enqueues work on `stream`: it never allocates, never
 * synchronizes, keeps no state and may be captured into a CUDA graph. Matrices are row-major, their
 * rows `columns` elements long; strides count elements. All pointers are device pointers, those of
 * vectors of elements 16-byte aligned. Zero a struct, set struct_size to its size, fill in the rest.
 *
 * A row's result does not depend on the other rows of a call. With rows = 0 a call does nothing.
 */
#ifndef SPARK_MLA_OPS_H
#define SPARK_MLA_OPS_H

#include "spark_mla.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What an element is. */
typedef enum spark_mla_element {
  SPARK_MLA_BFLOAT16 = 0,
  SPARK_MLA_FLOAT32 = 1,
  SPARK_MLA_FLOAT16 = 2
} spark_mla_element;

/* out[i] = table[token i]. A token id t < 0 stands for previous[~t]: what the step before chose for
   row ~t. An id that the table does not have reads row 0. */
typedef struct spark_mla_embed_args {
  uint32_t struct_size;
  int32_t rows;
  int32_t columns;    /* a multiple of 8 */
  int32_t table_rows; /* at least 1 */
  const int32_t *tokens;
  const int32_t *previous; /* may be null where no id is negative */
  const void *table;       /* bf16 [table_rows, columns] */
  float *out;              /* [rows, columns] */
  void *stream;
} spark_mla_embed_args;
SPARK_MLA_API int32_t spark_mla_embed(const spark_mla_embed_args *args);

/* out = in / sqrt(mean(in^2) + epsilon) * gain by row, summed in float32. */
typedef struct spark_mla_rms_norm_args {
  uint32_t struct_size;
  int32_t rows;
  int32_t columns; /* a multiple of 8, at most 8192 */
  int32_t in_type; /* SPARK_MLA_BFLOAT16 or SPARK_MLA_FLOAT32 */
  float epsilon;
  int32_t reserved;
  const void *in;
  int64_t in_stride; /* a multiple of 8, at least columns */
  const float *gain; /* [columns] */
  void *out;         /* bf16 [rows, columns]; may be in where types and strides agree */
  int64_t out_stride;
  void *stream;
} spark_mla_rms_norm_args;
SPARK_MLA_API int32_t spark_mla_rms_norm(const spark_mla_rms_norm_args *args);

/* Cosines and sines of rotary embedding, computed in float64: row p of out holds the cosines of
   p * inverse_frequencies[i], i < 32, times factor, then the sines. */
typedef struct spark_mla_rope_table_args {
  uint32_t struct_size;
  int32_t positions; /* at least 1 */
  double factor;
  const double *inverse_frequencies; /* [32] */
  float *out;                        /* [positions, 64] */
  void *stream;
} spark_mla_rope_table_args;
SPARK_MLA_API int32_t spark_mla_rope_table(const spark_mla_rope_table_args *args);

/* Writes tokens into one layer of the paged cache: the latent after its RMS norm, then the rope key
   turned by the token's position, both rounded to bf16. A row whose slot is negative is left out. */
typedef struct spark_mla_write_cache_args {
  uint32_t struct_size;
  int32_t rows;
  int32_t in_type;     /* SPARK_MLA_BFLOAT16 or SPARK_MLA_FLOAT32 */
  int32_t interleaved; /* 1: pair i is elements (2i, 2i + 1); 0: (i, i + 32) */
  float epsilon;
  int32_t positions;        /* rows of angles; a position past them reads the last */
  const void *in;           /* [rows, 512 + 64] */
  int64_t in_stride;        /* a multiple of 8 */
  const float *gain;        /* [512] */
  const float *angles;      /* as spark_mla_rope_table writes them */
  const int32_t *position;  /* [rows] */
  const int32_t *slot;      /* [rows]: block * 64 + token within the block */
  void *cache;              /* bf16 [blocks, 64, 576] */
  void *stream;
} spark_mla_write_cache_args;
SPARK_MLA_API int32_t spark_mla_write_cache(const spark_mla_write_cache_args *args);

/* out = in turned by the row's position, 64 elements of each head. out may be in. */
typedef struct spark_mla_rotate_args {
  uint32_t struct_size;
  int32_t rows;
  int32_t heads; /* at least 1 */
  int32_t interleaved;
  int32_t positions;
  int32_t reserved;
  const void *in;     /* bf16: the first of the 64 elements of head 0 of row 0 */
  int64_t in_stride;  /* from row to row, a multiple of 2, as all strides here */
  int64_t in_head;    /* from head to head */
  void *out;
  int64_t out_stride;
  int64_t out_head;
  const float *angles;
  const int32_t *position; /* [rows] */
  void *stream;
} spark_mla_rotate_args;
SPARK_MLA_API int32_t spark_mla_rotate(const spark_mla_rotate_args *args);

/* out = silu(gate) * up, computed in float32. */
typedef struct spark_mla_gate_args {
  uint32_t struct_size;
  int32_t rows;
  int32_t width; /* a multiple of 8 */
  int32_t reserved;
  const void *gate_up;    /* bf16 [rows, 2 * width]: a row's gate, then its up */
  int64_t gate_up_stride; /* a multiple of 8, at least 2 * width */
  void *out;              /* bf16 [rows, width] */
  int64_t out_stride;     /* a multiple of 8, at least width */
  void *stream;
} spark_mla_gate_args;
SPARK_MLA_API int32_t spark_mla_gate(const spark_mla_gate_args *args);

/* out[i] = in[row i]. */
typedef struct spark_mla_gather_rows_args {
  uint32_t struct_size;
  int32_t rows;
  int32_t columns; /* a multiple of 4 */
  int32_t reserved;
  const float *in;    /* [.., columns] */
  const int32_t *row; /* [rows] */
  float *out;         /* [rows, columns] */
  void *stream;
} spark_mla_gather_rows_args;
SPARK_MLA_API int32_t spark_mla_gather_rows(const spark_mla_gather_rows_args *args);

/* out += bias, by row. */
typedef struct spark_mla_add_bias_args {
  uint32_t struct_size;
  int32_t rows;
  int32_t columns;  /* a multiple of 8 */
  int32_t out_type; /* SPARK_MLA_BFLOAT16 or SPARK_MLA_FLOAT32 */
  const float *bias;  /* [columns] */
  void *out;          /* [rows, columns] */
  int64_t out_stride; /* a multiple of 8, at least columns */
  void *stream;
} spark_mla_add_bias_args;
SPARK_MLA_API int32_t spark_mla_add_bias(const spark_mla_add_bias_args *args);

/* How one row of logits becomes a token. The random number is a function of seed and index. */
typedef struct spark_mla_sampling {
  float temperature; /* divides the logits; 0 takes the largest, the lowest id among equals */
  int32_t top_k;     /* keeps the so many largest; 0 keeps all */
  float top_p;       /* keeps the smallest set of largest probabilities that reach it; 1 keeps all */
  int32_t index;     /* how many tokens the row has generated before this one */
  int64_t seed;
} spark_mla_sampling;

/* Chooses a token for each row; SPARK_MLA_NOT_A_NUMBER where a row holds NaN or +infinity.
   Probabilities are fixed-point numbers of 40 binary places relative to the largest, so that sums of
   them are exact and a row's token the same in every run. */
#define SPARK_MLA_NOT_A_NUMBER (-2)
typedef struct spark_mla_sample_args {
  uint32_t struct_size;
  int32_t rows;
  int32_t columns; /* at least 1 */
  int32_t reserved;
  const float *logits; /* [rows, columns] */
  int64_t logits_stride;
  const spark_mla_sampling *sampling; /* [rows] */
  int32_t *tokens;                    /* [rows] */
  /* [rows] or null: natural logarithm of the token's probability before temperature, top-k, top-p. */
  float *log_probability;
  void *stream;
} spark_mla_sample_args;
SPARK_MLA_API int32_t spark_mla_sample(const spark_mla_sample_args *args);

/* out[i] = in[i] in another type, rounded to the nearest, to even between two. */
typedef struct spark_mla_convert_args {
  uint32_t struct_size;
  int32_t in_type;  /* any */
  int32_t out_type; /* SPARK_MLA_BFLOAT16 or SPARK_MLA_FLOAT32 */
  int32_t reserved;
  int64_t count;
  const void *in;
  void *out;
  void *stream;
} spark_mla_convert_args;
SPARK_MLA_API int32_t spark_mla_convert(const spark_mla_convert_args *args);

/* out[i] = mean + deviation * sqrt(3) * (2u - 1) in float32, rounded to bf16 whatever out_type is; u
   is the upper 24 bits of number i, from 0 on, that SplitMix64 gives from seed on, times 2^-24. */
typedef struct spark_mla_random_args {
  uint32_t struct_size;
  int32_t out_type; /* SPARK_MLA_BFLOAT16 or SPARK_MLA_FLOAT32 */
  float mean;
  float deviation;
  int64_t seed;
  int64_t count;
  void *out;
  void *stream;
} spark_mla_random_args;
SPARK_MLA_API int32_t spark_mla_random(const spark_mla_random_args *args);

#ifdef __cplusplus
}
#endif

#endif /* SPARK_MLA_OPS_H */
