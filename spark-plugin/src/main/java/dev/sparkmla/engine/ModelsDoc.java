package dev.sparkmla.engine;

import dev.sparkmla.compute.DataType;
import dev.sparkmla.model.Architecture;
import dev.sparkmla.model.Architecture.Published;
import dev.sparkmla.model.Architecture.Sizes;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/** Writes the table of supported models, from {@link Architecture}, into the page of models. */
public final class ModelsDoc {
  private ModelsDoc() {}

  /**
   * Replaces the table in a page.
   *
   * @param args the page's file
   */
  public static void main(String[] args) throws IOException {
    table().write(args);
  }

  static GeneratedTable table() {
    StringBuilder table = new StringBuilder();
    row(
        table,
        "`architectures`",
        "Published models",
        "Latent; head",
        "Weights",
        "Tokenizer",
        "CPU",
        "GPU",
        "Checked against transformers");
    table.append("|---|---|---|---|---|---|---|---|\n");
    for (Architecture architecture : Architecture.values()) {
      for (Published models : architecture.published()) {
        row(
            table,
            code(architecture.name()),
            models.names(),
            sizes(models.sizes()),
            weights(),
            code(models.tokenizer()),
            "yes",
            gpu(architecture),
            architecture.goldenCheckpoints().stream()
                .map(ModelsDoc::code)
                .collect(Collectors.joining(", ")));
      }
    }
    return new GeneratedTable("Architecture", table.toString());
  }

  private static void row(StringBuilder table, String... cells) {
    table.append("| ").append(String.join(" | ", List.of(cells))).append(" |\n");
  }

  private static String code(String text) {
    return "`" + text + "`";
  }

  private static String sizes(Sizes sizes) {
    return "%d + %d; %d + %d / %d"
        .formatted(
            sizes.cache().latent(),
            sizes.cache().rope(),
            sizes.nope(),
            sizes.cache().rope(),
            sizes.value());
  }

  private static String weights() {
    return Arrays.stream(DataType.values())
        .map(type -> type.name().toLowerCase(Locale.ROOT))
        .collect(Collectors.joining(", "));
  }

  private static String gpu(Architecture architecture) {
    return architecture.queriesGrow() ? "with `max_position_embeddings` lowered" : "yes";
  }
}
