package dev.sparkmla.compute;

import dev.sparkmla.kvcache.CacheShape;
import dev.sparkmla.policy.Constraint;
import dev.sparkmla.policy.RouterPolicy;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/**
 * The operations of an MLA transformer on one machine. Everything they work on lies in the
 * backend's memory behind handles; only what must cross to the host does ({@link #tokens}, {@link
 * #read}).
 *
 * <p>A step goes {@link #plan}, {@link #run}, {@link #tokens}. The first two only enqueue work
 * where the machine has a queue, so that the next step can be planned and run before the tokens of
 * this one are known: its segments may name them by {@link Segment.Tokens.Sampled}. Steps are
 * computed in the order they were run.
 *
 * <p>Arithmetic is float32 or better, the sums of a GEMM among it; weights and cache hold what
 * their formats say, and activations what their {@link Precision} says, which every operation
 * expects as its parameters say. Matrices are row-major; {@code n} is the number of rows of the
 * activation named first. One thread at a time may call a backend's operations.
 *
 * <p>On the same machine a token's result is the same, bit for bit, whatever other rows its step
 * has, for the same role, position, token and cached context; of a prompt's token also however the
 * prompt is cut into segments. The two roles round differently, and so do machines for which a
 * library chooses other kernels.
 *
 * <p>Operations called outside {@link #run} are computed as they come and never recorded. What is
 * closed is freed when no step uses it any more. Closing a backend ends its threads or its device
 * context; everything it handed out must be closed before.
 */
public interface ComputeBackend extends AutoCloseable {
  /** {@code cpu} or {@code cuda}. */
  String name();

  /** Whether {@link #run} returns before the step is computed. */
  boolean runsAhead();

  /**
   * Refuses attention that this backend cannot compute.
   *
   * @throws ComputeException naming the sizes and those that are supported
   */
  void requireSupported(AttentionShape shape);

  /** Bytes of the device's memory that may still be taken; empty where the host's is used. */
  OptionalLong freeMemory();

  /**
   * Takes the memory that steps within limits need beside weights and cache, so that what {@link
   * #freeMemory} says afterwards can be given to the cache: no later step within the limits takes
   * any. A backend over the host's memory takes none beforehand. No step may be pending.
   *
   * @param forward computes a step over a cache of at least one block; it is called for some steps
   *     whose tokens all lie in block 0, and what it computes is thrown away
   * @throws ComputeException when there is not as much memory
   */
  void reserve(StepLimits limits, Forward forward);

  /**
   * Copies matrices in for {@link #linear} and {@link #linearAdd}, one below the other; each keeps
   * its format, or gets the one that the backend holds instead.
   *
   * @param parts at least one, all of as many columns
   * @throws ComputeException when there is no memory for it, or the backend has no GEMM for it
   */
  Weight uploadLinear(List<MatrixSource> parts);

  /**
   * Copies a matrix in for any operation. Where the others of a backend take fewer formats than
   * {@link #linear}, it is held in one of those.
   *
   * @throws ComputeException when there is no memory for it
   */
  Weight uploadMatrix(MatrixSource source);

  /**
   * Copies vectors in, one after the other.
   *
   * @throws ComputeException when there is no memory for it
   */
  WeightVector uploadVector(List<Tensor> parts);

  /**
   * Copies the experts of a layer in.
   *
   * @param experts at least one, all of the same sizes
   * @throws ComputeException when there is no memory for it
   */
  ExpertWeights uploadExperts(List<GatedSource> experts);

  /**
   * Takes in what rows can be constrained by. All constraints are of one vocabulary.
   *
   * @return empty when there is no room for it until another one is closed; the largest automaton
   *     finds room when no other table is open
   */
  Optional<ConstraintTable> constrain(Constraint constraint);

  /**
   * An activation whose elements are undefined. Activations and routings are closed in the opposite
   * order in which they were made, as try-with-resources does.
   *
   * @throws ComputeException when there is no memory for it
   */
  default Activation allocate(int rows, int columns, Precision precision) {
    return allocate(rows, columns, Set.of(precision));
  }

  /**
   * The same for several readers: what is written to it is held in all these ways.
   *
   * @param precisions at least one; {@link Precision#FLOAT8} and {@link Precision#BFLOAT16} go
   *     together, {@link Precision#FLOAT32} goes alone
   */
  Activation allocate(int rows, int columns, Set<Precision> precisions);

