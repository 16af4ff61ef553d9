package dev.sparkmla.engine;

import dev.sparkmla.compute.AttentionShape;
import dev.sparkmla.compute.cuda.OperationWork;
import dev.sparkmla.compute.cuda.TimedOperations.Operation;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Where the time of a step goes, by operation, as a Markdown table: the largest gap between time
 * and limit first. The limit is the time of an operation's bytes at the copy rate, or of its
 * multiplications at the GEMM rate (twice that for 8 bits), whichever is longer.
 *
 * @param copyRate bytes a second
 * @param gemmRate operations a second, two for a multiplication with its addition, of bf16 values
 */
record StepProfile(double copyRate, double gemmRate) {

  /**
   * What a step attends to.
   *
   * @param cachedTokens of all sequences
   * @param pairs of a query and a key that it attends to, where it prefills
   */
  record Context(double cachedTokens, double pairs) {}

  private static final class Line {
    private int calls;
    private double seconds;
    private double limit;

    double gap() {
      return seconds - limit;
    }
  }

  void print(String step, List<Operation> operations, Context context) {
    Map<String, Line> lines = new LinkedHashMap<>();
    Line all = new Line();
    for (Operation operation : operations) {
      String name = operation.name() + " | " + operation.work().shape();
      double limit = limit(operation, context);
      for (Line line : List.of(all, lines.computeIfAbsent(name, key -> new Line()))) {
        line.calls++;
        line.seconds += operation.seconds();
        line.limit += limit;
      }
    }
    System.out.printf(
        Locale.ROOT,
        "| %s | shape | calls | µs each | limit µs | ms | limit ms | gap ms |%n"
            + "|---|---|---|---|---|---|---|---|%n",
        step);
    lines.entrySet().stream()
        .sorted(Comparator.comparingDouble(entry -> -entry.getValue().gap()))
        .forEach(entry -> print(entry.getKey(), entry.getValue()));
    print("all | ", all);
    System.out.println();
  }

  private static void print(String name, Line line) {
    System.out.printf(
        Locale.ROOT,
        "| %s | %d | %.1f | %.1f | %.3f | %.3f | %.3f |%n",
        name,
        line.calls,
        line.seconds / line.calls * 1e6,
        line.limit / line.calls * 1e6,
        line.seconds * 1e3,
        line.limit * 1e3,
        line.gap() * 1e3);
  }

  private double limit(Operation operation, Context context) {
    OperationWork work = operation.work();
    double bytes = work.bytes();
    double multiplyAdds = work.multiplyAdds() + work.float8MultiplyAdds() / 2;
    if (work.attention().isPresent()) {
      AttentionShape shape = work.attention().get();
      switch (operation.name()) {
        case "decodeAttention" -> bytes += context.cachedTokens() * shape.cache().bytesPerToken();
        case "prefillAttention" ->
            multiplyAdds +=
                shape.heads() * context.pairs() * (shape.queryHead() + shape.value())
                    + context.cachedTokens() * shape.keyValueRows() * shape.cache().latent();
        default -> {
          // Its arguments hold all that it reads.
        }
      }
    }
    return Math.max(bytes / copyRate, 2 * multiplyAdds / gemmRate);
  }
}
