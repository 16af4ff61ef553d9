package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.ComputeException;
import dev.sparkmla.compute.DeviceLostException;
import dev.sparkmla.compute.Forward;
import dev.sparkmla.compute.Resources;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.StepLimits;
import dev.sparkmla.compute.StepPlan;
import dev.sparkmla.cuda.CudaContext;
import dev.sparkmla.cuda.CudaException;
import dev.sparkmla.cuda.CudaFatalException;
import dev.sparkmla.cuda.CudaStream;
import dev.sparkmla.cuda.DeviceBuffer;
import dev.sparkmla.cuda.Experts;
import dev.sparkmla.cuda.Float8Gemm;
import dev.sparkmla.cuda.Float8Operations;
import dev.sparkmla.cuda.Gemm;
import dev.sparkmla.cuda.GpuDevice;
import dev.sparkmla.cuda.PinnedBuffer;
import dev.sparkmla.cuda.Router;
import dev.sparkmla.cuda.RowOperations;
import java.util.List;
import java.util.function.Supplier;

/**
 * One GPU in use. Whatever there is once for a device is owned here: its context, the stream that
 * everything is enqueued on and the one beside it, the kernels, and the memory that steps work in.
 * A backend over several GPUs would have one of these for each.
 */
final class CudaDevice implements AutoCloseable {
  /**
   * Device memory that is never given away: for code of kernels that is loaded late, and because
   * the driver does not hand out the last pages of a device.
   */
  private static final long SPARE_BYTES = 64L << 20;

  final CudaContext context;
  final CudaStream stream;
  final SideStream sideStream;
  final Gemm gemm;
  final Float8Gemm float8Gemm;
  final Float8Operations float8;
  final RowOperations rows;
  final Router router;
  final Experts experts;
  final Arena arena;
  final PlanMemory plans;
  final AutomatonMemory automata;
  final CudaAttention attention;
  final WeightLoader loader;
  private final Resources owned = new Resources();
  private final StepGraphs graphs;
  private CudaPlan uploaded;

  /**
   * Opens a device.
   *
   * @throws dev.sparkmla.cuda.CudaUnavailableException where it is not a Hopper GPU, or a library
   *     is missing
   * @throws ComputeException when it has no memory for the little that is needed
   */
  CudaDevice(GpuDevice device) {
    device.requireHopper();
    try {
      context = owned.own(CudaContext.open(device));
      stream = owned.own(context.newStream());
      sideStream = owned.own(new SideStream(context, stream));
      gemm = owned.own(Gemm.open(context));
      float8Gemm = Float8Gemm.on(context, gemm);
      float8 = Float8Operations.on(context);
      rows = RowOperations.on(context);
      router = Router.on(context);
      experts = Experts.on(context);
      arena = owned.own(new Arena(context::allocate));
      graphs = owned.own(new StepGraphs(StepGraphs.Recorder.of(stream)));
      plans =
          owned.own(
              new PlanMemory(
                  context::allocate,
                  bytes -> PinnedBuffer.allocate(context, bytes),
                  stream,
                  graphs::forget));
      automata =
          owned.own(
              new AutomatonMemory(
                  context::allocate, (to, place, words) -> to.copyFromHost(place, words, stream)));
      attention = owned.own(new CudaAttention(context, stream, gemm, arena, graphs::forget));
      loader = owned.own(new WeightLoader(context, stream));
    } catch (CudaException failed) {
      owned.closeAfter(failed);
      throw failed instanceof CudaFatalException lost
          ? lost(device, lost)
          : new ComputeException(
              "%s could not be opened: %s".formatted(device, failed.getMessage()), failed);
    } catch (RuntimeException | Error e) {
      owned.closeAfter(e);
      throw e;
    }
  }

  /** Does something, and turns what CUDA throws into this package's exceptions. */
  <T> T guarded(String doing, Supplier<T> work) {
    try {
      return work.get();
    } catch (CudaFatalException lost) {
      throw lost(context.device(), lost);
    } catch (CudaException failed) {
      throw new ComputeException(
          "%s failed while %s: %s".formatted(context.device(), doing, failed.getMessage()), failed);
    }
  }

  void guarded(String doing, Runnable work) {
    guarded(
        doing,
        () -> {
          work.run();
          return null;
        });
  }

  private static DeviceLostException lost(GpuDevice device, CudaFatalException cause) {
    return new DeviceLostException(
        "%s is lost to this process: %s".formatted(device, cause.getMessage()), cause);
  }

  /**
   * Allocates device memory that lives longer than a step.
   *
   * @throws ComputeException saying what it was for, how much was needed and how much there is
   */
  DeviceBuffer allocate(String what, long bytes) {
    try {
      return context.allocate(bytes);
    } catch (CudaFatalException lost) {
      throw lost(context.device(), lost);
    } catch (CudaException failed) {
      throw new ComputeException(
          "%s has no memory for %s: %d bytes are needed, %d are free"
              .formatted(context.device(), what, bytes, context.freeMemoryBytes()),
          failed);
    }
  }

  /** Device memory that may be given away, in bytes. */
  long freeMemory() {
    return Math.max(0, guarded("asking for its memory", context::freeMemoryBytes) - SPARE_BYTES);
  }

  CudaPlan plan(List<Segment> segments) {
    return guarded("planning a step", () -> new CudaPlan(plans, segments));
  }

  /** The plan, which lies on the device from here on. */
  CudaPlan on(StepPlan plan) {
    CudaPlan wanted = CudaPlan.of(plan);
    if (uploaded != wanted) {
      uploaded = null;
      wanted.upload();
      uploaded = wanted;
    }
    return wanted;
  }

  /** Enqueues a step. Where it throws, the step is computed from its beginning the next time. */
  void run(StepPlan plan, Forward forward) {
    guarded(
        "computing a step",
        () -> {
          CudaPlan step = on(plan);
          graphs.run(step, forward);
          step.download();
        });
  }

  /**
   * Takes the memory that steps within limits need: the plan's, the arena's and decode attention's,
   * that of kernels' code and that of graphs. See {@link MeasuredSteps}.
   *
   * @param forward computes steps over a cache of one block
   */
  void reserve(StepLimits limits, Forward forward) {
    MeasuredSteps steps = new MeasuredSteps(limits);
    guarded(
        "taking the memory of steps of %d tokens and %d sequences; fewer need less"
            .formatted(limits.tokens(), limits.sequences()),
        () -> {
          graphs.forget();
          plans.reserve(
              PlanLayout.mostWords(limits), PlanLayout.largestShape(limits).sampledRows());
          steps.largest().forEach(step -> measure(step, forward));
          arena.settle();
          steps.smaller().forEach(step -> measure(step, forward));
          try (CudaPlan largest = new CudaPlan(plans, steps.decoding())) {
            graphs.reserve(on(largest), forward);
            stream.synchronize();
          }
        });
  }

  private void measure(List<Segment> step, Forward forward) {
    try (CudaPlan plan = new CudaPlan(plans, step)) {
      forward.compute(on(plan));
      stream.synchronize();
    }
  }

  @Override
  public void close() {
    try {
      stream.synchronize();
    } finally {
      owned.close();
    }
  }
}
