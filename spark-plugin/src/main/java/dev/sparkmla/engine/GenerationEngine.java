package dev.sparkmla.engine;

import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ComputeException;
import dev.sparkmla.compute.Resources;
import dev.sparkmla.model.GenerationDefaults;
import dev.sparkmla.model.LanguageModel;
import dev.sparkmla.model.MlaTransformer;
import dev.sparkmla.model.ModelFormatException;
import dev.sparkmla.model.PendingStep;
import dev.sparkmla.model.Weights;
import dev.sparkmla.policy.Sampling;
import dev.sparkmla.text.ChatTemplate;
import dev.sparkmla.text.Tokenizer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.LongAdder;

/**
 * A model that serves requests from any thread, batching them continuously over one paged cache.
 *
 * <p>Requests are checked and tokenized on the thread that submits them; one thread of the engine's
 * own steps the model and completes the futures. What depends on a future without an executor of
 * its own runs on that thread, and should be short. The waiting queue is not bounded: whoever
 * submits keeps a window of requests in flight. A waiting request holds its token ids and nothing
 * of the cache.
 *
 * <p>The same prompt with the same parameters and seed gets the same tokens, whatever it is batched
 * with. It is generated as often as it is submitted.
 *
 * <p>Where the model runs ahead, a step is submitted before the results of the one before it are
 * taken in, so that the device does not wait for the host; text is made meanwhile.
 *
 * <p>Thread-safe. It owns its model; the tokenizer is the model folder's.
 */
public final class GenerationEngine implements AutoCloseable {
  /** Temperatures below this one would only divide by almost nothing. */
  private static final double LEAST_TEMPERATURE = 1e-5;

  private final LanguageModel model;
  private final Tokenizer tokenizer;
  private final PromptEncoder encoder;
  private final GenerationDefaults defaults;
  private final EngineOptions options;
  private final Thread thread;
  private final LongAdder rowsInError = new LongAdder();

  // Of the stepping thread alone.
  private Scheduler scheduler;
  private final Map<Sequence, Generation> generations = new HashMap<>();
  private final Deque<PendingStep> pending = new ArrayDeque<>();
  private final int stepsAhead;
  private long finished;
  private long steps;
  private long promptTokens;
  private long cachedTokens;
  private long outputTokens;
  private long computedTokens;
  private long preemptions;

  private volatile EngineStatistics statistics;

  /** Guards the fields below, and is notified when one of them changes. */
  private final Object lock = new Object();

  private final List<Generation> arrived = new ArrayList<>();
  private boolean someCancelled;
  private boolean closing;
  private Optional<EngineFailedException> failure = Optional.empty();

  /**
   * Starts an engine that owns {@code model} from here on.
   *
   * @param tokenizer stays the caller's, and must outlive the engine
   * @param options its size of the cache does not matter: the model has its cache
   */
  GenerationEngine(
      LanguageModel model,
      Tokenizer tokenizer,
      Optional<ChatTemplate> template,
      GenerationDefaults defaults,
      EngineOptions options) {
    this.model = model;
    this.tokenizer = tokenizer;
    this.stepsAhead = model.runsAhead() ? 1 : 0;
    this.defaults = defaults;
    this.options = options;
    this.encoder =
        new PromptEncoder(
            tokenizer,
            template,
            model.config().contextWindow(),
            (long) model.cacheBlocks() * model.config().cacheShape().page());
    this.scheduler = newScheduler();
    publishStatistics();
    this.thread = new Thread(this::run, "mla-engine");
    thread.setDaemon(true);
    thread.start();
  }

  /**
   * Loads a model folder and starts an engine over it. Whatever cannot be loaded, what was loaded
   * before it is freed.
   *
   * @param folder stays the caller's, and must outlive the engine
   * @param backend computes; it stays the caller's, and must outlive the engine
   * @throws ModelFormatException if the model cannot be read, or its tokenizer has ids beyond the
   *     vocabulary
   * @throws dev.sparkmla.text.TextFormatException if the tokenizer or its template cannot be read
   */
  public static GenerationEngine open(
      ModelFolder folder, ComputeBackend backend, EngineOptions options) {
    folder.requireTokenizerOfModel();
    Resources loaded = new Resources();
    try (Weights weights = folder.openWeights()) {
      MlaTransformer model =
          loaded.own(MlaTransformer.load(folder.config(), weights, backend, options.cacheSize()));
      return new GenerationEngine(
          model,
          folder.text().tokenizer(),
          folder.text().template(),
          folder.config().generation(),
          options);
    } catch (RuntimeException | Error e) {
      loaded.closeAfter(e);
      throw e;
    }
  }

