package dev.sparkmla.engine;

import java.io.IOException;

/** Writes the table of {@link GenerationParameters} into the page of the SQL functions. */
public final class ParametersDoc {
  private ParametersDoc() {}

  /**
   * Replaces the table in a page.
   *
   * @param args the page's file
   */
  public static void main(String[] args) throws IOException {
    table().write(args);
  }

  static GeneratedTable table() {
    StringBuilder table =
        new StringBuilder("| Parameter | Values | Default | Meaning |\n|---|---|---|---|\n");
    for (GenerationParameter<?> parameter : GenerationParameters.all()) {
      table.append("| `").append(parameter.name()).append('`');
      for (String alias : parameter.aliases()) {
        table.append(", `").append(alias).append('`');
      }
      table
          .append(" | ")
          .append(parameter.range())
          .append(" | ")
          .append(parameter.defaultText())
          .append(" | ")
          .append(parameter.meaning())
          .append(" |\n");
    }
    return new GeneratedTable("GenerationParameters", table.toString());
  }
}
