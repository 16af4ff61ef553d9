package dev.sparkmla.jobs;

import java.io.PrintStream;
import java.util.List;
import java.util.Locale;
import org.apache.spark.sql.Row;

/**
 * Holds the sample documents' answers against what is expected.
 *
 * @param asked questions
 * @param right answers that are exactly what is expected
 */
record Demo(long asked, long right) {
  /** Where the demo writes, under the working directory. */
  static final String OUTPUT = "output/demo";

  /** Tokens of an answer at most, as in the model's card. */
  static final String MAX_TOKENS = "24";

  /** What is shown of a document beside the answer. */
  static final List<String> COLUMNS = List.of("id", "question", "expected");

  private static final double LEAST_ACCURACY = 0.98;

  /**
   * Prints the table of documents, questions, answers and expected ones.
   *
   * @param written with the columns of {@link #COLUMNS} and of the results
   */
  static Demo show(List<Row> written, Results results, PrintStream out) {
    TextTable table = new TextTable("document", "question", "answer", "expected", "");
    long asked = 0;
    long right = 0;
    for (Row row : written) {
      String answer = row.getAs(results.name("text"));
      String expected = row.getAs("expected");
      boolean same = answer != null && answer.strip().equals(expected);
      asked++;
      right += same ? 1 : 0;
      table.add(row.getAs("id"), row.getAs("question"), answer, expected, same ? "right" : "WRONG");
    }
    table.print(out);
    return new Demo(asked, right);
  }

  /** Whether the model answered as it does when all is well. */
  boolean isFine() {
    return asked > 0 && right >= LEAST_ACCURACY * asked;
  }

  /** The last line. */
  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "accuracy: %.1f %% (%d of %d answers are exactly what is expected)",
        100.0 * right / Math.max(1, asked),
        right,
        asked);
  }
}
