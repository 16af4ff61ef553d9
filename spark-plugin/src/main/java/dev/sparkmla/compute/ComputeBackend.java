package dev.sparkmla.compute;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;

/**
 * The operations of an MLA transformer on one machine. Everything they work on lies in the
 * backend's memory behind handles; only what must cross to the host does ({@link #sample}, {@link
 * #read}).
 *
 * <p>Arithmetic is float32 or better; weights and cache hold bf16. A row's result does not depend
 * on the other rows of a call, up to the rounding of the products. Matrices are row-major; {@code
 * n} is the number of rows of the activation named first. One thread at a time may call a backend's
 * operations.
 *
 * <p>Closing a backend ends its threads or its device context; everything it handed out must be
 * closed before.
 */
public interface ComputeBackend extends AutoCloseable {
  /** {@code cpu} or {@code cuda}. */
  String name();

  /**
   * Copies parameters in.
   *
   * @param name for messages
   * @param type type of the elements of {@code data}
   * @param data little-endian, row-major {@code [rows, columns]}, from its position on
   * @throws ComputeException when there is no memory for it
   */
  Weight upload(String name, DataType type, int rows, int columns, ByteBuffer data);

  /**
   * An activation whose elements are undefined.
   *
   * @throws ComputeException when there is no memory for it
   */
  Activation allocate(int rows, int columns);

  /**
   * A cache whose elements are undefined.
   *
   * @throws ComputeException when there is no memory for it
   */
  LatentCache allocateCache(int layers, int blocks);

  /**
   * The angles of rotary embedding: pair i of a token at position p turns by {@code p *
   * inverseFrequencies[i]} (Su et al. 2021, arXiv:2104.09864).
   *
   * @param inverseFrequencies {@code [32]}
   * @param factor multiplies cosine and sine
   * @param interleaved whether pair i is elements (2i, 2i + 1), or (i, i + 32)
   * @param positions number of positions, from 0
   */
  Rotation rotation(double[] inverseFrequencies, double factor, boolean interleaved, int positions);

  /**
   * Lays out a step: the tokens of all segments, one after the other, are the rows of its
   * activations.
   *
   * @param decoding segments of one token each, attended in absorbed form
   * @param prefilling segments attended in expanded form
   */
  StepPlan plan(List<Segment> decoding, List<Segment> prefilling);

  /**
   * {@code out[i] = table[token of row i]}.
   *
   * @param table {@code [vocabulary, hidden]}
   * @param out {@code [plan.rows(), hidden]}
   */
  void embed(Weight table, StepPlan plan, Activation out);

  /**
   * {@code out = in / sqrt(mean(in²) + epsilon) * gain}, by row (Zhang and Sennrich 2019,
   * arXiv:1910.07467).
   *
   * @param in {@code [n, columns]}
   * @param gain {@code [1, columns]}
   * @param out {@code [n, columns]}; may be {@code in}
   */
  void normalize(Activation in, Weight gain, float epsilon, Activation out);

  /**
   * {@code out = in · weightᵀ + bias}.
   *
   * @param in {@code [n, k]}
   * @param weight {@code [m, k]}
   * @param bias {@code [1, m]}
   * @param out {@code [n, m]}; not {@code in}
   */
  void linear(Activation in, Weight weight, Optional<Weight> bias, Activation out);

  /** {@code out += in · weightᵀ + bias}; shapes as in {@link #linear}. */
  void linearAdd(Activation in, Weight weight, Optional<Weight> bias, Activation out);

  /**
   * {@code gate = silu(gate) * up} (Shazeer 2020, arXiv:2002.05202).
   *
   * @param gate {@code [n, width]}, replaced
   * @param up {@code [n, width]}
   */
  void gatedActivation(Activation gate, Activation up);

  /**
   * Turns the last 64 elements of every head by the row's position.
   *
   * @param queries {@code [plan.rows(), heads * (nope + 64)]}, replaced
   */
  void rotateQueries(Activation queries, int heads, Rotation rotation, StepPlan plan);

