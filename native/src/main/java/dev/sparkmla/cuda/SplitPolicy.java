package dev.sparkmla.cuda;

/**
 * Where decode cuts sequences into splits, which different multiprocessors compute and which are
 * then merged.
 */
public enum SplitPolicy {
  /**
   * Where it makes all multiprocessors finish together: the fastest. The last bits of a sequence's
   * result may then depend on what else is in the batch.
   */
  BALANCED(NativeDecode.SPLIT_BALANCED),

  /**
   * By the sequence's own length and the query rows of a token ({@link MlaShape#queryTokens},
   * {@link MlaShape#queryHeads}, {@link MlaShape#kvHeads}) alone. A sequence's result is
   * bit-identical alone, in every batch, beside rows of length 0 and with every width of the block
   * table.
   */
  BY_LENGTH(NativeDecode.SPLIT_BY_LENGTH);

  private final int code;

  SplitPolicy(int code) {
    this.code = code;
  }

  /** As spark_mla.h numbers it. */
  int code() {
    return code;
  }
}
