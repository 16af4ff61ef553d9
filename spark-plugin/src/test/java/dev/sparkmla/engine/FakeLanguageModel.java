package dev.sparkmla.engine;

import dev.sparkmla.compute.ComputeException;
import dev.sparkmla.compute.ConstraintTable;
import dev.sparkmla.compute.Logprobs;
import dev.sparkmla.compute.SampledTokens;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.kvcache.CacheShape;
import dev.sparkmla.model.Architecture;
import dev.sparkmla.model.GenerationDefaults;
import dev.sparkmla.model.LanguageModel;
import dev.sparkmla.model.ModelConfig;
import dev.sparkmla.model.PendingStep;
import dev.sparkmla.model.RopeScaling;
import dev.sparkmla.policy.Constraint;
import dev.sparkmla.policy.Sampling;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.IntStream;

/**
 * A small deterministic language model over a real paged cache: a position's cache entry is the
 * token that was computed there and in which form, and the next token is a hash of all entries that
 * the row's block table leads to. A wrong table, position, chunk, form or shared block is a wrong
 * token.
 */
final class FakeLanguageModel implements LanguageModel {
  private static final int BLOCK = 64;

  private final ModelConfig config;
  private final long[] cache;
  private long steps;
  private int largestStep;
  private int mostDecodeRows;
  private int closed;
  private boolean runsAhead;
  private int pending;
  private int[] before = {};
  private volatile Runnable beforeStep = () -> {};
  private volatile Runnable beforeResults = () -> {};
  private volatile Predicate<int[]> refusing = tokens -> false;
  private volatile int mostSegments = Integer.MAX_VALUE;
  private volatile Predicate<int[]> losing = tokens -> false;
  private volatile Predicate<int[]> spoiling = tokens -> false;

  FakeLanguageModel(int vocabularySize, int contextWindow, int cacheBlocks) {
    config =
        new ModelConfig(
            Architecture.DeepseekV3ForCausalLM,
            vocabularySize,
            8,
            1,
            1,
            OptionalInt.empty(),
            CacheShape.of(8, 4),
            4,
            4,
            false,
            8,
            1e-6f,
            1e-6f,
            false,
            contextWindow,
            new ModelConfig.Rope(1e4, false, new RopeScaling.None()),
            Optional.empty(),
            ModelConfig.Scales.NONE,
            Optional.empty(),
            GenerationDefaults.greedy(Set.of()));
    cache = new long[cacheBlocks * BLOCK];
    Arrays.fill(cache, -1);
  }

