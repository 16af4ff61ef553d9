/*
 * Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
 *
 * The plain C interface of the operations of an MLA transformer other than attention, experts and
 * FP8: embedding, GEMMs of few rows, norms, rotary embedding and the paged cache, gated activation, sampling,
 * and what loading weights needs.
 *
 * As in spark_mla.h every call only enqueues work on `stream`: it never allocates, never
 * synchronizes, keeps no state and may be captured into a CUDA graph. Matrices are row-major, their
 * rows `columns` elements long; strides count elements. All pointers are device pointers. Those of
 * float32, bf16 and float16 elements are 16-byte aligned where nothing else is said. Zero a struct,
 * set struct_size to its size, fill in the rest.
 *
 * A row's result does not depend on the other rows of a call. With rows = 0 a call does nothing.
 * Numbers that the device reads (tokens, rows, positions, slots) may have any value: each operation
 * says what one out of range does, and none reads or writes outside of its arrays.
 *
 * A kernel begins while the one enqueued before it ends, and waits for it before it touches what that one may
 * have written. Gains, weights, positions and slots it reads at once: they must have been copied or synchronized with,
 * not be results of the last few kernels.
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

/* out[i] = scale * table[token i]. A token id t < 0 stands for previous[~t]: the token that the step before
   chose for its row ~t. An id that neither table nor previous has reads row 0 of the table, and so
   does SPARK_MLA_NOT_A_NUMBER in previous. */
typedef struct spark_mla_embed_args {
  uint32_t struct_size;
  int32_t rows;
  int32_t columns;       /* a multiple of 8 */
  int32_t table_rows;    /* at least 1 */
  int32_t previous_rows; /* 0 where previous is null */
  float scale;
  const int32_t *tokens;
  const int32_t *previous; /* [previous_rows] */
  const void *table;       /* bf16 [table_rows, columns] */
  float *out;              /* [rows, columns] */
  void *stream;
} spark_mla_embed_args;
SPARK_MLA_API int32_t spark_mla_embed(const spark_mla_embed_args *args);

/* tokens_cache[slot i] = token i, where a token t < 0 stands for previous[~t] as in spark_mla_embed_args.
   A row whose slot the cache does not have is left out; a token that previous does not have is -1. */
typedef struct spark_mla_write_tokens_args {
  uint32_t struct_size;
  int32_t rows;
  int32_t previous_rows; /* 0 where previous is null */
  int32_t blocks;        /* at least 1 */
  const int32_t *tokens;
  const int32_t *previous; /* [previous_rows] */
  const int32_t *slot;     /* [rows]: block * SPARK_MLA_PAGE_TOKENS + token within the block */
  int32_t *tokens_cache;   /* [blocks, SPARK_MLA_PAGE_TOKENS] */
  void *stream;
} spark_mla_write_tokens_args;
SPARK_MLA_API int32_t spark_mla_write_tokens(const spark_mla_write_tokens_args *args);

/* The most rows that spark_mla_gemm_few_rows takes. */
#define SPARK_MLA_FEW_ROWS 32

/* For each head c = a b^T, or c += a b^T, of bf16 rows of a and b, summed in float32 in the order of k. Rows
   are contiguous; strides are multiples of 8 elements. b is read at once, as gains are. */
typedef struct spark_mla_gemm_few_rows_args {
  uint32_t struct_size;
  int32_t m;            /* at most SPARK_MLA_FEW_ROWS */
  int32_t n;            /* a multiple of 8 */
  int32_t k;            /* a multiple of 64, at least 64 */
  int32_t heads;        /* at least 1 */
  int32_t b_transposed; /* 1: b is [heads, k, n] */
  int32_t c_type;       /* SPARK_MLA_BFLOAT16 or SPARK_MLA_FLOAT32 */
  int32_t add;          /* 1: to c, which is float32 */
  const void *a;        /* bf16 [m, heads, k] */
  int64_t a_stride;     /* from row to row */
  int64_t a_head;       /* from head to head */
  const void *b;        /* bf16 [heads, n, k] */
  int64_t b_stride;
  int64_t b_head;
  void *c;              /* [m, heads, n] */
  int64_t c_stride;
  int64_t c_head;
  void *stream;
} spark_mla_gemm_few_rows_args;
SPARK_MLA_API int32_t spark_mla_gemm_few_rows(const spark_mla_gemm_few_rows_args *args);

