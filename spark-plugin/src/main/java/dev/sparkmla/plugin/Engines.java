package dev.sparkmla.plugin;

import dev.sparkmla.arrow.RequestBatch;
import dev.sparkmla.arrow.ResultBatch;
import dev.sparkmla.compute.ComputeBackends;
import dev.sparkmla.compute.ComputeException;
import dev.sparkmla.cuda.GpuDevice;
import dev.sparkmla.engine.EngineStatistics;
import dev.sparkmla.engine.ModelFolder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.apache.spark.api.plugin.PluginContext;

/**
 * All engines of an executor: one for each GPU it was given, or one on its processor.
 *
 * <p><b>Ownership.</b> It owns its engines and the claims on their GPUs, and releases a GPU when
 * the engine on it is closed.
 *
 * <p><b>Routing.</b> Each row goes to the engine that has the least work, counted in bytes of
 * prompts, so that all engines end at about the same time. Of engines that have little more than
 * the least, rows whose prompts begin alike go to the same one, whose cache then holds that
 * beginning. The rows of a batch for one engine stay together. An engine that has failed gets no
 * rows. A row's result does not depend on the engine that computes it.
 */
final class Engines implements TextGenerator {
  /** How long an executor waits until the previous user of its GPU has ended. */
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  /** How many bytes of prompts are compared to find out whether they begin alike. */
  private static final int BEGINNING = 512;

  /** Bytes that an engine may have more than the least: about one step's tokens. */
  private static final long LITTLE_MORE = 32 << 10;

  private final List<EngineSlot> slots = new ArrayList<>();

  private Engines() {}

  /**
   * Claims the executor's GPUs and loads the model on all of them at once. Where one fails, all are
   * closed, and the failure that came first is thrown; later ones are suppressed in it.
   *
   * @param folder the model's; it stays the caller's, and must outlive the engines
   * @throws InvalidConfigurationException when the settings do not fit the executor or the model
   * @throws GpuRefusedException when a GPU cannot be used, is claimed by another process, or has
   *     too little memory for the model
   */
  static Engines open(MlaConf conf, ModelFolder folder, PluginContext context, GpuHost host) {
    boolean local = MlaPlugin.isLocal(context.conf());
    DeviceChoice choice = DeviceChoice.of(conf, local, context.resources(), host);
    Engines engines = new Engines();
    if (choice instanceof DeviceChoice.Gpus gpus) {
      engines.openOn(
          GpuClaim.take(
              conf.get(MlaConf.GPU_LOCK_DIR),
              gpus.devices(),
              gpus.count(),
              local ? Duration.ZERO : PATIENCE),
          conf,
          folder,
          host);
    } else {
      int threads =
          conf.get(MlaConf.CPU_THREADS).orElse(Runtime.getRuntime().availableProcessors());
      engines.slots.add(
          new EngineSlot(
              ModelGenerator.open(conf, folder, () -> ComputeBackends.cpu(threads)),
              Optional.empty()));
    }
    return engines;
  }

  /**
   * Loads on all GPUs at once, each on a thread of its own. Loads cannot be cancelled, so all are
   * waited for. If one has failed, the engines of the others are closed.
   */
  private void openOn(List<GpuClaim> claims, MlaConf conf, ModelFolder folder, GpuHost host) {
    Queue<Throwable> failures = new ConcurrentLinkedQueue<>();
    List<CompletableFuture<TextGenerator>> loads =
        claims.stream().map(claim -> load(claim.device(), conf, folder, host, failures)).toList();
    List<GpuClaim> unused = new ArrayList<>();
    for (int i = 0; i < claims.size(); i++) {
      try {
        slots.add(new EngineSlot(loads.get(i).join(), Optional.of(claims.get(i))));
      } catch (CompletionException failed) {
        unused.add(claims.get(i));
      }
    }
    Throwable first = failures.poll();
    if (first != null) {
      failures.forEach(first::addSuppressed);
      try {
        unused.forEach(GpuClaim::close);
        close();
      } catch (RuntimeException unclosed) {
        first.addSuppressed(unclosed);
      }
      if (first instanceof Error error) {
        throw error;
      }
      throw (RuntimeException) first;
    }
  }

