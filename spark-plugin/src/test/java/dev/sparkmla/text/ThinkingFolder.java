package dev.sparkmla.text;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Tokenizers of models that think, made of a golden checkpoint's, for tests. */
public final class ThinkingFolder {
  private static final Path GOLDEN = Path.of("src", "test", "golden", "deepseek-v3");

  /** What the tokenizer has ids for with two added tokens. */
  public static final int VOCABULARY = 322;

  /** The id of the first added token. */
  public static final int OPENING = 320;

  /** The id of the second. */
  public static final int CLOSING = 321;

  private ThinkingFolder() {}

  /**
   * Writes the text files of a model.
   *
   * @param special whether the markers are special tokens
   * @param template the chat template
   * @param markers added tokens
   */
  public static void write(Path folder, boolean special, String template, String... markers)
      throws IOException {
    ObjectMapper json = new ObjectMapper();
    ObjectNode tokenizer =
        (ObjectNode) json.readTree(Files.readString(GOLDEN.resolve("tokenizer.json")));
    for (int i = 0; i < markers.length; i++) {
      tokenizer
          .withArray("added_tokens")
          .addObject()
          .put("id", OPENING + i)
          .put("content", markers[i])
          .put("single_word", false)
          .put("lstrip", false)
          .put("rstrip", false)
          .put("normalized", false)
          .put("special", special);
    }
    Files.writeString(folder.resolve("tokenizer.json"), tokenizer.toString());
    Files.copy(GOLDEN.resolve("tokenizer_config.json"), folder.resolve("tokenizer_config.json"));
    Files.writeString(folder.resolve("chat_template.jinja"), template);
  }
}
