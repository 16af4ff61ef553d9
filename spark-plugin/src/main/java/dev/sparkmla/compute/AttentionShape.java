package dev.sparkmla.compute;

import dev.sparkmla.kvcache.CacheShape;
import java.util.Optional;

/**
 * The sizes of one layer's multi-head latent attention (DeepSeek-V2, arXiv:2405.04434, section
 * 2.1). Immutable.
 *
 * @param heads query heads
 * @param nope elements of a head's query and key without position
 * @param value elements of a head's value
 * @param scale multiplies the scores before the softmax
 * @param growth by how much more, where that depends on the query's position
 * @param cache what is cached of a token: the latent, and the key with position that all heads
 *     share
 */
public record AttentionShape(
    int heads, int nope, int value, float scale, Optional<QueryGrowth> growth, CacheShape cache) {
  /** Elements of a head's query: without position, then with it. */
  public int queryHead() {
    return nope + cache.rope();
  }

  /** Elements of all heads' queries. */
  public int queryWidth() {
    return heads * queryHead();
  }

  /** Elements of all heads' queries in absorbed form: in the latent's space, then with position. */
  public int absorbedWidth() {
    return heads * cache.width();
  }

  /** Elements of all heads' attended latents. */
  public int latentWidth() {
    return heads * cache.latent();
  }

  /** Elements of all heads' values. */
  public int valueWidth() {
    return heads * value;
  }

  /** Elements of one head's key without position and value: rows of W_UK and W_UV of a head. */
  public int keyValueHead() {
    return nope + value;
  }

  /** Rows of {@code kv_b_proj}: W_UK and W_UV by head. */
  public int keyValueRows() {
    return heads * keyValueHead();
  }
}