  /** Starts to load; a failure is among {@code failures} before the result has it. */
  private static CompletableFuture<TextGenerator> load(
      GpuDevice device, MlaConf conf, ModelFolder folder, GpuHost host, Queue<Throwable> failures) {
    return CompletableFuture.supplyAsync(
        () -> {
          try {
            return openOn(device, conf, folder, host);
          } catch (RuntimeException | Error problem) {
            failures.add(problem);
            throw problem;
          }
        },
        task -> new Thread(task, "mla-load-" + device.ordinal()).start());
  }

  private static TextGenerator openOn(
      GpuDevice device, MlaConf conf, ModelFolder folder, GpuHost host) {
    try {
      return ModelGenerator.open(conf, folder, () -> host.open(device));
    } catch (ComputeException problem) {
      throw new GpuRefusedException(
          GpuRefusedException.name(device) + ": " + problem.getMessage(), problem);
    }
  }

  /** Over engines that are there, on no GPU. */
  static Engines over(List<TextGenerator> generators) {
    Engines engines = new Engines();
    generators.forEach(engine -> engines.slots.add(new EngineSlot(engine, Optional.empty())));
    return engines;
  }

  @Override
  public CompletableFuture<Void> submit(RequestBatch requests, Consumer<ResultBatch> ended) {
    List<EngineSlot> serving = slots.stream().filter(slot -> !slot.hasFailed()).toList();
    if (serving.isEmpty()) {
      return slots.get(0).submit(requests, ended); // It says why it serves no more.
    }
    if (serving.size() == 1) {
      return serving.get(0).submit(requests, ended);
    }
    List<IntStream.Builder> shares = share(requests, serving);
    SharedBatch batch = new SharedBatch(requests, ended);
    for (int i = 0; i < serving.size(); i++) {
      batch.add(serving.get(i), shares.get(i).build().toArray());
    }
    return batch.submit();
  }

  /** The rows of a batch that go to each of these engines. */
  private static List<IntStream.Builder> share(RequestBatch requests, List<EngineSlot> serving) {
    List<IntStream.Builder> shares = serving.stream().map(slot -> IntStream.builder()).toList();
    long[] work = serving.stream().mapToLong(EngineSlot::work).toArray();
    for (int row = 0; row < requests.rows(); row++) {
      int chosen = Math.floorMod(Arrays.hashCode(requests.beginning(row, BEGINNING)), work.length);
      int least =
          IntStream.range(0, work.length)
              .boxed()
              .min(Comparator.comparingLong(slot -> work[slot]))
              .orElseThrow();
      if (work[chosen] > work[least] + LITTLE_MORE) {
        chosen = least;
      }
      work[chosen] += EngineSlot.cost(requests, row);
      shares.get(chosen).add(row);
    }
    return shares;
  }

  /** The sums over all engines. */
  @Override
  public int maxSequences() {
    return slots.stream().mapToInt(EngineSlot::maxSequences).sum();
  }

  @Override
  public EngineStatistics statistics() {
    return slots.stream().map(EngineSlot::statistics).reduce(EngineStatistics::plus).orElseThrow();
  }

  @Override
  public List<String> devices() {
    return slots.stream().map(EngineSlot::device).toList();
  }

  @Override
  public Map<String, EngineStatistics> gpuStatistics() {
    Map<String, EngineStatistics> statistics = new LinkedHashMap<>();
    for (EngineSlot slot : slots) {
      slot.gpu().ifPresent(gpu -> statistics.put(gpu, slot.statistics()));
    }
    return statistics;
  }

  @Override
  public void close() {
    RuntimeException failure = null;
    for (EngineSlot slot : slots) {
      try {
        slot.close();
      } catch (RuntimeException problem) {
        if (failure == null) {
          failure = problem;
        } else {
          failure.addSuppressed(problem);
        }
      }
    }
    if (failure != null) {
      throw failure;
    }
  }
}
