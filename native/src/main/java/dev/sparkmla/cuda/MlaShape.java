package dev.sparkmla.cuda;

/**
 * The sizes of one decode step, everything that its scheduler and workspace depend on besides the
 * lengths.
 *
 * @param batch sequences
 * @param queryTokens query tokens of each sequence (s_q): 1, more for speculative decoding
 * @param queryHeads h_q, a multiple of {@code kvHeads}
 * @param kvHeads h_kv, 1 in MLA models
 * @param latentDim elements of a token's latent part, which is also its value
 * @param ropeDim elements of its rope part
 * @param maxBlocks columns of the block table, pages of {@link MlaDecode#PAGE_TOKENS} tokens that a
 *     sequence may hold
 * @param splits where sequences are cut
 */
public record MlaShape(
    int batch,
    int queryTokens,
    int queryHeads,
    int kvHeads,
    int latentDim,
    int ropeDim,
    int maxBlocks,
    SplitPolicy splits) {
  private static final int LARGEST_GRID = 65535;

  /**
   * @throws CudaArgumentException naming the value that is out of range
   */
  public MlaShape {
    CudaArgumentException.require(
        batch >= 1 && batch <= LARGEST_GRID, "batch must be 1 to 65535, is %d", batch);
    CudaArgumentException.require(
        queryTokens >= 1, "query tokens (s_q) must be at least 1, are %d", queryTokens);
    CudaArgumentException.require(
        queryHeads >= 1, "query heads (h_q) must be at least 1, are %d", queryHeads);
    CudaArgumentException.require(
        kvHeads >= 1 && kvHeads <= LARGEST_GRID,
        "key/value heads (h_kv) must be 1 to 65535, are %d",
        kvHeads);
    CudaArgumentException.require(
        queryHeads % kvHeads == 0,
        "query heads (h_q = %d) must be a multiple of key/value heads (h_kv = %d)",
        queryHeads,
        kvHeads);
    CudaArgumentException.require(
        (long) queryTokens * (queryHeads / kvHeads) <= 65536,
        "s_q * h_q / h_kv must be at most 65536, is %d",
        (long) queryTokens * (queryHeads / kvHeads));
    CudaArgumentException.require(
        latentDim >= 1, "latent dimension must be positive, is %d", latentDim);
    CudaArgumentException.require(ropeDim >= 1, "rope dimension must be positive, is %d", ropeDim);
    CudaArgumentException.require(
        maxBlocks >= 1 && maxBlocks <= Integer.MAX_VALUE / MlaDecode.PAGE_TOKENS,
        "columns of the block table must be 1 to %d, are %d",
        Integer.MAX_VALUE / MlaDecode.PAGE_TOKENS,
        maxBlocks);
  }

  /** The same sizes, cut otherwise. */
  MlaShape withSplits(SplitPolicy other) {
    return new MlaShape(
        batch, queryTokens, queryHeads, kvHeads, latentDim, ropeDim, maxBlocks, other);
  }

  /** Elements of a query or key: the latent and the rope part. */
  public int keyDim() {
    return latentDim + ropeDim;
  }

  /** Tokens that a row of the block table has room for. */
  public int maxTokens() {
    return maxBlocks * MlaDecode.PAGE_TOKENS;
  }

  /**
   * Checks lengths against this shape.
   *
   * @param cacheSeqlens tokens of each sequence in the cache, this step's included
   * @throws CudaArgumentException naming the sequence and its length
   */
  public void checkLengths(int[] cacheSeqlens) {
    CudaArgumentException.require(
        cacheSeqlens.length == batch,
        "%d lengths for a batch of %d sequences",
        cacheSeqlens.length,
        batch);
    for (int sequence = 0; sequence < batch; sequence++) {
      int length = cacheSeqlens[sequence];
      CudaArgumentException.require(
          length >= 0, "sequence %d has a negative length, %d", sequence, length);
      CudaArgumentException.require(
          length <= maxTokens(),
          "sequence %d has %d tokens, but the block table's %d columns hold %d",
          sequence,
          length,
          maxBlocks,
          maxTokens());
    }
  }
}
