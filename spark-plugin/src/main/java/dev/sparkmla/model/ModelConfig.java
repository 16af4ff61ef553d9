package dev.sparkmla.model;

import dev.sparkmla.compute.AttentionShape;
import dev.sparkmla.compute.QueryGrowth;
import dev.sparkmla.kvcache.CacheShape;
import dev.sparkmla.policy.RouterPolicy;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.IntStream;

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
 *     a rope key of {@code qk_rope_head_dim}, which is also how much of a head's query is rotated
 *     by its position
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
 * @param queryGrowth how queries grow with their position; empty when they do not, within the
 *     context window
 * @param scales factors of the residual stream
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
    Optional<QueryGrowth> queryGrowth,
    Scales scales,
    Optional<Experts> experts,
    GenerationDefaults generation) {

  /**
   * Rotary embedding.
   *
   * @param base {@code rope_theta}
   * @param interleaved whether a pair is (2i, 2i + 1) in the checkpoint's layout, or (i, i + n / 2)
   * @param scaling context extension
   */
  public record Rope(double base, boolean interleaved, RopeScaling scaling) {
    /**
     * The angle, in radians, by which each of {@code size / 2} pairs is rotated from one position
     * to the next.
     */
    double[] inverseFrequencies(int size) {
      return IntStream.range(0, size / 2)
          .mapToDouble(pair -> scaling.inverseFrequency(base, size, pair))
          .toArray();
    }
  }

  /**
   * Constant factors of the residual stream (MiniCPM3).
   *
   * @param embedding multiplies the embedded tokens
   * @param residual multiplies what each attention and each feed-forward part adds
   * @param logits multiplies the logits
   */
  public record Scales(float embedding, float residual, float logits) {
    /** No factors. */
    public static final Scales NONE = new Scales(1, 1, 1);

    /**
     * What the embedded tokens are multiplied by where the stream is kept divided by {@code
     * residual}. So what is added to it needs no factor, and a norm over it is the same with {@link
     * #streamEpsilon}.
     */
    float streamEmbedding() {
      return embedding / residual;
    }

    /** The epsilon of a norm over the stream divided by {@code residual}. */
    float streamEpsilon(float epsilon) {
      return epsilon / (residual * residual);
    }
  }

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
    return cacheShape.bytesPerBlock(layers);
  }

  /** The sizes of every layer's attention. */
  public AttentionShape attentionShape() {
    double scale = Math.pow(nopeSize + cacheShape.rope(), -0.5);
    return new AttentionShape(
        heads,
        nopeSize,
        valueSize,
        (float) (scale * rope.scaling().softmaxFactor()),
        queryGrowth,
        cacheShape);
  }

  /** Whether a layer's feed-forward part is a mixture of experts. */
  public boolean isSparse(int layer) {
    return experts.isPresent() && layer >= experts.get().firstDenseLayers();
  }
}