  /** The tokens this model generates after {@code prompt}, computed without any cache. */
  static int[] expected(int vocabularySize, int[] prompt, int count, Sampling sampling) {
    int[] tokens = Arrays.copyOf(prompt, prompt.length + count);
    long hash = 0;
    for (int i = 0; i < prompt.length; i++) {
      hash = mix(hash, entry(tokens[i], i, Segment.Role.PREFILL));
    }
    for (int i = 0; i < count; i++) {
      tokens[prompt.length + i] = choose(hash, sampling, sampling.index() + i, vocabularySize);
      hash = mix(hash, entry(tokens[prompt.length + i], prompt.length + i, Segment.Role.DECODE));
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

  /** Runs before results are given, on the thread that steps; what it throws, these throw. */
  void beforeResults(Runnable hook) {
    beforeResults = hook;
  }

  /**
   * Cannot compute steps in which a sequence's tokens, with those of the step, meet a condition.
   */
  FakeLanguageModel refusing(Predicate<int[]> condition) {
    refusing = condition;
    return this;
  }

  /** Cannot compute steps of more segments. */
  void refusingMoreSegmentsThan(int most) {
    mostSegments = most;
  }

  /** Loses the results of steps in which a sequence's tokens meet a condition. */
  FakeLanguageModel losing(Predicate<int[]> condition) {
    losing = condition;
    return this;
  }

  /** Has NaN for logits of a sequence whose tokens meet a condition. */
  FakeLanguageModel spoiling(Predicate<int[]> condition) {
    spoiling = condition;
    return this;
  }

  synchronized long steps() {
    return steps;
  }

  /** Tokens of the largest step. */
  synchronized int largestStep() {
    return largestStep;
  }

  /** Rows that decode in the step that has most of them. */
  synchronized int mostDecodeRows() {
    return mostDecodeRows;
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
  public Optional<ConstraintTable> constrain(Constraint constraint) {
    return Optional.empty();
  }

  @Override
  public PendingStep submit(List<Segment> segments) {
    beforeStep.run();
    for (Segment segment : segments) {
      if (segments.size() > mostSegments || refusing.test(tokens(segment))) {
        throw new ComputeException("the step of " + segments.size() + " segments is refused");
      }
    }
    return compute(segments);
  }

  /** A sequence's tokens up to the end of its segment. */
  private synchronized int[] tokens(Segment segment) {
    int[] tokens = new int[segment.end()];
    for (int position = 0; position < tokens.length; position++) {
      tokens[position] =
          position < segment.position()
              ? (int) cache[slot(segment, position)]
              : token(segment, position - segment.position());
    }
    return tokens;
  }

  private synchronized PendingStep compute(List<Segment> segments) {
    if (++pending > (runsAhead ? 2 : 1)) {
      throw new AssertionError(pending + " steps are pending");
    }
    steps++;
    Set<Integer> writtenBlocks = new HashSet<>();
    boolean prefilling = false;
    for (Segment segment : segments) {
      boolean prefills = segment.role() == Segment.Role.PREFILL;
      if (prefilling && !prefills) {
        throw new AssertionError("a segment decodes after one that prefills");
      }
      prefilling = prefills;
      for (int i = segment.position() / BLOCK; i <= (segment.end() - 1) / BLOCK; i++) {
        if (!writtenBlocks.add(segment.blocks()[i])) {
          throw new AssertionError("two segments write block " + segment.blocks()[i]);
        }
      }
    }
    int stepTokens = 0;
    int decodeRows = 0;
    for (Segment segment : segments) {
      stepTokens += segment.count();
      decodeRows += segment.role() == Segment.Role.DECODE ? segment.count() : 0;
      for (int i = 0; i < segment.position() / BLOCK; i++) {
        if (writtenBlocks.contains(segment.blocks()[i])) {
          throw new AssertionError(
              "a segment reads block " + segment.blocks()[i] + ", another writes it");
        }
      }
      for (int i = 0; i < segment.count(); i++) {
        int position = segment.position() + i;
        cache[slot(segment, position)] = entry(token(segment, i), position, segment.role());
      }
    }
    largestStep = Math.max(largestStep, stepTokens);
    mostDecodeRows = Math.max(mostDecodeRows, decodeRows);
    List<Integer> chosen = new ArrayList<>();
    List<Optional<Logprobs>> logprobs = new ArrayList<>();
    for (Segment segment : segments) {
      for (Segment.Sample sample : segment.samples()) {
        int token = spoiling.test(tokens(segment)) ? -1 : next(segment, sample);
        chosen.add(token);
        OptionalInt reported = sample.sampling().logprobs();
        logprobs.add(
            token >= 0 && reported.isPresent()
                ? Optional.of(logprobs(token, reported.getAsInt()))
                : Optional.empty());
      }
    }
    int[] tokens = chosen.stream().mapToInt(Integer::intValue).toArray();
    boolean lost = segments.stream().map(this::tokens).anyMatch(losing);
    before = tokens;
    return () -> taken(SampledTokens.of(tokens, logprobs), lost);
  }

  /** Of a token, its id negated; the likeliest are those with the lowest ids. */
  private static Logprobs logprobs(int token, int count) {
    return new Logprobs(
        -token, IntStream.range(0, count).mapToObj(id -> new Logprobs.Likely(id, -id)).toList());
  }

  private SampledTokens taken(SampledTokens tokens, boolean lost) {
    synchronized (this) {
      pending--;
    }
    beforeResults.run();
    if (lost) {
      throw new ComputeException("the step's results are lost");
    }
    return tokens;
  }

  private int token(Segment segment, int index) {
    return segment.tokens() instanceof Segment.Tokens.Sampled sampled
        ? before[sampled.row()]
        : ((Segment.Tokens.Known) segment.tokens()).ids()[index];
  }

  private int next(Segment segment, Segment.Sample sample) {
    long hash = 0;
    for (int position = 0; position <= segment.position() + sample.offset(); position++) {
      hash = mix(hash, cache[slot(segment, position)]);
    }
    return choose(hash, sample.sampling(), sample.sampling().index(), config.vocabularySize());
  }

  private static int slot(Segment segment, int position) {
    return segment.blocks()[position / BLOCK] * BLOCK + position % BLOCK;
  }

  /** What a token leaves in the cache: also the form it is computed in changes its bits. */
  private static long entry(int token, int position, Segment.Role role) {
    return ((long) role.ordinal() << 62) | ((long) position << 32) | token;
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
    if (pending > 0) {
      throw new AssertionError("the cache is freed under " + pending + " steps");
    }
    closed++;
  }
}
