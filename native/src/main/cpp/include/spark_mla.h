/*
 * Licensed under the Apache License, Version 2.0; see the LICENSE file of this distribution.
 *
 * The plain C interface of Spark MLA's CUDA kernels: multi-head latent attention (MLA) decode over
 * a paged key/value cache, and prefill over expanded keys, for Hopper GPUs (compute capability 9.0).
 * No JNI, no framework types.
 *
 * The order of calls for one decode step:
 *
 *   spark_mla_decode_sm_parts        rows of the scheduler's table (host only)
 *   spark_mla_decode_workspace_size  bytes of scratch that spark_mla_decode needs (host only)
 *   spark_mla_decode_metadata        once a step: lengths -> how the work is cut (device)
 *   spark_mla_decode                 once a layer: attention, merging of splits included (device)
 *
 * Every device call only enqueues work on `stream`: it never allocates, never synchronizes, keeps
 * no state between calls and may be captured into a CUDA graph. The context current on the calling
 * thread is used; calls from several threads need no lock. No call exits, aborts or asserts.
 */
#ifndef SPARK_MLA_H
#define SPARK_MLA_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define SPARK_MLA_API
#else
#define SPARK_MLA_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when the meaning of an existing field changes. Fields added later go to the end of their
   struct: `struct_size` tells the library which of them the caller knows. */
#define SPARK_MLA_ABI_VERSION 3

/* Tokens in one page of the cache. */
#define SPARK_MLA_PAGE_TOKENS 64

/* int32 values in one row of the scheduler's table. */
#define SPARK_MLA_METADATA_WIDTH 8

typedef enum spark_mla_status {
  SPARK_MLA_OK = 0,
  /* The argument struct is null, or its struct_size is not one this library knows. */
  SPARK_MLA_INVALID_STRUCT = 1,
  /* A count is negative, zero where it must not be, too large, or not the multiple it must be. */
  SPARK_MLA_INVALID_SHAPE = 2,
  /* A pointer is null, or not aligned as its field asks. */
  SPARK_MLA_INVALID_POINTER = 3,
  /* A stride is negative, too small for its shape, or not a multiple of what its field asks. */
  SPARK_MLA_INVALID_STRIDE = 4,
  /* No kernel is built for these sizes of a key and a value. */
  SPARK_MLA_UNSUPPORTED_DIMENSIONS = 5,
  /* softmax_scale is not a positive finite number, flags hold an unknown bit, or split_policy is not
     one of spark_mla_split_policy. */
  SPARK_MLA_INVALID_OPTION = 6,
  /* workspace_bytes is less than spark_mla_decode_workspace_size says, or num_sm_parts differs
     from spark_mla_decode_sm_parts. */
  SPARK_MLA_WORKSPACE_TOO_SMALL = 7,
  /* The current device is not compute capability 9.0. */
  SPARK_MLA_UNSUPPORTED_DEVICE = 8,
  /* There is no CUDA driver, or it is too old for this library. */
  SPARK_MLA_NO_DRIVER = 9,
  /* A CUDA call failed: spark_mla_last_cuda_error has its number. */
  SPARK_MLA_CUDA_ERROR = 10
} spark_mla_status;

/* Where spark_mla_decode_metadata cuts sequences into splits, which are computed by different
   multiprocessors and then merged. */
typedef enum spark_mla_split_policy {
  /* Where it makes all multiprocessors finish together. The rounding of a sequence's result may then
     depend on the rest of the batch. */
  SPARK_MLA_SPLIT_BALANCED = 0,
  /* By the sequence's own length, s_q, h_q and h_kv alone, and merged in order: its result is
     bit-identical in every batch, alone or among others, whatever max_blocks is. */
  SPARK_MLA_SPLIT_BY_LENGTH = 1
} spark_mla_split_policy;

/* Bits of flags. */
/* Of spark_mla_decode_args: */
/* Query token i of s_q sees keys 0 .. cache_seqlens - s_q + i (the mask is aligned bottom-right). */
#define SPARK_MLA_CAUSAL 1u
/* Of spark_mla_prefill_args: out and lse hold the result over other keys of the same queries, and get
   that over both. */
#define SPARK_MLA_MERGE 1u

