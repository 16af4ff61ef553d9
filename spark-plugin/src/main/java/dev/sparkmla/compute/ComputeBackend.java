package dev.sparkmla.compute;

import dev.sparkmla.policy.RouterPolicy;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * The operations of an MLA transformer on one machine. Everything they work on lies in the
 * backend's memory behind handles; only what must cross to the host does ({@link #tokens}, {@link
 * #read}).
 *
 * <p>A step goes {@link #plan}, {@link #run}, {@link #tokens}. The first two only enqueue work
 * where the machine has a queue, so that the next step can be planned and run before the tokens of
 * this one are known: its rows may name them by {@link Segment#previousRow}. Steps are computed in
 * the order they were run.
 *
 * <p>Arithmetic is float32 or better, sums of products among it; weights and cache hold bf16, and
 * activations what their {@link Precision} says, which every operation expects as its parameters
 * say. A row's result does not depend on the other rows of a call, up to the rounding of the
 * products. Matrices are row-major; {@code n} is the number of rows of the activation named first.
 * One thread at a time may call a backend's operations.
 *
 * <p>Operations called outside {@link #run} are computed as they come and never recorded. What is
 * closed is given back when no step uses it any more. Closing a backend ends its threads or its
 * device context; everything it handed out must be closed before.
 */
public interface ComputeBackend extends AutoCloseable {
  /** {@code cpu} or {@code cuda}. */
  String name();

  /** Whether {@link #run} returns before the step is computed. */
  boolean runsAhead();

  /** Bytes of the device's memory that are free; empty where the host's is used. */
  OptionalLong freeMemory();

  /**
   * Copies parameters in, or draws them.
   *
   * @param rows number of rows
   * @param columns number of columns
   * @param parts the elements of {@code [rows, columns]}, one part after the other
   * @throws ComputeException when there is no memory for it
   */
  Weight upload(int rows, int columns, List<WeightSource> parts);

  /**
   * Copies the experts of a layer in, or draws them.
   *
   * @param hidden columns of gate and up, rows of down
   * @param width rows of gate and up, columns of down
   * @throws ComputeException when there is no memory for it
   */
  ExpertWeights uploadExperts(int hidden, int width, List<ExpertSource> experts);

  /**
   * An activation whose elements are undefined.
   *
   * @throws ComputeException when there is no memory for it
   */
  Activation allocate(int rows, int columns, Precision precision);

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
   * activations. The segments' arrays are read before this returns.
   *
   * @param decoding segments of one token each, attended in absorbed form
   * @param prefilling segments attended in expanded form
   */
  StepPlan plan(List<Segment> decoding, List<Segment> prefilling);

  /**
   * Computes a step.
   *
   * @param forward the same object for the same computation, so that what was recorded of it is
   *     found again
   * @throws ComputeException when the step cannot be computed; it is as if not run then
   */
  void run(StepPlan plan, Forward forward);

  /**
   * Waits for a step that was run, and returns the tokens it sampled. To be called once for a plan,
   * and for earlier plans first.
   *
   * @return int32 {@code [segments that want one]}, in the order of {@link StepPlan#sampledRows}
   * @throws ComputeException when a row of logits held NaN or positive infinity
   * @throws DeviceLostException when the device has failed for good
   */
  int[] tokens(StepPlan plan);

  /**
   * {@code out[i] = table[token of row i]}.
   *
   * @param table {@code [vocabulary, hidden]}
   * @param out float32 {@code [plan.rows(), hidden]}
   */
  void embed(Weight table, StepPlan plan, Activation out);

  /**
   * {@code out = in / sqrt(mean(in²) + epsilon) * gain}, by row (Zhang and Sennrich 2019,
   * arXiv:1910.07467).
   *
   * @param in {@code [n, columns]}, of either precision
   * @param gain {@code [1, columns]}
   * @param out bf16 {@code [n, columns]}; may be {@code in}
   */
  void normalize(Activation in, Weight gain, float epsilon, Activation out);

  /**
   * {@code out = in · weightᵀ + bias}.
   *
   * @param in bf16 {@code [n, k]}
   * @param weight {@code [m, k]}
   * @param bias {@code [1, m]}
   * @param out {@code [n, m]}, of either precision; not {@code in}
   */
  void linear(Activation in, Weight weight, Optional<Weight> bias, Activation out);

  /** {@code out += in · weightᵀ + bias}; shapes as in {@link #linear}, {@code out} float32. */
  void linearAdd(Activation in, Weight weight, Optional<Weight> bias, Activation out);

  /**
   * {@code out = silu(gate) * up} (Shazeer 2020, arXiv:2002.05202).
   *
   * @param gateUp bf16 {@code [n, 2 * width]}: gate, then up
   * @param out bf16 {@code [n, width]}; not {@code gateUp}
   */
  void gatedActivation(Activation gateUp, Activation out);

  /**
   * Normalizes each row's latent as {@link #normalize} does, turns its rope key, rounds both to
   * bf16 and writes them to the row's slot of the cache.
   *
   * @param latents bf16 {@code [plan.rows(), 576]}: 512 latents, 64 rope key elements; may be
   *     replaced
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
   * q_rope[h]]} (DeepSeek-V2, section 2.1.2), with q_rope turned by the row's position.
   *
   * @param queries bf16 {@code [plan.rows(), heads * (nope + 64)]}
   * @param keyValue {@code [heads * (nope + value), 512]}: W_UK and W_UV by head
   * @param out bf16 {@code [plan.decodeRows(), heads * 576]}
   */
  void absorbQueries(
      Activation queries,
      Weight keyValue,
      int heads,
      int nope,
      Rotation rotation,
      StepPlan plan,
      Activation out);

  /**
   * Attention of the decoding rows over the cached tokens up to and with their own: {@code out[h] =
   * softmax(scale * q[h] · cacheᵀ) · latents}.
   *
   * @param absorbed bf16 {@code [plan.decodeRows(), heads * 576]}
   * @param scale multiplies the scores
   * @param out bf16 {@code [plan.decodeRows(), heads * 512]}
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
   * @param latents bf16 {@code [plan.decodeRows(), heads * 512]}
   * @param keyValue {@code [heads * (nope + value), 512]}
   * @param out bf16 {@code [plan.rows(), heads * value]}; the prefilling rows are left alone
   */
  void projectValues(
      Activation latents, Weight keyValue, int heads, int nope, StepPlan plan, Activation out);

  /**
   * Causal attention of the prefilling rows in expanded form: cached tokens, this step's among
   * them, are expanded to keys {@code [W_UK[h] · latent, rope key]} and values {@code W_UV[h] ·
   * latent} a run at a time, and the runs' softmax is merged as it goes (Dao et al. 2022,
   * arXiv:2205.14135). The result does not depend on how a prompt was cut into steps, up to
   * rounding.
   *
   * @param queries bf16 {@code [plan.rows(), heads * (nope + 64)]}; the last 64 elements of every
   *     head are to be turned by the row's position, and may be replaced
   * @param keyValue {@code [heads * (nope + value), 512]}
   * @param scale multiplies the scores
   * @param out bf16 {@code [plan.rows(), heads * value]}; the decoding rows are left alone
   */
  void prefillAttention(
      Activation queries,
      Weight keyValue,
      int heads,
      int nope,
      float scale,
      Rotation rotation,
      StepPlan plan,
      LatentCache cache,
      int layer,
      Activation out);

  /**
   * Chooses experts.
   *
   * @param logits float32 {@code [plan.rows(), experts]}
   * @param bias {@code [1, experts]}, for {@link RouterPolicy.Method#SIGMOID_BIASED} alone
   */
  Routing route(Activation logits, Optional<Weight> bias, RouterPolicy policy, StepPlan plan);

  /**
   * {@code out += sum over the chosen experts of weight * down · (silu(gate · in) * (up · in))}.
   *
   * @param in bf16 {@code [n, hidden]}
   * @param out float32 {@code [n, hidden]}
   */
  void experts(Activation in, Routing routing, ExpertWeights experts, Activation out);

  /**
   * Takes the rows that tokens are sampled from.
   *
   * @param in float32 {@code [plan.rows(), columns]}
   * @param out float32 {@code [plan.sampledRows(), columns]}
   */
  void gatherSampled(Activation in, StepPlan plan, Activation out);

  /**
   * Chooses a token for every sampled row; {@link #tokens} has them.
   *
   * @param logits float32 {@code [plan.sampledRows(), vocabulary]}
   */
  void sample(Activation logits, StepPlan plan);

  /** Waits for an activation and copies it to the host, float32 {@code [n][columns]}. */
  float[][] read(Activation activation);

  /** Ends the backend. */
  @Override
  void close();
}