  /**
   * A cache whose elements are undefined.
   *
   * @throws ComputeException when there is no memory for it
   */
  LatentCache allocateCache(CacheShape shape, int layers, int blocks);

  /**
   * The angles of rotary embedding: pair i of a token at position p is rotated by {@code p *
   * inverseFrequencies[i]} (Su et al. 2021, arXiv:2104.09864).
   *
   * @param inverseFrequencies {@code [n]}, n pairs of the rope's 2n elements
   * @param factor multiplies cosine and sine
   * @param interleaved whether pair i is elements (2i, 2i + 1), or (i, i + n)
   * @param positions number of positions, from 0
   */
  Rotation rotation(double[] inverseFrequencies, double factor, boolean interleaved, int positions);

  /**
   * Lays out a step: the tokens of all segments are the rows of its activations, those that decode
   * first. The segments are read before this returns. Tokens of the step before that they name are
   * those of the step that was run last.
   *
   * @param segments at least one, those that decode before those that prefill; no two write the
   *     same place of the cache
   */
  StepPlan plan(List<Segment> segments);

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
   * @throws ComputeException when the step failed; the steps run after it may have failed with it
   * @throws DeviceLostException when the device has failed for good
   */
  SampledTokens tokens(StepPlan plan);

  /**
   * {@code out[i] = scale * table[token of row i]}.
   *
   * @param table {@code [vocabulary, hidden]}
   * @param out float32 {@code [plan.rows(), hidden]}
   */
  void embed(Weight table, float scale, StepPlan plan, Activation out);

  /**
   * Writes the ids of the step's tokens to their places in the cache, from where {@link #sample}
   * knows what stands before a sampled row.
   */
  void writeTokens(StepPlan plan, LatentCache cache);

  /**
   * RMSNorm: {@code out = in / sqrt(mean(in²) + epsilon) * gain}, by row (Zhang and Sennrich 2019,
   * arXiv:1910.07467).
   *
   * @param in {@code [n, columns]}, bf16 or float32
   * @param gain {@code [columns]}
   * @param out {@code [n, columns]}, bf16, in 8 bits or both; may be {@code in}
   */
  void normalize(Activation in, WeightVector gain, float epsilon, Activation out);

  /**
   * {@code out = in · weightᵀ + bias}. With rows in 8 bits a backend may quantize {@code in} too,
   * each of its rows by itself; so may {@link #linearAdd} and {@link #experts}.
   *
   * @param in {@code [n, k]}, bf16, or in 8 bits where {@link Weight#inputs} has no other
   * @param weight {@code [m, k]}
   * @param bias {@code [m]}
   * @param out {@code [n, m]}, bf16 or float32; not {@code in}
   */
  void linear(Activation in, Weight weight, Optional<WeightVector> bias, Activation out);

  /** {@code out += in · weightᵀ + bias}; shapes as in {@link #linear}, {@code out} float32. */
  void linearAdd(Activation in, Weight weight, Optional<WeightVector> bias, Activation out);

  /**
   * {@code out = silu(gate) * up}, of SwiGLU (Shazeer 2020, arXiv:2002.05202).
   *
   * @param gateUp bf16 {@code [n, 2 * width]}: gate, then up
   * @param out {@code [n, width]}, bf16, in 8 bits or both; not {@code gateUp}
   */
  void gatedActivation(Activation gateUp, Activation out);

  /**
   * Normalizes each row's latent as {@link #normalize} does, rotates its rope key, rounds both to
   * bf16 and writes them to the row's slot of the cache.
   *
   * @param latents bf16 {@code [plan.rows(), latent + rope]}; may be replaced
   */
  void writeCache(Activation latents, LatentAttention attention, StepPlan plan, LatentCache cache);

  /**
   * Writes the cache as {@link #writeCache} does, and moves the decoding rows' queries into the
   * latent space: {@code out[h] = [q_nope[h] · W_UK[h], q_rope[h]]} (DeepSeek-V2, section 2.1.2),
   * with q_rope rotated by the row's position and both multiplied by {@link
   * AttentionShape#growth}'s factor at it.
   *
   * @param latents as in {@link #writeCache}
   * @param queries bf16 {@code [plan.rows(), heads * (nope + rope)]}
   * @param out bf16 {@code [plan.decodeRows(), heads * (latent + rope)]}
   */
  void writeCacheAndAbsorb(
      Activation latents,
      Activation queries,
      LatentAttention attention,
      StepPlan plan,
      LatentCache cache,
      Activation out);

