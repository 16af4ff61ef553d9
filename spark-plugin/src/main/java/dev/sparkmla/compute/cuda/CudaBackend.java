package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.AttentionShape;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ComputeException;
import dev.sparkmla.compute.ExpertWeights;
import dev.sparkmla.compute.Forward;
import dev.sparkmla.compute.GatedSource;
import dev.sparkmla.compute.LatentCache;
import dev.sparkmla.compute.MatrixSource;
import dev.sparkmla.compute.Precision;
import dev.sparkmla.compute.Resources;
import dev.sparkmla.compute.Rotation;
import dev.sparkmla.compute.Routing;
import dev.sparkmla.compute.SampledTokens;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.StepLimits;
import dev.sparkmla.compute.StepPlan;
import dev.sparkmla.compute.Tensor;
import dev.sparkmla.compute.Weight;
import dev.sparkmla.compute.WeightFormat;
import dev.sparkmla.compute.WeightVector;
import dev.sparkmla.cuda.DeviceBuffer;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;
import dev.sparkmla.cuda.ExpertsShape;
import dev.sparkmla.cuda.GpuDevice;
import dev.sparkmla.cuda.RotaryEmbedding;
import dev.sparkmla.kvcache.CacheShape;
import dev.sparkmla.policy.RouterPolicy;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Computes on one Hopper GPU. Weights are bf16 (vectors float32), GEMMs take bf16 and add in
 * float32, the residual stream, router logits and logits are float32. Everything is enqueued on one
 * stream; a step that only decodes is padded to the next bucket and, from its second time on,
 * replayed as one graph.
 *
 * <p>Any number of instances may be open in a process, one or more for each device. What belongs to
 * the device is owned by {@link CudaDevice}; here are the operations over it.
 */
public final class CudaBackend implements ComputeBackend {
  private final CudaDevice device;

  /**
   * Opens a device.
   *
   * @throws dev.sparkmla.cuda.CudaUnavailableException where the device is not a Hopper GPU, or a
   *     library is missing
   * @throws ComputeException when it has no memory for the little that is needed
   */
  public CudaBackend(GpuDevice device) {
    this.device = new CudaDevice(device);
  }

  @Override
  public String name() {
    return "cuda";
  }

  @Override
  public boolean runsAhead() {
    return true;
  }

  /** The device, for tests. */
  CudaDevice device() {
    return device;
  }

  @Override
  public void requireSupported(AttentionShape shape) {
    device.attention.requireSupported(shape);
  }

  @Override
  public OptionalLong freeMemory() {
    return OptionalLong.of(device.freeMemory());
  }

  @Override
  public void reserve(StepLimits limits, Forward forward) {
    device.reserve(limits, forward);
  }

  @Override
  public Weight uploadMatrix(List<MatrixSource> parts) {
    int rowCount = MatrixSource.stackedRows(parts);
    Resources loaded = new Resources();
    try {
      List<CudaRows> ranges = new ArrayList<>();
      int first = 0;
      for (List<MatrixSource> alike : byFormat(parts)) {
        CudaRows range = loaded.own(load(alike, first));
        ranges.add(range);
        first += range.range().count();
      }
      return new CudaWeight(ranges, rowCount, parts.get(0).columns());
    } catch (RuntimeException | Error e) {
      loaded.closeAfter(e);
      throw e;
    }
  }

  /** Neighbours that the device holds in one format, together. */
  private static List<List<MatrixSource>> byFormat(List<MatrixSource> parts) {
    List<List<MatrixSource>> runs = new ArrayList<>();
    for (MatrixSource part : parts) {
      List<MatrixSource> last = runs.isEmpty() ? List.of() : runs.get(runs.size() - 1);
      if (last.isEmpty() || CudaRows.held(last.get(0)) != CudaRows.held(part)) {
        last = new ArrayList<>();
        runs.add(last);
      }
      last.add(part);
    }
    return runs;
  }

  /** Matrices of one format, one below the other, from the weight's row {@code first} on. */
  private CudaRows load(List<MatrixSource> parts, int first) {
    WeightFormat format = CudaRows.held(parts.get(0));
    int count = MatrixSource.stackedRows(parts);
    int columns = parts.get(0).columns();
    DeviceBuffer buffer =
        load(
            parts.stream().map(MatrixSource::values).toList(),
            CudaRows.type(format),
            (long) count * columns);
    return new CudaRows(buffer, new Weight.RowRange(first, count, format), columns);
  }

  @Override
  public WeightVector uploadVector(List<Tensor> parts) {
    int size = Tensor.joinedSize(parts);
    return new CudaVector(load(parts, ElementType.FLOAT32, size), size);
  }

  /** A buffer of tensors one after the other, {@code elements} in all. */
  private DeviceBuffer load(List<Tensor> tensors, ElementType type, long elements) {
    DeviceBuffer buffer = device.allocate(tensors.get(0).toString(), elements * type.bytes());
    try {
      load(tensors, type, buffer, 0);
      return buffer;
    } catch (RuntimeException | Error e) {
      buffer.close();
      throw e;
    }
  }