  /**
   * Takes a request. It never throws for what a row holds: a bad row's future is completed with a
   * result in error, and the model never sees it. Cancelling the future frees what the row holds
   * before the next step.
   *
   * @return completed exceptionally with {@link ComputeException} when the step that it was to be
   *     computed in, or one beside it, failed, which later requests do not notice; with {@link
   *     EngineFailedException} when the engine has failed for good, before or after this call; and
   *     with {@link EngineClosedException} when it was closed
   */
  public CompletableFuture<GenerationResult> submit(GenerationRequest request) {
    Optional<RuntimeException> refusal = refusal();
    if (refusal.isPresent()) {
      return CompletableFuture.failedFuture(refusal.get());
    }
    Generation generation;
    try {
      generation = prepare(request);
    } catch (InvalidParameterException e) {
      return rowInError(ErrorCode.INVALID_PARAMETER, e.getMessage());
    } catch (RowErrorException e) {
      return rowInError(e.code(), e.getMessage());
    } catch (RuntimeException e) {
      // No fault of the row. If the engine was closed meanwhile, the tokenizer may be too.
      return CompletableFuture.failedFuture(refusal().orElse(e));
    }
    synchronized (lock) {
      refusal = refusal();
      if (refusal.isPresent()) {
        return CompletableFuture.failedFuture(refusal.get());
      }
      arrived.add(generation);
      lock.notifyAll();
    }
    noticeCancellation(generation.future());
    return generation.future();
  }

  /** What the engine has done and is doing. */
  public EngineStatistics statistics() {
    EngineStatistics last = statistics;
    synchronized (lock) {
      return new EngineStatistics(
          last.waiting() + arrived.size(),
          last.running(),
          last.finished() + rowsInError.sum(),
          last.steps(),
          last.promptTokens(),
          last.cachedTokens(),
          last.outputTokens(),
          last.computedTokens(),
          last.preemptions(),
          last.cacheBlocks(),
          last.availableBlocks());
    }
  }

  /**
   * Ends the engine: waits for the step in progress, completes what is unfinished with {@link
   * EngineClosedException}, and closes the model.
   *
   * @throws IllegalStateException if it was called before, or is called on the engine's own thread
   */
  @Override
  public void close() {
    if (Thread.currentThread() == thread) {
      throw new IllegalStateException("The engine's own thread cannot wait for itself to end.");
    }
    synchronized (lock) {
      if (closing) {
        throw new IllegalStateException("The engine is closed already.");
      }
      closing = true;
      lock.notifyAll();
    }
    joinThread();
    model.close();
  }

