package dev.sparkmla.engine;

import dev.sparkmla.model.LanguageModel;
import dev.sparkmla.model.ModelConfig;
import dev.sparkmla.model.PendingStep;
import dev.sparkmla.model.StepBatch;
import dev.sparkmla.model.StepRow;
import dev.sparkmla.policy.Sampling;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * A small deterministic language model over a real paged cache: a position's cache entry is the
 * token that was computed there, and the next token is a hash of all entries that the row's block
 * table leads to. A wrong table, position, chunk or shared block is a wrong token.
 */
final class FakeLanguageModel implements LanguageModel {
  private static final int BLOCK = 64;

  private final ModelConfig config;
  private final long[] cache;
  private long steps;
  private int largestStep;
  private int closed;
  private boolean runsAhead;
  private int pending;
  private int[] before = {};
  private volatile Runnable beforeStep = () -> {};

  FakeLanguageModel(int vocabularySize, int contextWindow, int cacheBlocks) {
    config =
        new ModelConfig(
            ModelConfig.Architecture.DeepseekV3ForCausalLM,
            vocabularySize,
            8,
            1,
            1,
            OptionalInt.empty(),
            8,
            4,
            4,
            4,
            false,
            8,
            1e-6f,
            1e-6f,
            false,
            contextWindow,
            new ModelConfig.Rope(1e4, false, Optional.empty()),
            Optional.empty());
    cache = new long[cacheBlocks * BLOCK];
    Arrays.fill(cache, -1);
  }

  /** The tokens this model generates after {@code prompt}, computed without any cache. */
  static int[] expected(int vocabularySize, int[] prompt, int count, Sampling sampling) {
    int[] tokens = Arrays.copyOf(prompt, prompt.length + count);
    long hash = 0;
    for (int i = 0; i < prompt.length; i++) {
      hash = mix(hash, entry(tokens[i], i));
    }
    for (int i = 0; i < count; i++) {
      tokens[prompt.length + i] = choose(hash, sampling, sampling.index() + i, vocabularySize);
      hash = mix(hash, entry(tokens[prompt.length + i], prompt.length + i));
    }
    return Arrays.copyOfRange(tokens, prompt.length, tokens.length);
  }

  /** Whether two steps may be pending. */
  FakeLanguageModel runningAhead(boolean ahead) {
    runsAhead = ahead;
    return this;
  }

  @Override
  public boolean runsAhead() {
    return runsAhead;
  }

  /** Runs before every step, on the thread that steps; what it throws, the step throws. */
  void beforeStep(Runnable hook) {
    beforeStep = hook;
  }

  synchronized long steps() {
    return steps;
  }

  /** Tokens of the largest step. */
  synchronized int largestStep() {
    return largestStep;
  }

  synchronized int closed() {
    return closed;
  }

  @Override
  public ModelConfig config() {
    return config;
  }

  @Override
  public int cacheBlocks() {
    return cache.length / BLOCK;
  }

  @Override
  public PendingStep submit(StepBatch batch) {
    beforeStep.run();
    return compute(batch);
  }

  private synchronized PendingStep compute(StepBatch batch) {
    if (++pending > (runsAhead ? 2 : 1)) {
      throw new AssertionError(pending + " steps are pending");
    }
    steps++;
    int stepTokens = 0;
    Set<Integer> writtenBlocks = new HashSet<>();
    for (StepRow row : batch.rows()) {
      stepTokens += row.tokens().length;
      int first = row.position() / BLOCK;
      int last = (row.position() + row.tokens().length - 1) / BLOCK;
      for (int i = first; i <= last; i++) {
        if (!writtenBlocks.add(row.blocks()[i])) {
          throw new AssertionError("two rows write block " + row.blocks()[i]);
        }
      }
    }
    for (StepRow row : batch.rows()) {
      for (int i = 0; i < first(row); i++) {
        if (writtenBlocks.contains(row.blocks()[i])) {
          throw new AssertionError("a row reads block " + row.blocks()[i] + ", another writes it");
        }
      }
      for (int i = 0; i < row.tokens().length; i++) {
        int position = row.position() + i;
        int token =
            row.previousRow().isPresent() ? before[row.previousRow().getAsInt()] : row.tokens()[i];
        cache[slot(row, position)] = entry(token, position);
      }
    }
    largestStep = Math.max(largestStep, stepTokens);
    int[] chosen = new int[batch.rows().size()];
    for (int r = 0; r < chosen.length; r++) {
      StepRow row = batch.rows().get(r);
      chosen[r] = row.sampling().map(sampling -> next(row, sampling)).orElse(NO_TOKEN);
    }
    before = chosen;
    return () -> taken(chosen);
  }

  private synchronized int[] taken(int[] chosen) {
    pending--;
    return chosen.clone();
  }

  private int next(StepRow row, Sampling sampling) {
    long hash = 0;
    for (int position = 0; position < row.position() + row.tokens().length; position++) {
      hash = mix(hash, cache[slot(row, position)]);
    }
    return choose(hash, sampling, sampling.index(), config.vocabularySize());
  }

  private static int first(StepRow row) {
    return row.position() / BLOCK;
  }

  private static int slot(StepRow row, int position) {
    return row.blocks()[position / BLOCK] * BLOCK + position % BLOCK;
  }

  private static long entry(int token, int position) {
    return ((long) position << 32) | token;
  }

  private static int choose(long hash, Sampling sampling, int index, int vocabularySize) {
    long choice = sampling.temperature() == 0 ? hash : mix(mix(hash, sampling.seed()), index);
    return (int) Long.remainderUnsigned(choice, vocabularySize);
  }

  /** Each value changes the whole (the finalizer of SplitMix64, Steele et al. 2014). */
  private static long mix(long hash, long value) {
    long z = hash + value + 0x9E3779B97F4A7C15L;
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }

  @Override
  public synchronized void close() {
    closed++;
  }
}
