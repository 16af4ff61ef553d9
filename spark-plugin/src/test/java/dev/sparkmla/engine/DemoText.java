package dev.sparkmla.engine;

import dev.sparkmla.text.ChatTemplate;
import dev.sparkmla.text.PromptText;
import dev.sparkmla.text.TokenDecoder;
import dev.sparkmla.text.Tokenizer;
import java.nio.file.Path;

/** The demo model's folder, tokenizer and template, for tests that need real text. */
final class DemoText {
  /** The folder, from a module's directory. */
  static final Path FOLDER = Path.of("..", "jobs", "demo-model", "model");

  /** Rows of the model's embedding. */
  static final int VOCABULARY = 896;

  private DemoText() {}

  static Tokenizer openTokenizer() {
    return PromptText.open(FOLDER).tokenizer();
  }

  static ChatTemplate openTemplate() {
    try (PromptText text = PromptText.open(FOLDER)) {
      return text.template().orElseThrow();
    }
  }

  /** The text of ids, decoded one by one; special tokens leave no text. */
  static String decode(Tokenizer tokenizer, int[] ids) {
    TokenDecoder decoder = tokenizer.newDecoder(false);
    StringBuilder text = new StringBuilder();
    for (int id : ids) {
      text.append(decoder.append(id));
    }
    return text.append(decoder.finish()).toString();
  }
}
