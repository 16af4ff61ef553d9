package dev.sparkmla.model;

/**
 * How many parameters a model has, without norms and biases.
 *
 * @param config the model's sizes
 */
public record ParameterCount(ModelConfig config) {
  /** All of them. */
  public long all() {
    long routed = config.experts().map(mixture -> mixture.router().experts()).orElse(0);
    return matrices(routed)
        + (config.tiedEmbedding() ? 1L : 2L) * config.vocabularySize() * config.hiddenSize();
  }

  /** Those that take part in computing one token, without the embedding. */
  public long active() {
    long chosen = config.experts().map(mixture -> mixture.router().perToken()).orElse(0);
    return matrices(chosen) + (long) config.vocabularySize() * config.hiddenSize();
  }

  /** Parameters of all layers, with so many routed experts in each. */
  private long matrices(long routed) {
    int hidden = config.hiddenSize();
    long latent = config.cacheShape().latent();
    long queries = (long) config.heads() * (config.nopeSize() + config.cacheShape().rope());
    long attention =
        (config.queryRank().isPresent()
                ? config.queryRank().getAsInt() * (hidden + queries)
                : hidden * queries)
            + (long) hidden * config.cacheShape().width()
            + latent * config.heads() * (config.nopeSize() + config.valueSize())
            + (long) config.heads() * config.valueSize() * hidden;
    long sum = config.layers() * attention;
    for (int layer = 0; layer < config.layers(); layer++) {
      long width = config.intermediateSize();
      if (config.isSparse(layer)) {
        ModelConfig.Experts mixture = config.experts().orElseThrow();
        width = (routed + mixture.shared()) * mixture.intermediateSize();
        sum += (long) mixture.router().experts() * hidden;
      }
      sum += 3 * width * hidden;
    }
    return sum;
  }
}