/*
 * Arguments of every spark_mla_decode_* call. Strides count elements, not bytes. Zero the struct,
 * set struct_size = sizeof(spark_mla_decode_args), then fill in what the call reads:
 *   S: spark_mla_decode_sm_parts and spark_mla_decode_workspace_size (host only)
 *   M: spark_mla_decode_metadata
 *   D: spark_mla_decode
 *   R: spark_mla_decode_reference
 * All pointers are device pointers. Rows means s_q * (h_q / h_kv), the query rows that share one
 * key/value head; S and M look only at batch, rows and h_kv, never at s_q and h_q apart.
 */
typedef struct spark_mla_decode_args {
  uint32_t struct_size; /* S M D R */
  uint32_t flags;       /* D R: SPARK_MLA_CAUSAL or 0 */

  int32_t batch; /* S M D R: sequences, at least 1 */
  int32_t s_q;   /* S M D R: query tokens of each sequence, at least 1 */
  int32_t h_q;   /* S M D R: query heads, at least 1, a multiple of h_kv */
  int32_t h_kv;  /* S M D R: key/value heads; 1 in MLA models */

  /* S D R: a key is latent_dim elements, which are also its value, and rope_dim more.
     spark_mla_decode_supports says for which sizes a kernel is built. */
  int32_t latent_dim;
  int32_t rope_dim;

  /* S M D R: columns of block_table. A sequence may hold up to this many pages of 64 tokens. */
  int32_t max_blocks;
  /* D R: pages in the cache, the largest entry of block_table + 1. */
  int32_t cache_blocks;

  int32_t split_policy; /* S M D: a spark_mla_split_policy, the same value in all three */

  /* M D: rows of metadata, as spark_mla_decode_sm_parts gave it. */
  int32_t num_sm_parts;

  float softmax_scale; /* D R: usually (key head size of the model)^-0.5; positive */
  int32_t reserved;    /* 0 */

  /* D R: bf16 [batch, s_q, h_q, latent_dim + rope_dim], the last dimension contiguous. 16-byte
     aligned, strides multiples of 8. */
  const void *q;
  int64_t q_stride_batch;
  int64_t q_stride_token;
  int64_t q_stride_head;

  /* D R: bf16 [cache_blocks, 64, h_kv, latent_dim + rope_dim], the last dimension contiguous.
     16-byte aligned, strides multiples of 8. Tokens past a sequence's end may hold anything, NaN
     too. */
  const void *k_cache;
  int64_t k_cache_stride_block;
  int64_t k_cache_stride_token;
  int64_t k_cache_stride_head;

  /* D R: int32 [batch, max_blocks]; entries past a sequence's last page are never looked at. */
  const int32_t *block_table;
  int64_t block_table_stride;

  /* M D R: int32 [batch], tokens of each sequence in the cache, this step's included, each between
     0 and 64 * max_blocks. Zero gives out 0 and lse +infinity. */
  const int32_t *cache_seqlens;

  /* D: null, or int32 [batch]: so many tokens of each sequence are in k_cache since before an earlier
     spark_mla_decode on the same stream, as are settled itself, block_table, cache_seqlens, metadata and num_splits.
     These tokens may be read before the kernel before has ended. */
  const int32_t *settled;

  /* M writes, D reads: int32 [num_sm_parts, 8], 16-byte aligned. */
  int32_t *metadata;
  /* M writes, D reads: int32 [batch + 1], running count of the splits that each sequence is cut
     into. */
  int32_t *num_splits;

  /* D: bf16 [batch, s_q, h_q, latent_dim]; R: float32 of that shape. The last dimension is
     contiguous; 16-byte aligned, strides multiples of 8. Written whole. */
  void *out;
  int64_t out_stride_batch;
  int64_t out_stride_token;
  int64_t out_stride_head;

  /* D R: float32 [batch, h_q, s_q], contiguous: natural logarithm of the sum of exponentials of
     the scaled scores, +infinity where a row has no key (its out is 0). */
  float *lse;

  /* D: scratch, 16-byte aligned; its contents need not survive from one call to the next. */
  void *workspace;
  size_t workspace_bytes;

  /* M D R: a cudaStream_t (CUstream); null is the default stream. */
  void *stream;
} spark_mla_decode_args;

