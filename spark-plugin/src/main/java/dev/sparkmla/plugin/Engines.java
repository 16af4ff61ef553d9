package dev.sparkmla.plugin;

import dev.sparkmla.compute.ComputeBackends;
import dev.sparkmla.compute.ComputeException;
import dev.sparkmla.cuda.GpuDevice;
import dev.sparkmla.engine.EngineStatistics;
import dev.sparkmla.engine.GenerationRequest;
import dev.sparkmla.engine.GenerationResult;
import dev.sparkmla.engine.ModelFolder;
import dev.sparkmla.engine.Prompt;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.spark.api.plugin.PluginContext;

/**
 * All engines of an executor: one for each GPU it was given, or one on its processor.
 *
 * <p><b>Ownership.</b> It owns its engines and the claims on their GPUs, and gives a GPU up when
 * the engine on it is closed.
 *
 * <p><b>Routing.</b> Requests that begin alike go to the same engine, whose cache then holds their
 * beginning, as long as it is not {@link #SLACK} requests busier than the least busy one; then they
 * go to that. Which engine computes a row changes nothing in its result.
 */
final class Engines implements TextGenerator {
  /** Requests that an engine may have more than the least busy one and still be preferred. */
  static final int SLACK = 16;

  /** How long an executor waits for the one that had its GPU before to end. */
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  /** Characters by which prompts are found to begin alike. */
  private static final int BEGINNING = 512;

  /** An engine, the GPU it computes on, and how many of its requests are not done. */
  private record Slot(TextGenerator engine, Optional<GpuClaim> claim, AtomicInteger pending) {
    Slot(TextGenerator engine, Optional<GpuClaim> claim) {
      this(engine, claim, new AtomicInteger());
    }

    int busy() {
      return pending.get();
    }
  }

  private final List<Slot> slots = new ArrayList<>();

  private Engines() {}

  /**
   * Claims the executor's GPUs and loads the model on all of them at once. Where one fails, all are
   * closed, and the failure that came first is thrown; later ones are suppressed in it.
   *
   * @param folder the model's; it stays the caller's, and must outlive the engines
   * @throws InvalidConfigurationException when the settings do not fit the executor or the model
   * @throws GpuRefusedException when a GPU will not do, is claimed by another process, or has too
   *     little memory for the model
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
          new Slot(
              ModelGenerator.open(conf, folder, () -> ComputeBackends.cpu(threads)),
              Optional.empty()));
    }
    return engines;
  }

  /**
   * Loads on all GPUs at once, each on a thread of its own. No load can be broken off, so all are
   * waited for, and what they opened is closed again where one has failed.
   */
  private void openOn(List<GpuClaim> claims, MlaConf conf, ModelFolder folder, GpuHost host) {
    Queue<Throwable> failures = new ConcurrentLinkedQueue<>();
    List<CompletableFuture<TextGenerator>> loads =
        claims.stream().map(claim -> load(claim.device(), conf, folder, host, failures)).toList();
    List<GpuClaim> unused = new ArrayList<>();
    for (int i = 0; i < claims.size(); i++) {
      try {
        slots.add(new Slot(loads.get(i).join(), Optional.of(claims.get(i))));
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
    generators.forEach(engine -> engines.slots.add(new Slot(engine, Optional.empty())));
    return engines;
  }

  @Override
  public CompletableFuture<GenerationResult> submit(GenerationRequest request) {
    Slot slot = choose(request);
    slot.pending.incrementAndGet();
    CompletableFuture<GenerationResult> result = slot.engine.submit(request);
    countDown(result, slot);
    return result;
  }

  @SuppressWarnings("FutureReturnValueIgnored") // What depends on the result here cannot fail.
  private static void countDown(CompletableFuture<GenerationResult> result, Slot slot) {
    result.whenComplete((done, failure) -> slot.pending.decrementAndGet());
  }

  private Slot choose(GenerationRequest request) {
    Slot preferred = slots.get(Math.floorMod(beginning(request).hashCode(), slots.size()));
    Slot least = slots.stream().min(Comparator.comparingInt(Slot::busy)).orElseThrow();
    return preferred.busy() < least.busy() + SLACK ? preferred : least;
  }

  private static String beginning(GenerationRequest request) {
    StringBuilder text = new StringBuilder();
    request.system().ifPresent(system -> append(text, system));
    if (request.prompt() instanceof Prompt.Raw raw) {
      append(text, raw.text());
    } else if (request.prompt() instanceof Prompt.Chat chat) {
      chat.messages().forEach(message -> append(text, message.content()));
    }
    return text.toString();
  }

  private static void append(StringBuilder text, String part) {
    int room = BEGINNING - text.length();
    text.append(part, 0, Math.min(room, part.length()));
  }

  @Override
  public EngineStatistics statistics() {
    return slots.stream()
        .map(slot -> slot.engine.statistics())
        .reduce(EngineStatistics::plus)
        .orElseThrow();
  }

  @Override
  public Map<String, EngineStatistics> gpuStatistics() {
    Map<String, EngineStatistics> statistics = new LinkedHashMap<>();
    for (Slot slot : slots) {
      slot.claim.ifPresent(
          claim -> statistics.put(claim.device().uuidText(), slot.engine.statistics()));
    }
    return statistics;
  }

  @Override
  public void close() {
    RuntimeException failure = null;
    for (Slot slot : slots) {
      try {
        slot.engine.close();
        slot.claim.ifPresent(GpuClaim::close);
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
