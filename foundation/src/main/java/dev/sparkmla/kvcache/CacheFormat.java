package dev.sparkmla.kvcache;

/** How the elements of a cached token are held. */
public enum CacheFormat {
  /** Latent and rope key in bfloat16, one after the other. */
  BFLOAT16 {
    @Override
    public int bytesPerToken(int latent, int rope) {
      return (latent + rope) * Short.BYTES;
    }
  };

  /**
   * Bytes that one token takes in one layer.
   *
   * @param latent elements of the token's latent
   * @param rope elements of its rope key
   */
  public abstract int bytesPerToken(int latent, int rope);
}