  private void load(List<Tensor> tensors, ElementType type, DeviceBuffer to, long offset) {
    device.guarded(
        "loading " + tensors.get(0),
        () -> {
          long at = offset;
          for (Tensor tensor : tensors) {
            device.loader.load(tensor, type, to, at);
            at += tensor.elements() * type.bytes();
          }
        });
  }

  @Override
  public ExpertWeights uploadExperts(List<GatedSource> sources) {
    int hidden = sources.get(0).hidden();
    int width = sources.get(0).width();
    long each = (long) hidden * width * ElementType.BFLOAT16.bytes();
    String name = sources.get(0).gate().name() + " and all experts beside it";
    DeviceBuffer gateUp = device.allocate(name, 2 * each * sources.size());
    DeviceBuffer down = null;
    try {
      down = device.allocate(name, each * sources.size());
      for (int i = 0; i < sources.size(); i++) {
        GatedSource source = sources.get(i);
        load(
            List.of(source.gate().values(), source.up().values()),
            ElementType.BFLOAT16,
            gateUp,
            2 * each * i);
        load(List.of(source.down().values()), ElementType.BFLOAT16, down, each * i);
      }
      return new CudaExperts(gateUp, down, sources.size(), hidden, width);
    } catch (RuntimeException | Error e) {
      gateUp.close();
      if (down != null) {
        down.close();
      }
      throw e;
    }
  }

  @Override
  public Activation allocate(int rowCount, int columns, Precision precision) {
    return device.guarded(
        "allocating activations",
        () -> new CudaActivation(device.arena, rowCount, columns, precision));
  }

  @Override
  public LatentCache allocateCache(CacheShape shape, int layers, int blocks) {
    return new CudaCache(
        device.allocate("a cache of " + blocks + " blocks", CudaCache.bytes(shape, layers, blocks)),
        shape,
        layers,
        blocks);
  }

  @Override
  public Rotation rotation(
      double[] inverseFrequencies, double factor, boolean interleaved, int positions) {
    return device.guarded(
        "computing angles",
        () ->
            new CudaRotation(
                RotaryEmbedding.of(
                    device.context,
                    inverseFrequencies,
                    factor,
                    interleaved,
                    positions,
                    device.stream)));
  }

  @Override
  public StepPlan plan(List<Segment> segments) {
    return device.plan(segments);
  }

  @Override
  public void run(StepPlan plan, Forward forward) {
    device.run(plan, forward);
  }

  @Override
  public SampledTokens tokens(StepPlan plan) {
    return device.guarded("computing a step", () -> SampledTokens.of(CudaPlan.of(plan).await()));
  }

  @Override
  public void embed(Weight table, float scale, StepPlan plan, Activation out) {
    CudaPlan step = device.on(plan);
    device.rows.embed(
        CudaWeight.of(table).matrix(),
        scale,
        step.tokens(),
        device.plans.tokens(),
        CudaActivation.of(out).tensor(),
        device.stream);
  }

  @Override
  public void normalize(Activation in, WeightVector gain, float epsilon, Activation out) {
    device.rows.normalize(
        CudaActivation.of(in).tensor(),
        CudaVector.of(gain),
        epsilon,
        CudaActivation.of(out).tensor(),
        device.stream);
  }

  @Override
  public void linear(Activation in, Weight weight, Optional<WeightVector> bias, Activation out) {
    for (CudaRows part : CudaWeight.of(weight).parts()) {
      device.gemm.multiply(
          CudaActivation.of(in).tensor(), part.matrix(), outputs(part, out), device.stream);
    }
    addBias(bias, out);
  }

  @Override
  public void linearAdd(Activation in, Weight weight, Optional<WeightVector> bias, Activation out) {
    for (CudaRows part : CudaWeight.of(weight).parts()) {
      device.gemm.multiplyAdd(
          CudaActivation.of(in).tensor(), part.matrix(), outputs(part, out), device.stream);
    }
    addBias(bias, out);
  }

  /** The columns of a result that a weight's rows give. */
  private static DeviceTensor outputs(CudaRows part, Activation out) {
    return CudaActivation.of(out.columns(part.range().first(), part.range().count())).tensor();
  }

  private void addBias(Optional<WeightVector> bias, Activation out) {
    bias.ifPresent(
        vector ->
            device.rows.addBias(
                CudaVector.of(vector), CudaActivation.of(out).tensor(), device.stream));
  }

  @Override
  public void gatedActivation(Activation gateUp, Activation out) {
    device.rows.gate(
        CudaActivation.of(gateUp).tensor(), CudaActivation.of(out).tensor(), device.stream);
  }