  private void joinThread() {
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        // The model must not be freed under a running step.
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** Wakes the stepping thread when a caller cancels. */
  @SuppressWarnings("FutureReturnValueIgnored") // What depends on the future here cannot fail.
  private void noticeCancellation(CompletableFuture<GenerationResult> future) {
    future.whenComplete(
        (result, error) -> {
          if (future.isCancelled()) {
            synchronized (lock) {
              someCancelled = true;
              lock.notifyAll();
            }
          }
        });
  }

  /** Why no request can be taken, if so. */
  private Optional<RuntimeException> refusal() {
    synchronized (lock) {
      return closing ? Optional.of(new EngineClosedException()) : failure.map(e -> e);
    }
  }

  private Generation prepare(GenerationRequest request) {
    SamplingParams params = SamplingParams.parse(request.params());
    int maxTokens = params.maxTokens().orElse(options.defaultMaxTokens());
    int[] prompt = encoder.encode(request, maxTokens);
    double temperature = params.temperature().orElse(defaults.temperature());
    Sampling sampling =
        temperature < LEAST_TEMPERATURE
            ? Sampling.GREEDY
            : new Sampling(
                (float) temperature,
                params.topK().orElse(defaults.topK()),
                (float) params.topP().orElse(defaults.topP()),
                RowSeed.of(prompt, params.seed()),
                0);
    return new Generation(
        new Sequence(prompt, maxTokens, sampling),
        new OutputText(tokenizer.newDecoder(), params.stop()),
        defaults.endTokens());
  }

  private CompletableFuture<GenerationResult> rowInError(ErrorCode code, String message) {
    rowsInError.increment();
    return CompletableFuture.completedFuture(
        new GenerationResult(
            "", FinishReason.ERROR, 0, 0, 0, Optional.of(new GenerationError(code, message))));
  }

  /** The stepping thread's life. */
  private void run() {
    RuntimeException end = new EngineClosedException();
    try {
      while (takeIn()) {
        try {
          step();
        } catch (ComputeException e) {
          giveUp(e);
        }
      }
    } catch (Throwable e) { // Also errors: requests must not wait for a thread that is gone.
      EngineFailedException failed = new EngineFailedException(e);
      synchronized (lock) {
        failure = Optional.of(failed);
      }
      end = failed;
    }
    abandon(end);
  }

  /**
   * Waits for something to do, and takes in what arrived or was cancelled.
   *
   * @return whether to go on
   */
  private boolean takeIn() throws InterruptedException {
    List<Generation> arrivals;
    boolean sweep;
    synchronized (lock) {
      while (!closing
          && arrived.isEmpty()
          && !someCancelled
          && scheduler.isIdle()
          && pending.isEmpty()) {
        lock.wait();
      }
      if (closing) {
        return false;
      }
      arrivals = List.copyOf(arrived);
      arrived.clear();
      sweep = someCancelled;
      someCancelled = false;
    }
    for (Generation generation : arrivals) {
      generations.put(generation.sequence(), generation);
      scheduler.add(generation.sequence());
    }
    if (sweep) {
      Set<Sequence> cancelled = new HashSet<>();
      for (Generation generation : generations.values()) {
        if (generation.future().isDone()) {
          cancelled.add(generation.sequence());
        }
      }
      drop(cancelled);
    }
    publishStatistics();
    return true;
  }

  /**
   * Submits the next step, and takes in the results of the one before it, or of the same one where
   * the model does not run ahead.
   */
  private void step() {
    Optional<PlannedStep> planned = scheduler.plan();
    if (planned.isPresent()) {
      pending.addLast(model.submit(planned.get().segments()));
      scheduler.submitted(planned.get());
      computedTokens += planned.get().tokens();
      steps++;
    }
    if (!pending.isEmpty() && (planned.isEmpty() || pending.size() > stepsAhead)) {
      takeResults(pending.removeFirst());
    }
  }

  private void takeResults(PendingStep step) {
    List<Sequence> grown = scheduler.complete(step.tokens()).grown();
    outputTokens += grown.size();
    Map<Generation, GenerationResult> results = new HashMap<>();
    Set<Sequence> ended = new HashSet<>();
    for (Sequence sequence : grown) {
      if (sequence.outputTokens() == 1) {
        promptTokens += sequence.promptTokens();
        cachedTokens += sequence.cachedTokens();
      }
      Generation generation = generations.get(sequence);
      generation
          .advance()
          .ifPresent(
              result -> {
                results.put(generation, result);
                ended.add(sequence);
              });
    }
    finished += results.size();
    drop(ended);
    publishStatistics();
    // Last, so that whoever sees a result also sees its blocks given back.
    results.forEach((generation, result) -> generation.future().complete(result));
  }

  private void drop(Set<Sequence> sequences) {
    if (!sequences.isEmpty()) {
      scheduler.removeIf(sequences::contains);
      generations.keySet().removeAll(sequences);
    }
  }

  private Scheduler newScheduler() {
    return new Scheduler(
        options.maxBatchedTokens(),
        options.maxSequences(),
        model.cacheBlocks(),
        model.config().cacheShape().page());
  }

  /**
   * Ends the requests that were taken in with what a step failed of, and goes on with an empty
   * cache: which of its blocks the step spoilt is not known.
   */
  private void giveUp(ComputeException reason) {
    while (!pending.isEmpty()) {
      try {
        pending.removeFirst().tokens();
      } catch (ComputeException another) {
        // Steps that went on from the failed one; nobody waits for what they give.
      }
    }
    List<Generation> lost = List.copyOf(generations.values());
    generations.clear();
    preemptions += scheduler.preemptions();
    scheduler = newScheduler();
    publishStatistics();
    lost.forEach(generation -> generation.future().completeExceptionally(reason));
  }

  /** Completes everything unfinished exceptionally: the thread's last deed. */
  private void abandon(RuntimeException reason) {
    List<Generation> unfinished = new ArrayList<>(generations.values());
    synchronized (lock) {
      unfinished.addAll(arrived);
      arrived.clear();
    }
    pending.clear();
    scheduler.clear();
    generations.clear();
    publishStatistics();
    unfinished.forEach(generation -> generation.future().completeExceptionally(reason));
  }

  private void publishStatistics() {
    statistics =
        new EngineStatistics(
            scheduler.waiting(),
            scheduler.running(),
            finished,
            steps,
            promptTokens,
            cachedTokens,
            outputTokens,
            computedTokens,
            preemptions + scheduler.preemptions(),
            scheduler.pool().size(),
            scheduler.pool().available());
  }
}
