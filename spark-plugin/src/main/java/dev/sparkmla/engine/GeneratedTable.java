package dev.sparkmla.engine;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A table of the documentation that is generated from code. A comment before it names its source,
 * another ends it.
 *
 * @param source what the table is generated from
 * @param markdown the table, each line with its end
 */
record GeneratedTable(String source, String markdown) {
  private static final String END = "<!-- end of the table -->\n";

  /**
   * Replaces the table in a page.
   *
   * @param args of a main class: the page's file
   */
  void write(String[] args) throws IOException {
    if (args.length != 1) {
      throw new IllegalArgumentException("expected one argument, the page's file");
    }
    Path file = Path.of(args[0]);
    Files.writeString(file, update(Files.readString(file)));
  }

  /**
   * A page with the table as it has to be.
   *
   * @throws IllegalArgumentException when the page does not mark where the table stands
   */
  String update(String page) {
    String first =
        "<!-- The table is generated from " + source + "; a test fails when it is stale. -->\n";
    int begin = page.indexOf(first);
    int end = page.indexOf(END);
    if (begin < 0 || end < begin) {
      throw new IllegalArgumentException(
          "the page lacks the line '" + first.strip() + "', or '" + END.strip() + "' after it");
    }
    return page.substring(0, begin + first.length()) + "\n" + markdown + "\n" + page.substring(end);
  }
}
