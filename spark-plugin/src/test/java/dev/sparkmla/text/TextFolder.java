package dev.sparkmla.text;

import java.nio.file.Path;
import java.util.Optional;

/** The parts of a folder that {@link PromptText} opens together, one by one. */
final class TextFolder {
  private TextFolder() {}

  static Tokenizer tokenizer(Path folder) {
    return Tokenizer.open(folder, TokenizerConfig.read(folder));
  }

  static Optional<ChatTemplate> template(Path folder) {
    return ChatTemplate.open(folder, TokenizerConfig.read(folder));
  }
}
