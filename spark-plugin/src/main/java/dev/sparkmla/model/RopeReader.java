package dev.sparkmla.model;

import dev.sparkmla.compute.QueryGrowth;
import dev.sparkmla.model.Architecture.Trait;
import dev.sparkmla.model.ModelConfig.Rope;
import java.util.List;
import java.util.Optional;

/** What config.json says of positions: rotary embedding, its stretching, growing queries. */
final class RopeReader {
  private final JsonFields fields;
  private final Architecture architecture;
  private final int ropeSize;
  private final int headSize;
  private final int contextWindow;

  /** The object that says how the rope is stretched; where there is none, {@link #fields}. */
  private final JsonFields parameters;

  /**
   * Reads the text model's keys.
   *
   * @param ropeSize elements of a head's query that are rotated, even
   * @param headSize elements of a head's query
   */
  RopeReader(
      JsonFields fields, Architecture architecture, int ropeSize, int headSize, int contextWindow) {
    this.fields = fields;
    this.architecture = architecture;
    this.ropeSize = ropeSize;
    this.headSize = headSize;
    this.contextWindow = contextWindow;
    // The older spelling wins where both are given, as it does in transformers.
    this.parameters =
        fields
            .object("rope_scaling")
            .filter(scaling -> scaling.keys().hasNext())
            .or(() -> fields.object("rope_parameters"))
            .orElse(fields);
  }

  /** The rotary embedding. */
  Rope rope() {
    double base =
        parameters.number("rope_theta", fields.number("rope_theta", 10_000, 1, 1e12), 1, 1e12);
    refusePartialRotation();
    boolean interleaved =
        architecture.has(Trait.ROPE_INTERLEAVED)
            || !architecture.has(Trait.ROPE_IN_HALVES) && fields.flag("rope_interleave", true);
    return new Rope(base, interleaved, scaling());
  }

  /** The rope's part of a head is rotated as a whole. */
  private void refusePartialRotation() {
    String key = "partial_rotary_factor";
    double whole = architecture.has(Trait.ROPE_OF_HEAD) ? (double) ropeSize / headSize : 1;
    double rotated = parameters.number(key, fields.number(key, whole, 0, 1), 0, 1);
    if (rotated != whole) {
      throw parameters.wrong(key, rotated, String.valueOf(whole));
    }
  }

  private RopeScaling scaling() {
    if (parameters == fields) {
      return new RopeScaling.None();
    }
    String type = parameters.string("rope_type", parameters.string("type", "default"));
    return switch (type) {
      case "default" -> new RopeScaling.None();
      case "linear" -> new RopeScaling.Linear(factor());
      case "longrope" -> longRope();
      case "yarn" -> yarn();
      default -> throw parameters.wrong("rope_type", type, "default, linear, longrope or yarn");
    };
  }

  private double factor() {
    if (!parameters.has("factor")) {
      throw parameters.wrong("factor", null, "a number of at least 1");
    }
    return parameters.number("factor", 1, 1, 1e6);
  }

  private int originalContext() {
    String key = "original_max_position_embeddings";
    return fields.has(key)
        ? fields.integer(key, 1, Integer.MAX_VALUE)
        : parameters.integer(key, contextWindow, 1, Integer.MAX_VALUE);
  }

  /**
   * The long factors where the context window is longer than the original one, else the short ones,
   * as in vLLM. (In transformers a sequence changes from one to the other while it grows, which
   * would turn keys that are cached already.)
   */
  private RopeScaling longRope() {
    int original = originalContext();
    double factor = parameters.number("factor", (double) contextWindow / original, 0, 1e6);
    double attentionFactor =
        factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(Math.max(2, original)));
    String key = contextWindow > original ? "long_factor" : "short_factor";
    List<Double> factors = parameters.numbers(key, ropeSize / 2, 1e-6, 1e6);
    return new RopeScaling.LongRope(
        factors, parameters.number("attention_factor", attentionFactor, 0, 1e3));
  }

  /** How queries grow with their position, where they do within the context window. */
  Optional<QueryGrowth> queryGrowth() {
    if (!architecture.has(Trait.GROWING_QUERIES)) {
      return Optional.empty();
    }
    String key = "llama_4_scaling_beta";
    if (!parameters.has(key)) {
      throw parameters.wrong(key, null, "a number; 0 where queries do not grow");
    }
    double coefficient = parameters.number(key, 0, 0, 1e3);
    int period = originalContext();
    return coefficient == 0 || contextWindow <= period
        ? Optional.empty()
        : Optional.of(new QueryGrowth(coefficient, period));
  }

  private RopeScaling yarn() {
    double factor = factor();
    double mscale = parameters.number("mscale", 0, 0, 1e3);
    double mscaleAllDim = parameters.number("mscale_all_dim", 0, 0, 1e3);
    double attentionFactor =
        mscale != 0 && mscaleAllDim != 0
            ? temperature(factor, mscale) / temperature(factor, mscaleAllDim)
            : temperature(factor, 1);
    // Mistral's own format has apply_scale = false for this, and spells it as two equal mscales.
    boolean plainSoftmax = mscaleAllDim == 0 || architecture.has(Trait.PLAIN_SOFTMAX);
    double softmaxFactor = plainSoftmax ? 1 : Math.pow(temperature(factor, mscaleAllDim), 2);
    return new RopeScaling.Yarn(
        factor,
        originalContext(),
        positiveOr("beta_fast", 32),
        positiveOr("beta_slow", 1),
        parameters.flag("truncate", true),
        parameters.number("attention_factor", attentionFactor, 0, 1e3),
        softmaxFactor);
  }

  private double positiveOr(String key, double absentOrZero) {
    double value = parameters.number(key, absentOrZero, 0, 1e6);
    return value == 0 ? absentOrZero : value;
  }

  /** YaRN's attention temperature, section 3.4 of the paper, with DeepSeek's coefficient. */
  private static double temperature(double factor, double coefficient) {
    return factor <= 1 ? 1 : 0.1 * coefficient * Math.log(factor) + 1;
  }
}
