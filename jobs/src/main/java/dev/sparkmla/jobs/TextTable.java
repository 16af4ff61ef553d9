package dev.sparkmla.jobs;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A table of short texts for a terminal: columns as wide as they need, longer cells cut. */
final class TextTable {
  private static final int WIDEST = 64;
  private static final String GAP = "  ";

  private final List<List<String>> rows = new ArrayList<>();

  TextTable(String... titles) {
    rows.add(List.of(titles));
  }

  /** Adds a row; {@code null} is an empty cell. */
  void add(String... cells) {
    rows.add(Arrays.stream(cells).map(TextTable::cell).toList());
  }

  /** Prints the titles, a rule, and the rows. */
  void print(PrintStream out) {
    int columns = rows.get(0).size();
    int[] widths = new int[columns];
    for (List<String> row : rows) {
      for (int i = 0; i < columns; i++) {
        widths[i] = Math.max(widths[i], row.get(i).length());
      }
    }
    for (int r = 0; r < rows.size(); r++) {
      StringBuilder line = new StringBuilder();
      for (int i = 0; i < columns; i++) {
        String cell = rows.get(r).get(i);
        line.append(i == 0 ? "" : GAP).append(cell).append(" ".repeat(widths[i] - cell.length()));
      }
      out.println(line.toString().stripTrailing());
      if (r == 0) {
        out.println("-".repeat(Arrays.stream(widths).sum() + GAP.length() * (columns - 1)));
      }
    }
  }

  private static String cell(String text) {
    String line = text == null ? "" : text.replaceAll("\\s+", " ").strip();
    return line.length() <= WIDEST ? line : line.substring(0, WIDEST - 3) + "...";
  }
}
