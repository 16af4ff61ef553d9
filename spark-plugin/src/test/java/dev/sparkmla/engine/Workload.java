package dev.sparkmla.engine;

import dev.sparkmla.kvcache.CacheShape;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Prompts to be computed, and how many tokens each generates.
 *
 * @param name as it is printed
 * @param prompts tokens of each prompt
 * @param newTokens tokens that each generates
 */
public record Workload(String name, List<Integer> prompts, List<Integer> newTokens) {
  private static final Pattern FORM = Pattern.compile("(\\d+)x(~?)(\\d+)\\+(\\d+)");
  private static final int LONGEST_OF_MEDIAN = 8;

  /**
   * Reads {@code 64x4096+256}: 64 prompts of 4,096 tokens that generate 256 each. With {@code
   * x~4096} lengths are drawn, log-normal with this median, a sigma of 1 and at most eight times
   * the median; new tokens are drawn evenly, from 1 to the number given. Draws are the same each
   * time.
   *
   * @throws IllegalArgumentException if it is none
   */
  public static Workload of(String text) {
    Matcher matcher = FORM.matcher(text);
    if (!matcher.matches()) {
      throw new IllegalArgumentException(
          text + ": expected prompts x tokens + new tokens, such as 64x4096+256 or 512x~4096+256");
    }
    int count = Integer.parseInt(matcher.group(1));
    boolean drawn = !matcher.group(2).isEmpty();
    int tokens = Integer.parseInt(matcher.group(3));
    int most = Integer.parseInt(matcher.group(4));
    String name = count + " × " + matcher.group(2) + tokens + " + " + most;
    if (!drawn) {
      return equal(name, count, tokens, most);
    }
    Random random = new Random(1);
    List<Integer> prompts =
        Stream.generate(() -> logNormal(tokens, random.nextGaussian())).limit(count).toList();
    return new Workload(name, prompts, random.ints(count, 1, most + 1).boxed().toList());
  }

  /** Prompts of one length to so many new tokens each. */
  static Workload equal(String name, int count, int tokens, int newTokens) {
    return new Workload(
        name, Collections.nCopies(count, tokens), Collections.nCopies(count, newTokens));
  }

  /** Workloads with commas between them; {@code none} has none. */
  public static List<Workload> all(String text) {
    return text.equals("none")
        ? List.of()
        : Arrays.stream(text.split(",")).map(Workload::of).toList();
  }

  private static int logNormal(int median, double normal) {
    long length = Math.round(median * Math.exp(normal));
    return (int) Math.max(1, Math.min(length, (long) LONGEST_OF_MEDIAN * median));
  }

  /** Number of prompts. */
  public int size() {
    return prompts.size();
  }

  /** Tokens of all prompts. */
  long promptTokens() {
    return prompts.stream().mapToLong(Integer::longValue).sum();
  }

  /** Tokens that all prompts generate. */
  long generatedTokens() {
    return newTokens.stream().mapToLong(Integer::longValue).sum();
  }

  /** The longest sequence, from its first token to its last. */
  int longest() {
    return IntStream.range(0, size()).map(i -> prompts.get(i) + newTokens.get(i)).max().orElse(0);
  }

  /** Blocks that all sequences need together. */
  int blocks(CacheShape cache) {
    return IntStream.range(0, size())
        .map(i -> cache.blocksFor(prompts.get(i) + newTokens.get(i)))
        .sum();
  }
}
