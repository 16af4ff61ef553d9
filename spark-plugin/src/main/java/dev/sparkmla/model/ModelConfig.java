package dev.sparkmla.model;

import dev.sparkmla.compute.AttentionShape;
import dev.sparkmla.kvcache.CacheShape;
import dev.sparkmla.policy.RouterPolicy;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * The sizes and options of an MLA model, from config.json, after defaults and spellings are
 * resolved, and how its owner generates with it. Immutable.
 *
 * @param architecture the first entry of {@code architectures}
 * @param vocabularySize rows of the embedding
 * @param hiddenSize width of the residual stream
 * @param layers number of decoder layers
 * @param heads query heads
 * @param queryRank {@code q_lora_rank}; empty when queries are projected directly
 * @param cacheShape what the cache holds of a token: a latent of {@code kv_lora_rank} elements and
 *     a rope key of {@code qk_rope_head_dim}, which is also how much of a head's query is turned by
 *     its position
 * @param nopeSize per-head query and key width without position
 * @param valueSize per-head value width
 * @param attentionBias whether {@code q_a_proj}, {@code kv_a_proj_with_mqa} and {@code o_proj}
 *     carry biases; {@code q_proj}, {@code q_b_proj} and {@code kv_b_proj} never do
 * @param intermediateSize width of a dense layer's gated activation
 * @param normEpsilon epsilon of the RMS norms of the residual stream
 * @param latentNormEpsilon epsilon of the RMS norms of the query and key/value latents: 1e-6 in
 *     every architecture, whatever {@code rms_norm_eps} says
 * @param tiedEmbedding whether the output projection is the embedding
 * @param contextWindow {@code max_position_embeddings}
 * @param rope the rotary embedding
 * @param experts the mixture of experts; empty when every layer is dense
 * @param generation what holds for requests that say nothing else
 */
public record ModelConfig(
    Architecture architecture,
    int vocabularySize,
    int hiddenSize,
    int layers,
    int heads,
    OptionalInt queryRank,
    CacheShape cacheShape,
    int nopeSize,
    int valueSize,
    boolean attentionBias,
    int intermediateSize,
    float normEpsilon,
    float latentNormEpsilon,
    boolean tiedEmbedding,
    int contextWindow,
    Rope rope,
    Optional<Experts> experts,
    GenerationDefaults generation) {

  /** The supported architectures; their names are those of config.json. */
  public enum Architecture {
    /** DeepSeek-V2 and V2-Lite. */
    DeepseekV2ForCausalLM,
    /** DeepSeek-V3, R1 and Moonlight. */
    DeepseekV3ForCausalLM,
    /** GLM-4.7-Flash. */
    Glm4MoeLiteForCausalLM,
    /** Youtu-LLM; dense. */
    YoutuForCausalLM
  }

  /**
   * Rotary embedding.
   *
   * @param base {@code rope_theta}
   * @param interleaved whether a pair is (2i, 2i + 1) in the checkpoint's layout, or (i, i + n / 2)
   * @param yarn context extension; empty for plain rope
   */
  public record Rope(double base, boolean interleaved, Optional<Yarn> yarn) {}

  /**
   * YaRN (Peng et al. 2023, arXiv:2309.00071) as DeepSeek's models use it. With n the rope size,
   * pair i turns by {@code position * (interpolated * ramp + extrapolated * (1 - ramp))}, where
   * {@code extrapolated = base^(-2i/n)}, {@code interpolated = extrapolated / factor}, {@code ramp
   * = clamp((i - low) / (high - low), 0, 1)}, {@code low = max(dimension(betaFast), 0)}, {@code
   * high = min(dimension(betaSlow), n - 1)} (0.001 more where they are equal) and {@code
   * dimension(r) = n ln(originalContext / (2 pi r)) / (2 ln base)}.
   *
   * @param factor extension factor
   * @param originalContext context window before the extension
   * @param betaFast rotations above which a dimension is not interpolated
   * @param betaSlow rotations below which a dimension is fully interpolated
   * @param truncated whether low is rounded down and high up
   * @param attentionFactor multiplies the cosines and sines
   * @param softmaxFactor multiplies the softmax scale {@code (nope + rope)^-0.5}
   */
  public record Yarn(
      double factor,
      int originalContext,
      double betaFast,
      double betaSlow,
      boolean truncated,
      double attentionFactor,
      double softmaxFactor) {}

  /**
   * Mixture of experts.
   *
   * @param router how the routed experts are chosen and weighted, and how many there are
   * @param shared number of shared experts, fused into one of their summed width; 0 for none
   * @param intermediateSize width of one expert's gated activation
   * @param firstDenseLayers leading layers that are dense
   */
  public record Experts(
      RouterPolicy router, int shared, int intermediateSize, int firstDenseLayers) {}

  /**
   * Reads config.json and generation_config.json.
   *
   * @param folder the model folder
   * @throws ModelFormatException when config.json is missing, a file is not JSON, names an
   *     architecture or an option that is not supported, or contradicts itself
   */
  public static ModelConfig read(Path folder) {
    return ConfigReader.read(folder);
  }

  /** Bytes of one block of the cache, over all layers. */
  public long cacheBlockBytes() {
    return (long) layers * cacheShape.bytesPerBlock();
  }

  /** The sizes of every layer's attention. */
  public AttentionShape attentionShape() {
    double scale = Math.pow(nopeSize + cacheShape.rope(), -0.5);
    double factor = rope.yarn().map(Yarn::softmaxFactor).orElse(1.0);
    return new AttentionShape(heads, nopeSize, valueSize, (float) (scale * factor), cacheShape);
  }

  /** Number of parameters, without norms and biases. */
  public long parameters() {
    long routed = experts.map(mixture -> mixture.router().experts()).orElse(0);
    return matrices(routed) + (tiedEmbedding ? 1L : 2L) * vocabularySize * hiddenSize;
  }

  /** Number of parameters that take part in computing one token, without the embedding. */
  public long activeParameters() {
    long chosen = experts.map(mixture -> mixture.router().perToken()).orElse(0);
    return matrices(chosen) + (long) vocabularySize * hiddenSize;
  }

  /** Parameters of all layers, with so many routed experts in each. */
  private long matrices(long routed) {
    long queries = (long) heads * (nopeSize + cacheShape.rope());
    long attention =
        (queryRank.isPresent()
                ? queryRank.getAsInt() * (hiddenSize + queries)
                : hiddenSize * queries)
            + (long) hiddenSize * cacheShape.width()
            + (long) cacheShape.latent() * heads * (nopeSize + valueSize)
            + (long) heads * valueSize * hiddenSize;
    long sum = layers * attention;
    for (int layer = 0; layer < layers; layer++) {
      long width = intermediateSize;
      if (isSparse(layer)) {
        Experts mixture = experts.orElseThrow();
        width = (routed + mixture.shared()) * mixture.intermediateSize();
        sum += (long) mixture.router().experts() * hiddenSize;
      }
      sum += 3 * width * hiddenSize;
    }
    return sum;
  }

  /** Whether a layer's feed-forward part is a mixture of experts. */
  public boolean isSparse(int layer) {
    return experts.isPresent() && layer >= experts.get().firstDenseLayers();
  }
}