  @Override
  public void writeCache(
      Activation latents,
      WeightVector gain,
      float epsilon,
      Rotation rotation,
      StepPlan plan,
      LatentCache cache,
      int layer) {
    CudaPlan step = device.on(plan);
    CudaRotation.of(rotation)
        .writeCache(
            CudaActivation.of(latents).tensor(),
            CudaVector.of(gain),
            epsilon,
            step.positions(0, step.rows()),
            step.slots(),
            cache.shape(),
            CudaCache.of(cache).layer(layer),
            device.stream);
  }

  @Override
  public void absorbQueries(
      Activation queries,
      Weight keyValue,
      AttentionShape shape,
      Rotation rotation,
      StepPlan plan,
      Activation out) {
    device.attention.absorb(
        CudaActivation.of(queries),
        CudaWeight.of(keyValue),
        shape,
        CudaRotation.of(rotation),
        device.on(plan),
        CudaActivation.of(out));
  }

  @Override
  public void decodeAttention(
      Activation absorbed,
      AttentionShape shape,
      StepPlan plan,
      LatentCache cache,
      int layer,
      Activation out) {
    device.attention.decode(
        CudaActivation.of(absorbed),
        shape,
        device.on(plan),
        CudaCache.of(cache).layer(layer),
        CudaActivation.of(out));
  }

  @Override
  public void projectValues(
      Activation latents, Weight keyValue, AttentionShape shape, StepPlan plan, Activation out) {
    device.attention.project(
        CudaActivation.of(latents),
        CudaWeight.of(keyValue),
        shape,
        device.on(plan),
        CudaActivation.of(out));
  }

  @Override
  public void prefillAttention(
      Activation queries,
      Weight keyValue,
      AttentionShape shape,
      Rotation rotation,
      StepPlan plan,
      LatentCache cache,
      int layer,
      Activation out) {
    device.attention.prefill(
        CudaActivation.of(queries),
        CudaWeight.of(keyValue),
        shape,
        CudaRotation.of(rotation),
        device.on(plan),
        CudaCache.of(cache).layer(layer),
        CudaActivation.of(out));
  }

  @Override
  public Routing route(
      Activation logits, Optional<WeightVector> bias, RouterPolicy policy, StepPlan plan) {
    CudaRouting routing =
        new CudaRouting(device.arena, logits.rows(), policy.perToken(), device.on(plan));
    try {
      device.router.route(
          CudaActivation.of(logits).tensor(),
          bias.map(CudaVector::of),
          policy,
          routing.ids(),
          routing.weights(),
          device.stream);
      return routing;
    } catch (RuntimeException | Error e) {
      routing.close();
      throw e;
    }
  }

  @Override
  public void experts(Activation in, Routing routing, ExpertWeights weights, Activation out) {
    CudaRouting chosen = CudaRouting.of(routing);
    CudaExperts matrices = (CudaExperts) weights;
    ExpertsShape shape =
        new ExpertsShape(matrices.experts(), chosen.perToken(), in.columns(), matrices.width());
    long bytes = device.experts.workspaceBytes(shape, in.rows());
    try (Arena.Block block = device.arena.take(bytes);
        DeviceBuffer workspace =
            DeviceBuffer.borrow(device.context, block.buffer().address() + block.offset(), bytes)) {
      device.experts.add(
          shape,
          CudaActivation.of(in).tensor(),
          Optional.of(chosen.plan().validRows()),
          chosen.ids(),
          chosen.weights(),
          matrices.gateUp(),
          matrices.down(),
          workspace,
          CudaActivation.of(out).tensor(),
          device.stream);
    }
  }

  @Override
  public void gatherSampled(Activation in, StepPlan plan, Activation out) {
    device.rows.gather(
        CudaActivation.of(in).tensor(),
        device.on(plan).sampledRowTensor(),
        CudaActivation.of(out).tensor(),
        device.stream);
  }

  @Override
  public void sample(Activation logits, StepPlan plan) {
    CudaPlan step = device.on(plan);
    device.rows.sample(
        CudaActivation.of(logits).tensor(),
        step.sampling(),
        device.plans.tokens(step.sampledRows()),
        device.stream);
  }

  @Override
  public float[][] read(Activation activation) {
    return device.guarded("reading activations", () -> copy(CudaActivation.of(activation)));
  }

  private float[][] copy(CudaActivation activation) {
    float[][] values = new float[activation.rows()][activation.columns()];
    for (int row = 0; row < values.length; row++) {
      DeviceTensor tensor = activation.tensor(row, 1);
      int size = tensor.type().bytes();
      ByteBuffer bytes =
          ByteBuffer.allocateDirect(activation.columns() * size).order(ByteOrder.nativeOrder());
      tensor
          .buffer()
          .copyToHost(tensor.address() - tensor.buffer().address(), bytes, device.stream);
      for (int i = 0; i < values[row].length; i++) {
        values[row][i] =
            tensor.type() == ElementType.FLOAT32
                ? bytes.getFloat(4 * i)
                : Float.intBitsToFloat(bytes.getShort(2 * i) << 16);
      }
    }
    return values;
  }

  @Override
  public void close() {
    device.close();
  }
}
