package dev.sparkmla.engine;

import dev.sparkmla.compute.ConstraintTable;
import dev.sparkmla.compute.Logprobs;
import dev.sparkmla.compute.RandomAutomata;
import dev.sparkmla.compute.RecordedLogits;
import dev.sparkmla.compute.SampledTokens;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.model.MlaTransformer;
import dev.sparkmla.policy.ByteAutomaton;
import dev.sparkmla.policy.Constraint;
import dev.sparkmla.policy.LogitsProcessing;
import dev.sparkmla.policy.Sampling;
import dev.sparkmla.policy.TokenBytes;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * A request, and what it is answered with when nothing else is computed: over an empty cache, with
 * the whole prompt in one step and then one generated token in each.
 *
 * @param prompt its tokens
 * @param sampling how tokens are chosen
 * @param constraint what they are constrained by, if they are
 * @param tokens the tokens that are generated
 * @param logits the logits that each of them is chosen from, and behind them those that it gets
 *     stuck at, if it does
 * @param logprobs the log probabilities of each of the tokens, where they are reported
 * @param stuck whether no token is left in the end that its constraint admits
 */
record RequestAlone(
    int[] prompt,
    Sampling sampling,
    Optional<Constraint> constraint,
    int[] tokens,
    List<float[]> logits,
    List<Logprobs> logprobs,
    boolean stuck) {
  private static final int DOCUMENTS = 3;
  private static final int MOST_OWN_TOKENS = 150;

  /**
   * Draws requests, and computes each alone. Half of them get only a sixth of the tokens. All
   * report log probabilities, so that a step leaves its logits as they are before they are
   * processed. The cache is overwritten.
   *
   * @param longestPrompt tokens of a prompt at most
   * @param mostTokens generated tokens at most
   */
  static List<RequestAlone> draw(
      int count,
      int longestPrompt,
      int mostTokens,
      Random random,
      MlaTransformer model,
      RecordedLogits recorded) {
    int vocabulary = model.config().vocabularySize();
    TokenBytes bytes = RandomAutomata.vocabulary(vocabulary, new Random(vocabulary));
    int[][] documents = new int[DOCUMENTS][];
    Arrays.setAll(documents, i -> random.ints(longestPrompt, 0, vocabulary).toArray());
    List<RequestAlone> requests = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int[] document = documents[random.nextInt(DOCUMENTS)];
      int[] own = random.ints(random.nextInt(MOST_OWN_TOKENS), 0, vocabulary).toArray();
      int most = i % 2 == 0 ? mostTokens : mostTokens / 6;
      Sampling sampling =
          i % 3 == 0
              ? Sampling.GREEDY
              : new Sampling(
                  1,
                  20 * (i % 2),
                  1 - 0.1f * (i % 4),
                  0,
                  random.nextLong(),
                  0,
                  LogitsProcessing.NONE);
      requests.add(
          compute(
              Arrays.stream(drawPrompt(document, own, requests, random))
                  .limit(longestPrompt)
                  .toArray(),
              most / 2 + 1 + random.nextInt(most / 2),
              (i % 4 < 2
                      ? sampling
                      : sampling.withProcessing(drawProcessing(vocabulary, new Random(i))))
                  .withLogprobs(OptionalInt.of(i % 7)),
              drawConstraint(i, bytes),
              random,
              model,
              recorded));
    }
    return requests;
  }

  private static LogitsProcessing drawProcessing(int vocabulary, Random random) {
    return new LogitsProcessing(
        Map.of(random.nextInt(vocabulary), random.nextFloat()),
        1 + random.nextFloat() / 2,
        random.nextFloat(),
        random.nextFloat(),
        List.of(List.of(random.nextInt(vocabulary)), List.of(random.nextInt(vocabulary), 7)),
        random.nextInt(20),
        Set.of(random.nextInt(vocabulary)));
  }

  /** A third are constrained, half of these from a token on. */
  private static Optional<Constraint> drawConstraint(int i, TokenBytes bytes) {
    return i % 3 == 1
        ? Optional.of(
            new Constraint(
                RandomAutomata.automaton(50, new Random(i)),
                bytes,
                i % 2 == 0 ? OptionalInt.of(i) : OptionalInt.empty()))
        : Optional.empty();
  }

  /**
   * A prompt that the cache may have a part of: one of before again, one of before with what is
   * generated after it, or the beginning of a document, of whole blocks or not.
   */
  private static int[] drawPrompt(
      int[] document, int[] own, List<RequestAlone> before, Random random) {
    int kind = before.size() % 5;
    if (kind < 3) {
      int beginning = 1 + random.nextInt(document.length);
      int whole = beginning > 64 && random.nextBoolean() ? beginning / 64 * 64 : beginning;
      return join(Arrays.copyOf(document, whole), random.nextInt(4) == 0 ? new int[0] : own);
    }
    RequestAlone earlier = before.get(random.nextInt(before.size()));
    return kind == 3 ? join(join(earlier.prompt(), earlier.tokens()), own) : earlier.prompt();
  }

  private static int[] join(int[] first, int[] second) {
    return IntStream.concat(Arrays.stream(first), Arrays.stream(second)).toArray();
  }

  private static RequestAlone compute(
      int[] prompt,
      int maxTokens,
      Sampling sampling,
      Optional<Constraint> constraint,
      Random random,
      MlaTransformer model,
      RecordedLogits recorded) {
    List<Integer> order = new ArrayList<>();
    IntStream.range(0, model.cacheBlocks()).forEach(order::add);
    Collections.shuffle(order, random);
    int[] blocks =
        order.stream()
            .limit(model.config().cacheShape().blocksFor(prompt.length + maxTokens))
            .mapToInt(Integer::intValue)
            .toArray();
    List<Integer> tokens = new ArrayList<>();
    List<float[]> logits = new ArrayList<>();
    List<Logprobs> logprobs = new ArrayList<>();
    boolean stuck = false;
    Optional<ConstraintTable> table = constraint.flatMap(model::constrain);
    long answer = constraint.map(Constraint::start).orElse(ByteAutomaton.DEAD);
    Segment.Role role = Segment.Role.PREFILL;
    int[] next = prompt;
    int position = 0;
    while (tokens.size() < maxTokens && !stuck) {
      Segment.Position known = new Segment.Position.Known(answer);
      Segment.Sample sample =
          new Segment.Sample(
              next.length - 1,
              sampling.withIndex(tokens.size()),
              table.map(open -> new Segment.Constrained(open, known)));
      Segment segment =
          new Segment(role, new Segment.Tokens.Known(next), position, blocks, List.of(sample));
      SampledTokens sampled = model.submit(List.of(segment)).tokens();
      int token = sampled.token(0).orElseThrow();
      logits.add(recorded.logits(0));
      stuck =
          constraint.isPresent() && !constraint.get().admits(answer, token, sampling.ends(token));
      if (!stuck) {
        tokens.add(token);
        sampled.logprobs(0).ifPresent(logprobs::add);
        answer = constraint.isPresent() ? constraint.get().advance(answer, token) : answer;
        role = Segment.Role.DECODE;
        position += next.length;
        next = new int[] {token};
      }
    }
    table.ifPresent(ConstraintTable::close);
    return new RequestAlone(
        prompt,
        sampling,
        constraint,
        tokens.stream().mapToInt(Integer::intValue).toArray(),
        logits,
        logprobs,
        stuck);
  }

  /** The same request, for a scheduler. */
  Sequence sequence() {
    return new Sequence(prompt, logits.size(), sampling, constraint);
  }
}