/*
 * Arguments of spark_mla_prefill and spark_mla_prefill_reference: attention of the query tokens of
 * several sequences (segments), laid one after another, to expanded keys, likewise laid out. Zero
 * the struct, set struct_size = sizeof(spark_mla_prefill_args), then fill in everything. Strides
 * count elements; all pointers are device pointers; the last dimension of every array is contiguous.
 */
typedef struct spark_mla_prefill_args {
  uint32_t struct_size;
  uint32_t flags; /* SPARK_MLA_MERGE or 0 */

  int32_t segments; /* at least 1 */
  int32_t heads;    /* 1 to 65535 */
  int32_t total_q;  /* rows of q, out and lse; at least 1, at least cu_q[segments] */
  int32_t total_k;  /* rows of kv and k_rope; at least 1, at least cu_k[segments], at most 2^30 */

  /* A key is nope_dim elements of its head and rope_dim that all heads share; a value is value_dim
     elements. spark_mla_prefill_supports says for which sizes a kernel is built. */
  int32_t nope_dim;
  int32_t rope_dim;
  int32_t value_dim;

  float softmax_scale; /* usually (nope_dim + rope_dim)^-0.5; positive */

  /* bf16 [total_q, heads, nope_dim + rope_dim]; 16-byte aligned, strides multiples of 8. */
  const void *q;
  int64_t q_stride_token;
  int64_t q_stride_head;

  /* bf16 [total_k, heads, nope_dim + value_dim]: of each head its part of the key, then its value;
     16-byte aligned, strides multiples of 8. */
  const void *kv;
  int64_t kv_stride_token;
  int64_t kv_stride_head;

  /* bf16 [total_k, rope_dim]; 16-byte aligned, its stride a multiple of 8. */
  const void *k_rope;
  int64_t k_rope_stride_token;

  /* int32 [segments + 1], not falling, from 0: segment s has the queries cu_q[s] to cu_q[s + 1] and
     the keys cu_k[s] to cu_k[s + 1]; either may be none. Rows past the last segment's end may hold
     anything, NaN too. */
  const int32_t *cu_q;
  const int32_t *cu_k;

  /* int32 [segments], each between -2^30 and 2^30: query i of a segment sees the segment's keys
     0 .. i + q_offset. The number of keys less the number of queries aligns the mask bottom-right; a
     large number shows every key. */
  const int32_t *q_offset;

  /* bf16 [total_q, heads, value_dim], of the reference float32; 16-byte aligned, strides multiples
     of 8. Written for the rows of every segment, and for no others; 0 where a row sees no key. */
  void *out;
  int64_t out_stride_token;
  int64_t out_stride_head;

  /* float32 [heads, total_q], contiguous: natural logarithm of the sum of exponentials of the scaled
     scores, +infinity where a row sees no key. */
  float *lse;

  /* int32, of spark_mla_prefill alone: 0, and left 0 by every call. Thread blocks draw their work
     from it, so calls that may run at the same time need one each. */
  int32_t *next_tile;

  /* a cudaStream_t (CUstream); null is the default stream. */
  void *stream;
} spark_mla_prefill_args;

/*
 * Arguments of spark_mla_gather_cache: rows of a paged cache, of several sequences (segments), laid
 * one after another, latents and rope parts apart. Zero the struct, set struct_size =
 * sizeof(spark_mla_gather_cache_args), then fill in everything. Strides count elements; all pointers
 * are device pointers; the last dimension of every array is contiguous.
 */
