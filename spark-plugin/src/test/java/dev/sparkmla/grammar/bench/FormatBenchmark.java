package dev.sparkmla.grammar.bench;

import dev.sparkmla.grammar.InvalidResponseFormatException;
import dev.sparkmla.grammar.ResponseFormat;
import dev.sparkmla.grammar.WhiteSpace;
import dev.sparkmla.policy.ByteAutomaton;
import dev.sparkmla.policy.TokenBytes;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * {@code bin/bench formats}: how long it takes from a format's text to its automaton, for a
 * vocabulary with a token for each byte; the first time in a process, and the median of many. Times
 * are those of the processor, as all the work is one thread's. Some of the formats are hostile.
 */
public final class FormatBenchmark {
  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();
  private static final int RUNS = 21;
  private static final int FIELDS = 30;
  private static final String[] TYPES = {
    "{\"type\": \"string\"}",
    "{\"type\": \"integer\"}",
    "{\"type\": [\"string\", \"null\"], \"maxLength\": 200}",
    "{\"type\": \"string\", \"format\": \"date\"}",
    "{\"type\": \"number\", \"minimum\": 0, \"maximum\": 12345}",
    "{\"type\": \"array\", \"items\": {\"type\": \"string\"}, \"maxItems\": 10}",
    "{\"enum\": [\"red\", \"green\", \"blue\"]}",
    "{\"type\": \"boolean\"}"
  };

  private FormatBenchmark() {}

  /** Prints the table. */
  public static void main(String[] arguments) {
    TokenBytes vocabulary = bytes();
    System.out.printf("%nJava %s, %s.%n%n", Runtime.version(), LocalDate.now(ZoneOffset.UTC));
    System.out.println("| format | first ms | median ms | states | classes | KiB |");
    System.out.println("|---|---|---|---|---|---|");
    formats().forEach((name, format) -> print(name, format, WhiteSpace.COMPACT, vocabulary));
    print(FIELDS + " required fields, free white space", schema(true), WhiteSpace.FREE, vocabulary);
  }

  private static Map<String, String> formats() {
    Map<String, String> formats = new LinkedHashMap<>();
    formats.put(FIELDS + " required fields", schema(true));
    formats.put(FIELDS + " optional fields", schema(false));
    formats.put("`json`", "json");
    formats.put("a date as `regex`", "regex: \\d{4}-\\d{2}-\\d{2}");
    formats.put("1,000 choices", choices(1_000));
    formats.put("50,000 choices", choices(50_000));
    formats.put("`.*a.{20}`", "regex: .*a.{20}");
    formats.put("`a{1,1000000}`", "regex: a{1,1000000}");
    formats.put("`ab?` 30,000 times", "regex: " + "ab?".repeat(30_000));
    return formats;
  }

  private static String schema(boolean required) {
    String properties =
        IntStream.range(0, FIELDS)
            .mapToObj(i -> name(i) + ": " + TYPES[i % TYPES.length])
            .collect(Collectors.joining(", "));
    String names =
        IntStream.range(0, required ? FIELDS : 0)
            .mapToObj(FormatBenchmark::name)
            .collect(Collectors.joining(", "));
    return "{\"type\": \"object\", \"properties\": {%s}, \"required\": [%s]}"
        .formatted(properties, names);
  }

  private static String name(int field) {
    return "\"field_%d\"".formatted(field);
  }

  private static String choices(int count) {
    return IntStream.range(0, count)
        .mapToObj(i -> "\"" + Integer.toString(i * 7_919, 36) + "\"")
        .collect(Collectors.joining(",", "choice: [", "]"));
  }

  private static TokenBytes bytes() {
    byte[] bytes = new byte[256];
    for (int value = 0; value < bytes.length; value++) {
      bytes[value] = (byte) value;
    }
    return new TokenBytes(IntStream.rangeClosed(0, bytes.length).toArray(), bytes);
  }

  private static void print(
      String name, String format, WhiteSpace whiteSpace, TokenBytes vocabulary) {
    double[] milliseconds = new double[RUNS];
    String size = "";
    for (int run = 0; run < RUNS; run++) {
      long start = THREADS.getCurrentThreadCpuTime();
      try {
        ByteAutomaton automaton = ResponseFormat.parse(format, whiteSpace).automaton(vocabulary);
        int edges = automaton.states() * automaton.classes();
        size = "%d | %d | %d".formatted(automaton.states(), automaton.classes(), edges >> 8);
      } catch (InvalidResponseFormatException e) {
        size = "refused | | ";
      }
      milliseconds[run] = (THREADS.getCurrentThreadCpuTime() - start) / 1e6;
    }
    double first = milliseconds[0];
    Arrays.sort(milliseconds);
    System.out.printf(
        Locale.ROOT, "| %s | %.1f | %.1f | %s |%n", name, first, milliseconds[RUNS / 2], size);
  }
}