  /**
   * Attention of the decoding rows over the cached tokens up to and with their own: {@code out[h] =
   * softmax(scale * q[h] · cacheᵀ) · latents}.
   *
   * @param absorbed bf16 {@code [plan.decodeRows(), heads * (latent + rope)]}
   * @param out bf16 {@code [plan.decodeRows(), heads * latent]}
   */
  void decodeAttention(
      Activation absorbed,
      LatentAttention attention,
      StepPlan plan,
      LatentCache cache,
      Activation out);

  /**
   * Moves attended latents to values: {@code out[row, h] = W_UV[h] · latents[row, h]} for the
   * decoding rows.
   *
   * @param latents bf16 {@code [plan.decodeRows(), heads * latent]}
   * @param out bf16 {@code [plan.rows(), heads * value]}; the prefilling rows are left alone
   */
  void projectValues(Activation latents, LatentAttention attention, StepPlan plan, Activation out);

  /**
   * Causal attention of the prefilling rows in expanded form: cached tokens, this step's among
   * them, are expanded to keys {@code [W_UK[h] · latent, rope key]} and values {@code W_UV[h] ·
   * latent}, a part of the context at a time, and the parts' softmax is merged as it goes (Dao et
   * al. 2022, arXiv:2205.14135). The context is cut at absolute positions: the result is the same,
   * bit for bit, however a prompt was cut into steps.
   *
   * @param queries bf16 {@code [plan.rows(), heads * (nope + rope)]}; the last elements of every
   *     head are to be rotated by the row's position, and may be replaced; all of them grow with it
   *     where the shape says so
   * @param out bf16 {@code [plan.rows(), heads * value]}; the decoding rows are left alone
   */
  void prefillAttention(
      Activation queries,
      LatentAttention attention,
      StepPlan plan,
      LatentCache cache,
      Activation out);

  /**
   * Chooses experts by the logits {@code in · routerᵀ}, float32, and may bring their rows together.
   * A backend may do it beside what is asked of it afterwards, so {@code in} must stay as it is
   * until the routing is closed.
   *
   * @param in bf16 {@code [plan.rows(), hidden]}, in 8 bits besides or not
   * @param router {@code [experts, hidden]}
   * @param bias {@code [experts]}, for {@link RouterPolicy.Method#SIGMOID_BIASED} alone
   * @param experts must outlive the routing
   */
  Routing route(
      Activation in,
      Weight router,
      Optional<WeightVector> bias,
      RouterPolicy policy,
      ExpertWeights experts,
      StepPlan plan);

  /**
   * {@code out += sum over the chosen experts of weight * down · (silu(gate · in) * (up · in))},
   * for the rows {@code in} of a routing.
   *
   * @param routing is used up
   * @param out float32 {@code [n, hidden]}
   */
  void experts(Routing routing, Activation out);

  /**
   * {@link #experts} and {@link #normalize} of their sum.
   *
   * @param out as in {@link #experts}
   * @param gain {@code [hidden]}
   * @param normed as the result of {@link #normalize}
   */
  default void expertsAndNormalize(
      Routing routing, Activation out, WeightVector gain, float epsilon, Activation normed) {
    experts(routing, out);
    normalize(out, gain, epsilon, normed);
  }

  /**
   * Copies the rows that tokens are sampled from.
   *
   * @param in float32 {@code [plan.rows(), columns]}
   * @param out float32 {@code [plan.sampledRows(), columns]}
   */
  void gatherSampled(Activation in, StepPlan plan, Activation out);

  /**
   * Processes the logits of the sampled rows that ask for it, and chooses a token for every one;
   * {@link #tokens} has them.
   *
   * @param logits float32 {@code [plan.sampledRows(), vocabulary]}; may be replaced
   * @param cache where {@link #writeTokens} wrote the tokens of this step and of those before
   */
  void sample(Activation logits, StepPlan plan, LatentCache cache);

  /** Waits for an activation and copies it to the host, float32 {@code [n][columns]}. */
  float[][] read(Activation activation);

  /** Ends the backend. */
  @Override
  void close();
}
