package dev.sparkmla.compute;

/**
 * The paged cache of all layers, bf16 {@code [layers][blocks][64][576]}: of each token 512 latents
 * after their norm, then 64 rope key elements, shared by all heads (DeepSeek-V2, arXiv:2405.04434,
 * section 2.1). Its owner is who allocated it.
 */
public interface LatentCache extends AutoCloseable {
  /** Tokens in a block. */
  int BLOCK_TOKENS = 64;

  /** Width of a token's latent. */
  int LATENT = 512;

  /** Width of a token's rope key. */
  int ROPE = 64;

  /** Elements of a token. */
  int WIDTH = LATENT + ROPE;

  /** Number of layers. */
  int layers();

  /** Number of blocks of every layer. */
  int blocks();

  /** Gives the memory back. */
  @Override
  void close();
}