  /**
   * Normalizes each row's latent as {@link #normalize} does, turns its rope key, rounds both to
   * bf16 and writes them to the row's slot of the cache.
   *
   * @param latents {@code [plan.rows(), 576]}: 512 latents, 64 rope key elements
   * @param gain {@code [1, 512]}
   */
  void writeCache(
      Activation latents,
      Weight gain,
      float epsilon,
      Rotation rotation,
      StepPlan plan,
      LatentCache cache,
      int layer);

  /**
   * Moves the decoding rows' queries into the latent space: {@code out[h] = [q_nope[h] · W_UK[h],
   * q_rope[h]]} (DeepSeek-V2, section 2.1.2).
   *
   * @param queries {@code [plan.rows(), heads * (nope + 64)]}
   * @param keyValue {@code [heads * (nope + value), 512]}: W_UK and W_UV by head
   * @param out {@code [plan.decodeRows(), heads * 576]}
   */
  void absorbQueries(
      Activation queries, Weight keyValue, int heads, int nope, StepPlan plan, Activation out);

  /**
   * Attention of the decoding rows over the cached tokens up to and with their own: {@code out[h] =
   * softmax(scale * q[h] · cacheᵀ) · latents}.
   *
   * @param absorbed {@code [plan.decodeRows(), heads * 576]}
   * @param scale multiplies the scores
   * @param out {@code [plan.decodeRows(), heads * 512]}
   */
  void decodeAttention(
      Activation absorbed,
      int heads,
      float scale,
      StepPlan plan,
      LatentCache cache,
      int layer,
      Activation out);

  /**
   * Moves attended latents to values: {@code out[row, h] = W_UV[h] · latents[row, h]} for the
   * decoding rows.
   *
   * @param latents {@code [plan.decodeRows(), heads * 512]}
   * @param keyValue {@code [heads * (nope + value), 512]}
   * @param out {@code [plan.rows(), heads * value]}; the prefilling rows are left alone
   */
  void projectValues(
      Activation latents, Weight keyValue, int heads, int nope, StepPlan plan, Activation out);

  /**
   * Causal attention of the prefilling rows in expanded form: cached tokens, this step's among
   * them, are expanded to keys {@code [W_UK[h] · latent, rope key]} and values {@code W_UV[h] ·
   * latent} a run at a time, and the runs' softmax is merged as it goes (Dao et al. 2022,
   * arXiv:2205.14135). The result does not depend on how a prompt was cut into steps.
   *
   * @param queries {@code [plan.rows(), heads * (nope + 64)]}, already turned
   * @param keyValue {@code [heads * (nope + value), 512]}
   * @param out {@code [plan.rows(), heads * value]}; the decoding rows are left alone
   */
  void prefillAttention(
      Activation queries,
      Weight keyValue,
      int heads,
      int nope,
      float scale,
      StepPlan plan,
      LatentCache cache,
      int layer,
      Activation out);

  /**
   * Chooses experts.
   *
   * @param logits {@code [n, experts]}
   * @param bias {@code [1, experts]}, for {@link RoutingPolicy.Method#SIGMOID_BIASED} alone
   */
  Routing route(Activation logits, Optional<Weight> bias, RoutingPolicy policy);

  /**
   * {@code out += sum over the chosen experts of weight * down · (silu(gate · in) * (up · in))}.
   *
   * @param in {@code [n, hidden]}
   * @param out {@code [n, hidden]}; not {@code in}
   */
  void experts(Activation in, Routing routing, List<GatedWeights> experts, Activation out);

  /**
   * {@code out[i] = in[rows[i]]}.
   *
   * @param in {@code [n, columns]}
   * @param out {@code [rows.length, columns]}
   */
  void gather(Activation in, int[] rows, Activation out);

  /**
   * Chooses a token for every row.
   *
   * @param logits {@code [n, vocabulary]}
   * @param sampling {@code [n]}
   * @return int32 {@code [n]}
   * @throws ComputeException when a row holds NaN or positive infinity
   */
  int[] sample(Activation logits, List<Sampling> sampling);

  /** Copies an activation to the host, float32 {@code [n][columns]}. */
  float[][] read(Activation activation);

  /** Ends the backend. */
  @Override
  void close();
}