/* What a GEMM reads is written as bf16, quantized as spark_mla_float8_quantize does it (spark_mla_float8.h)
   after it was rounded to bf16, or both: one of out and float8_out may be null. */

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
  void *float8_out; /* e4m3 [rows, columns], columns a multiple of 16 */
  int64_t float8_stride;       /* a multiple of 16, at least columns */
  float *float8_scales;        /* [ceil(columns / 128), rows] */
  int64_t float8_scales_stride; /* a multiple of 4, at least rows */
  void *stream;
} spark_mla_rms_norm_args;
SPARK_MLA_API int32_t spark_mla_rms_norm(const spark_mla_rms_norm_args *args);

/* 1 where spark_mla_write_cache and spark_mla_rotate are built for tokens of these sizes, 0 where they
   are not (host only). */
SPARK_MLA_API int32_t spark_mla_cache_supports(int32_t latent_dim, int32_t rope_dim);

/* Cosines and sines of rotary embedding, computed in float64: row p of out holds the cosines of
   p * inverse_frequencies[i] times factor, then the sines. */
typedef struct spark_mla_rope_table_args {
  uint32_t struct_size;
  int32_t positions; /* at least 1 */
  int32_t pairs;     /* 1 to 256 */
  int32_t reserved;
  double factor;
  const double *inverse_frequencies; /* [pairs] */
  float *out;                        /* [positions, 2 * pairs] */
  void *stream;
} spark_mla_rope_table_args;
SPARK_MLA_API int32_t spark_mla_rope_table(const spark_mla_rope_table_args *args);

/* Writes tokens into one layer of the paged cache: the latent after its RMS norm, then the rope key
   rotated by the token's position, both rounded to bf16. A row whose slot the cache does not have, a
   negative one for instance, is left out. Queries of the first rows may be rotated besides, as by
   spark_mla_rotate. */
typedef struct spark_mla_write_cache_args {
  uint32_t struct_size;
  int32_t rows;
  int32_t in_type;     /* SPARK_MLA_BFLOAT16 or SPARK_MLA_FLOAT32 */
  int32_t interleaved; /* 1: pair i is elements (2i, 2i + 1); 0: (i, i + rope_dim / 2) */
  float epsilon;
  int32_t positions; /* rows of angles; a position outside of them uses the nearest inside */
  int32_t latent_dim; /* spark_mla_cache_supports says for which sizes a kernel is built */
  int32_t rope_dim;
  int32_t blocks; /* at least 1 */
  int32_t query_rows; /* 0 to rows; 0: no queries are rotated, and what follows of them is not read */
  int32_t heads;      /* of the queries, at least 1 */
  int32_t reserved;
  const void *queries;     /* bf16 [query_rows, heads, rope_dim], as in of spark_mla_rotate_args */
  int64_t queries_stride;
  int64_t queries_head;
  void *rotated; /* bf16 [query_rows, heads, rope_dim], as out of spark_mla_rotate_args */
  int64_t rotated_stride;
  int64_t rotated_head;
  const void *in;          /* [rows, latent_dim + rope_dim] */
  int64_t in_stride;       /* a multiple of 8 */
  const float *gain;       /* [latent_dim] */
  const float *angles;     /* [positions, rope_dim], as spark_mla_rope_table writes them */
  const int32_t *position; /* [rows] */
  const int32_t *slot;     /* [rows]: block * SPARK_MLA_PAGE_TOKENS + token within the block */
  void *cache; /* as k_cache of spark_mla.h, with one head, contiguous */
  void *stream;
} spark_mla_write_cache_args;
SPARK_MLA_API int32_t spark_mla_write_cache(const spark_mla_write_cache_args *args);

