package dev.sparkmla.engine;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Writes the table of {@link GenerationParameters} into the page of the SQL functions. */
public final class ParametersDoc {
  private static final String BEGIN =
      "<!-- The table is generated from GenerationParameters; a test fails when it is stale. -->\n";
  private static final String END = "<!-- end of the table -->\n";

  private ParametersDoc() {}

  /**
   * Replaces the table in a page.
   *
   * @param args the page's file
   */
  public static void main(String[] args) throws IOException {
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
  static String update(String page) {
    int begin = page.indexOf(BEGIN);
    int end = page.indexOf(END);
    if (begin < 0 || end < begin) {
      throw new IllegalArgumentException(
          "the page lacks the line '" + BEGIN.strip() + "', or '" + END.strip() + "' after it");
    }
    return page.substring(0, begin + BEGIN.length()) + "\n" + table() + "\n" + page.substring(end);
  }

  private static String table() {
    StringBuilder table =
        new StringBuilder("| Parameter | Values | Default | Meaning |\n|---|---|---|---|\n");
    for (GenerationParameter<?> parameter : GenerationParameters.all()) {
      table
          .append("| `")
          .append(parameter.name())
          .append("` | ")
          .append(parameter.range())
          .append(" | ")
          .append(parameter.defaultText())
          .append(" | ")
          .append(parameter.meaning())
          .append(" |\n");
    }
    return table.toString();
  }
}
