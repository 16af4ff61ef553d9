package dev.sparkmla.engine;

import dev.sparkmla.grammar.ResponseFormat;
import dev.sparkmla.grammar.WhiteSpace;
import dev.sparkmla.policy.Constraint;
import dev.sparkmla.policy.TokenBytes;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/** Different response formats over a vocabulary of random words, for benchmarks. */
final class BenchmarkFormats {
  private static final int MOST_LETTERS = 9;
  private static final int BYTES = 256;

  private BenchmarkFormats() {}

  /**
   * As many constraints, of objects with two fields whose texts have no end, so that any number of
   * steps stays within them.
   *
   * @param vocabulary number of tokens
   */
  static List<Constraint> constraints(int count, int vocabulary) {
    TokenBytes tokens = tokens(vocabulary);
    return IntStream.range(0, count)
        .mapToObj(
            i ->
                new Constraint(
                    ResponseFormat.parse(
                            "regex: \\{\"field%d\":\"[^\"\\\\]*\"(,\"next%d\":\"[^\"\\\\]*\")*\\}"
                                .formatted(i, i),
                            WhiteSpace.COMPACT)
                        .automaton(tokens),
                    tokens,
                    OptionalInt.empty()))
        .toList();
  }

  /** Every byte, then words, half of them after a blank. */
  private static TokenBytes tokens(int vocabulary) {
    SplittableRandom random = new SplittableRandom(7);
    int[] offsets = new int[vocabulary + 1];
    byte[] bytes = new byte[BYTES + (MOST_LETTERS + 1) * vocabulary];
    int end = 0;
    for (int token = 0; token < vocabulary; token++) {
      if (token < BYTES) {
        bytes[end++] = (byte) token;
      } else {
        if (random.nextBoolean()) {
          bytes[end++] = ' ';
        }
        for (int letters = random.nextInt(1, MOST_LETTERS + 1); letters > 0; letters--) {
          bytes[end++] = (byte) ('a' + random.nextInt(26));
        }
      }
      offsets[token + 1] = end;
    }
    return new TokenBytes(offsets, Arrays.copyOf(bytes, end));
  }
}