/* out = in rotated by the row's position, the rope elements of each head. out may be in. */
typedef struct spark_mla_rotate_args {
  uint32_t struct_size;
  int32_t rows;
  int32_t heads;       /* at least 1 */
  int32_t rope_dim;    /* of a size that spark_mla_cache_supports */
  int32_t interleaved; /* as in spark_mla_write_cache_args */
  int32_t positions;   /* as in spark_mla_write_cache_args */
  const void *in;      /* bf16 [rows, heads, rope_dim], 4-byte aligned */
  int64_t in_stride;   /* from row to row, a multiple of 2, as all strides here */
  int64_t in_head;     /* from head to head */
  void *out;           /* bf16 [rows, heads, rope_dim], 4-byte aligned */
  int64_t out_stride;
  int64_t out_head;
  const float *angles;     /* [positions, rope_dim] */
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
  void *float8_out;       /* as in spark_mla_rms_norm_args */
  int64_t float8_stride;
  float *float8_scales;
  int64_t float8_scales_stride;
  void *stream;
} spark_mla_gate_args;
SPARK_MLA_API int32_t spark_mla_gate(const spark_mla_gate_args *args);

/* out[i] = in[row i]. A row that in does not have reads row 0. */
typedef struct spark_mla_gather_rows_args {
  uint32_t struct_size;
  int32_t rows;
  int32_t columns; /* a multiple of 4 */
  int32_t in_rows; /* at least 1 */
  const float *in;    /* [in_rows, columns] */
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

/* What is done to one row of logits before its token is chosen, in this order: a bias is added to some;
   the logits of tokens in prompt and output are divided by the repetition penalty where positive, else
   multiplied; frequency_penalty times its count and presence_penalty are subtracted from those of
   tokens in the output; the last token of each bad word whose others prompt and output end with is
   suppressed, and so are the ends where suppress_ends says so. A row with an automaton keeps the tokens
   whose bytes lead on in it to where a token may end, and of the ends those all where it accepts, else
   none. Places are those of int32 words. Java writes this struct itself: ProcessingLayout.java. */
typedef struct spark_mla_processing {
  int32_t history; /* tokens of prompt and output; 0 leaves the row as it is */
  int32_t outputs; /* how many of them, at their end, are the output's */
  int32_t table;   /* place of the row's block table, which leads to the tokens */
  float repetition_penalty; /* 1 for none */
  float presence_penalty;
  float frequency_penalty;
  int32_t biases; /* place of a token id and a float32 for each bias */
  int32_t bias_count;
  int32_t bad_words; /* place of bad_word_count + 1 starts, counted from here, then the words' ids */
  int32_t bad_word_count;
  int32_t ends; /* place of the ids of the tokens that end the row */
  int32_t end_count;
  int32_t suppress_ends; /* 1 or 0 */
  int32_t automaton; /* its place in automata; -1 for none */
  int32_t previous;  /* the row of the step before whose position and token lead to the row's position; -1
                        where state and count are it */
  int32_t state;     /* -2: the answer has not begun, and only the ends are suppressed */
  int32_t count;
  int32_t after; /* the token that an answer begins after that has not begun; -1 for none */
} spark_mla_processing;

/* Processes each row's logits in place. Token ids that the vocabulary does not have do nothing, nor do
   words or tokens that lie outside of the arrays. */
typedef struct spark_mla_process_logits_args {
  uint32_t struct_size;
  int32_t rows;
  int32_t columns; /* 1 to 2^23 */
  int32_t blocks;  /* at least 1 */
  float *logits;   /* [rows, columns], 4-byte aligned */
  int64_t logits_stride;
  const spark_mla_processing *processing; /* [rows] */
  const int32_t *words;
  int64_t word_count;
  const int32_t *tokens_cache; /* [blocks, SPARK_MLA_PAGE_TOKENS], as spark_mla_write_tokens writes it */
  int32_t *counts; /* [rows, columns], workspace */
  const int32_t *automata; /* a vocabulary and automata, as AutomatonLayout.java writes them */
  int64_t automata_words;
  const int32_t *previous; /* [previous_rows], the tokens of the step before */
  int32_t *positions; /* [previous_rows, 2]: of the step before; gets those of this step's rows */
  int32_t previous_rows; /* at least rows */
  int32_t reserved;
  int32_t *new_positions; /* [rows, 2], workspace */
  void *stream;
} spark_mla_process_logits_args;
SPARK_MLA_API int32_t spark_mla_process_logits(const spark_mla_process_logits_args *args);

/* How one row of logits becomes a token. The random number is a function of seed and index. Java
   writes this struct itself: SamplingLayout.java. */
typedef struct spark_mla_sampling {
  float temperature; /* divides the logits; 0 takes the largest, the lowest id among equals */
  int32_t top_k;     /* keeps the top_k largest logits; 0 keeps all */
  float top_p;       /* keeps the smallest set of largest probabilities that reach it; 1 keeps all */
  float min_p;       /* keeps probabilities of at least this part of the largest; 0 keeps all */
  int32_t index;     /* how many tokens the row has generated before this one */
  int32_t logprobs;  /* how many of the likeliest tokens spark_mla_logprobs reports; -1 for none, and
                        not the chosen token's either */
  int64_t seed;
} spark_mla_sampling;

/* Chooses a token for each row, SPARK_MLA_NOT_A_NUMBER where a row holds NaN or +infinity.
   Probabilities are fixed-point numbers of 40 binary places relative to the largest, so that sums of
   them are exact and a row's token the same in every run. */
#define SPARK_MLA_NOT_A_NUMBER (-2)
typedef struct spark_mla_sample_args {
  uint32_t struct_size;
  int32_t rows;
  int32_t columns; /* 1 to 2^23 */
  int32_t reserved;
  const float *logits; /* [rows, columns], 4-byte aligned */
  int64_t logits_stride;
  const spark_mla_sampling *sampling; /* [rows], 8-byte aligned */
  int32_t *tokens;                    /* [rows] */
  void *stream;
} spark_mla_sample_args;
SPARK_MLA_API int32_t spark_mla_sample(const spark_mla_sample_args *args);

/* Log probabilities, log softmax of the logits: of each row's token, and of the row's likeliest tokens,
   the likeliest first and the lower id first among equals. Nothing is written for a row that asks for
   none, and for one without a token. */
#define SPARK_MLA_MOST_LOGPROBS 20
#define SPARK_MLA_NO_TOKEN (-1) /* in place of an id, where the vocabulary has no more tokens */
#define SPARK_MLA_LOGPROB_WORDS (1 + 2 * SPARK_MLA_MOST_LOGPROBS)
typedef struct spark_mla_logprobs_args {
  uint32_t struct_size;
  int32_t rows;
  int32_t columns; /* 1 to 2^23 */
  int32_t reserved;
  const float *logits; /* [rows, columns], 4-byte aligned */
  int64_t logits_stride;
  const spark_mla_sampling *sampling; /* [rows], 8-byte aligned */
  const int32_t *tokens;              /* [rows] */
  int32_t *out; /* [rows, SPARK_MLA_LOGPROB_WORDS]: the token's log probability as the bits of a float32,
                   then an id and the bits of its log probability for each of the likeliest */
  void *stream;
} spark_mla_logprobs_args;
SPARK_MLA_API int32_t spark_mla_logprobs(const spark_mla_logprobs_args *args);

/* out[i] = in[i] in another type, rounded to nearest, ties to even. Both aligned to their elements. */
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

#ifdef __cplusplus
}
#endif

#endif /* SPARK_MLA_OPS_H */
