package dev.sparkmla.kvcache;

/**
 * What the paged cache holds of a token in one layer: its latent after the norm, then its rope key,
 * which all heads share (DeepSeek-V2, arXiv:2405.04434, section 2.1). Beside the layers it holds
 * each token's id once, for whatever depends on the tokens of a sequence. Immutable.
 *
 * @param latent elements of the latent ({@code kv_lora_rank})
 * @param rope elements of the rope key ({@code qk_rope_head_dim}), an even number
 * @param format how the elements are held
 * @param page tokens in a block
 */
public record CacheShape(int latent, int rope, CacheFormat format, int page) {
  /** Tokens in a block of every cache that a model makes; the CUDA kernels are built for it. */
  public static final int PAGE = 64;

  /**
   * Checks the sizes.
   *
   * @throws IllegalArgumentException if a size is less than 1, or {@code rope} is odd
   */
  public CacheShape {
    if (latent < 1 || rope < 2 || rope % 2 != 0 || page < 1) {
      throw new IllegalArgumentException(
          "a cache of latent size "
              + latent
              + ", rope size "
              + rope
              + " and pages of "
              + page
              + " tokens: latent and page must be at least 1, rope an even number of at least 2");
    }
  }

  /** The shape with bfloat16 elements and pages of {@value #PAGE} tokens. */
  public static CacheShape of(int latent, int rope) {
    return new CacheShape(latent, rope, CacheFormat.BFLOAT16, PAGE);
  }

  /** Elements of a token: the latent, then the rope key. */
  public int width() {
    return latent + rope;
  }

  /** Bytes of a token in one layer. */
  public int bytesPerToken() {
    return format.bytesPerToken(latent, rope);
  }

  /** Bytes of a block in one layer. */
  public int bytesPerBlock() {
    return page * bytesPerToken();
  }

  /** Bytes of a block in so many layers, and of its tokens' ids, int32, which stand there once. */
  public long bytesPerBlock(int layers) {
    return (long) layers * bytesPerBlock() + (long) page * Integer.BYTES;
  }

  /** The number of blocks that hold {@code tokens} tokens. */
  public int blocksFor(int tokens) {
    return blocksFor(tokens, page);
  }

  static int blocksFor(int tokens, int page) {
    return (int) (((long) tokens + page - 1) / page);
  }

  /**
   * Where a token of a sequence lies in a layer, in tokens from the layer's first.
   *
   * @param blocks the sequence's block table
   * @param position the token's position in the sequence
   */
  public int slot(int[] blocks, int position) {
    return blocks[position / page] * page + position % page;
  }
}