typedef struct spark_mla_gather_cache_args {
  uint32_t struct_size;
  int32_t segments;     /* at least 1 */
  int32_t total_k;      /* rows of latents and rope; at least 1, at least cu_k[segments] */
  int32_t latent_dim;   /* a positive multiple of 8 */
  int32_t rope_dim;     /* a positive multiple of 8 */
  int32_t max_blocks;   /* columns of block_table, at least 1 */
  int32_t cache_blocks; /* pages in the cache, at least 1 */
  int32_t reserved;     /* 0 */

  /* As k_cache of spark_mla_decode_args, with one head. */
  const void *cache;
  int64_t cache_stride_block;
  int64_t cache_stride_token;

  /* int32 [segments, max_blocks]; entries of pages that no row comes from are never looked at. */
  const int32_t *block_table;
  int64_t block_table_stride;

  /* int32 [segments + 1], not falling, from 0: rows cu_k[s] to cu_k[s + 1] are segment s's. */
  const int32_t *cu_k;

  /* int32 [segments]: the position in its sequence of a segment's first row; positions up to
     first_key + cu_k[s + 1] - cu_k[s] fit its row of block_table. */
  const int32_t *first_key;

  /* bf16 [total_k, latent_dim] and [total_k, rope_dim]; 16-byte aligned, strides multiples of 8.
     Written for the rows of every segment, and for no others. */
  void *latents;
  int64_t latents_stride;
  void *rope;
  int64_t rope_stride;

  /* a cudaStream_t (CUstream); null is the default stream. */
  void *stream;
} spark_mla_gather_cache_args;

/* Version of this interface that the library was built with: SPARK_MLA_ABI_VERSION. */
SPARK_MLA_API int32_t spark_mla_abi_version(void);

/* One English sentence for a status; never null. The string lives as long as the library. */
SPARK_MLA_API const char *spark_mla_status_string(int32_t status);

/* The cudaError_t of the last SPARK_MLA_CUDA_ERROR, SPARK_MLA_NO_DRIVER or
   SPARK_MLA_UNSUPPORTED_DEVICE on the calling thread, 0 if none; and its text. */
SPARK_MLA_API int32_t spark_mla_last_cuda_error(void);
SPARK_MLA_API const char *spark_mla_last_cuda_error_string(void);

/* 1 where spark_mla_decode is built for keys of these sizes, 0 where it is not (host only). */
SPARK_MLA_API int32_t spark_mla_decode_supports(int32_t latent_dim, int32_t rope_dim);

/* 1 where spark_mla_prefill is built for keys and values of these sizes, 0 where it is not (host
   only). */
SPARK_MLA_API int32_t spark_mla_prefill_supports(int32_t nope_dim, int32_t rope_dim,
                                                 int32_t value_dim);

/* Writes the number of rows of the scheduler's table for the current device. */
SPARK_MLA_API int32_t spark_mla_decode_sm_parts(const spark_mla_decode_args *args,
                                                int32_t *num_sm_parts);

/* Writes the bytes of workspace that spark_mla_decode needs for these shapes on the current
   device, whatever the lengths turn out to be. */
SPARK_MLA_API int32_t spark_mla_decode_workspace_size(const spark_mla_decode_args *args,
                                                      size_t *bytes);

/* Reads cache_seqlens, writes metadata and num_splits. */
SPARK_MLA_API int32_t spark_mla_decode_metadata(const spark_mla_decode_args *args);

/* out = softmax(softmax_scale * q k^T) v and its lse, where a key is the latent and rope parts of a
   cached token and its value the latent part. metadata and num_splits must come from
   spark_mla_decode_metadata on the same lengths, rows, h_kv and split_policy. The same input
   gives bit-identical output. */
SPARK_MLA_API int32_t spark_mla_decode(const spark_mla_decode_args *args);

/* The same function computed plainly in float32, for any shape and dimensions, slowly: the oracle
   of tests. Writes out as float32. Needs no metadata and no workspace. */
SPARK_MLA_API int32_t spark_mla_decode_reference(const spark_mla_decode_args *args);

/* out = softmax(softmax_scale * q k^T) v over the keys that each query sees, and its lse. The same
   input gives bit-identical output. A query's result depends on its own row, the keys it sees and the
   place of the segment's first key alone: neither on the other segments nor on which queries are
   computed in the same call. A call with SPARK_MLA_MERGE leaves rows that see none of its keys as they
   are. */
SPARK_MLA_API int32_t spark_mla_prefill(const spark_mla_prefill_args *args);

/* The same function computed plainly in float32, for any dimensions, slowly: the oracle of tests.
   Writes out as float32. Takes no flags. */
SPARK_MLA_API int32_t spark_mla_prefill_reference(const spark_mla_prefill_args *args);

/* Copies rows out of the paged cache. */
SPARK_MLA_API int32_t spark_mla_gather_cache(const spark_mla_gather_cache_args *args);

#ifdef __cplusplus
}
#endif

#endif /* SPARK_MLA_H */
